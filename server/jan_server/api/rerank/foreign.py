"""What becomes of other servers' fields of a request for an order."""

from __future__ import annotations

from jan_server.foreign import ForeignFields, Harmless, Refused

__all__ = ["FOREIGN_RERANK"]

FOREIGN_RERANK: ForeignFields = {
    "max_chunks_per_doc": Refused("a document is read as a whole", unless=(1,)),
    "max_tokens_per_doc": Refused("a document is read as a whole"),
    "rank_fields": Refused("a document is a text", unless=([], ["text"])),
    "truncate_prompt_tokens": Refused("a document is read as a whole"),
    "truncate": Refused("a document is read as a whole", unless=(False,)),
    "raw_scores": Refused("scores are as the model gives them", unless=(True,)),
    "instruction": Refused("put it into the query", unless=("",)),
    "user": Harmless("a label for whoever runs the server"),
    "priority": Harmless("there is one queue"),
    "request_id": Harmless("say it in the header X-Request-Id"),
}
