"""What becomes of other servers' fields of a request for vectors."""

from __future__ import annotations

from jan_server.foreign import ForeignFields, Harmless, Refused

__all__ = ["FOREIGN_EMBEDDING"]

_SAY_IT = "put the model's own prefix before the text"

FOREIGN_EMBEDDING: ForeignFields = {
    "input_type": Refused(_SAY_IT, unless=("",)),
    "task": Refused(_SAY_IT, unless=("",)),
    "task_type": Refused(_SAY_IT, unless=("",)),
    "prompt": Refused(_SAY_IT, unless=("",)),
    "prompt_name": Refused(_SAY_IT, unless=("",)),
    "instruction": Refused(_SAY_IT, unless=("",)),
    "late_chunking": Refused("every input is computed by itself", unless=(False,)),
    "embedding_type": Refused("say encoding_format", unless=("float",)),
    "embedding_types": Refused("say encoding_format", unless=(["float"],)),
    "output_dtype": Refused("say encoding_format", unless=("float",)),
    "embed_dtype": Refused("say encoding_format", unless=("float32",)),
    "truncation_side": Refused("a text is cut at its end", unless=("right",)),
    "messages": Refused("say input"),
    "images": Refused("the model reads text only", unless=([],)),
    "options": Refused("name each of them beside the others", unless=({},)),
    "keep_alive": Harmless("the server's --keep-alive says when a model leaves memory"),
    "metadata": Harmless("a label for whoever runs the server"),
    "user": Harmless("a label for whoever runs the server"),
    "priority": Harmless("there is one queue"),
    "request_id": Harmless("say it in the header X-Request-Id"),
    "mm_processor_kwargs": Harmless("is about images, and the model reads text"),
}
