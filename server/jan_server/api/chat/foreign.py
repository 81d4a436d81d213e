"""What becomes of other servers' fields of a chat."""

from __future__ import annotations

from jan_server.foreign import ForeignFields, Harmless, Refused
from jan_server.inference.foreign_fields import FOREIGN_GENERATION

__all__ = ["FOREIGN_CHAT"]

FOREIGN_CHAT: ForeignFields = {
    **FOREIGN_GENERATION,
    "audio": Refused("the model writes text only"),
    "modalities": Refused("the model writes text only", unless=(["text"], [])),
    "web_search_options": Refused("nothing is searched"),
    "moderation": Refused("nothing is moderated"),
    "echo": Refused("say continue_final_message", unless=(False,)),
    "add_special_tokens": Harmless("a prompt begins with the model's first token exactly once"),
    "chat_template": Refused("a template is the server's: --chat-template"),
    "documents": Refused("say them in messages, or in chat_template_kwargs", unless=([],)),
    "include_reasoning": Refused("say reasoning_format, or turn thinking off", unless=(True,)),
    "separate_reasoning": Refused("say reasoning_format", unless=(True,)),
    "reasoning_in_content": Refused("say reasoning_format: none", unless=(False,)),
    "reasoning_control": Refused("nothing steers a thought from outside", unless=(False,)),
    "reasoning_budget_message": Refused("a thought ends as its template says", unless=("",)),
    "reasoning_budget_start_tag": Refused("tags are the template's"),
    "reasoning_budget_end_tag": Refused("tags are the template's"),
    "reasoning_budget_end_tags": Refused("tags are the template's"),
    "chat_format": Harmless("the template says it"),
    "chat_parser": Harmless("the template says it"),
    "generation_prompt": Harmless("the template says it"),
    "parse_tool_calls": Refused("tool calls are parsed", unless=(True,)),
    "think": Refused("say enable_thinking or reasoning_effort", unless=(True,)),
    "image": Refused("there are no images yet", unless=(False,)),
    "store_reasoning": Harmless("conversations are not kept yet"),
    "suffix": Refused("belongs to /v1/completions", unless=("",)),
}
