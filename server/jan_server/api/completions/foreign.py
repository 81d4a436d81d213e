"""What becomes of other servers' fields of a text completion."""

from __future__ import annotations

from jan_server.foreign import ForeignFields, Harmless, Refused
from jan_server.inference.foreign_fields import FOREIGN_GENERATION

__all__ = ["FOREIGN_COMPLETION"]

FOREIGN_COMPLETION: ForeignFields = {
    **{name: one for name, one in FOREIGN_GENERATION.items() if name != "best_of"},
    "messages": Refused("belongs to /v1/chat/completions"),
    "tools": Refused("belong to /v1/chat/completions", unless=([],)),
    "chat_template_kwargs": Refused("no template is applied", unless=({},)),
    "reasoning_effort": Refused("no template is applied"),
    "reasoning_format": Refused("no template is applied", unless=("none",)),
    "service_tier": Harmless("there is one"),
    "return_special_tokens": Refused("say skip_special_tokens: false", unless=(False,)),
}
