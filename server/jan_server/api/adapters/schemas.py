"""What /lora-adapters reads and gives."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["AdapterInfo", "LoadAdapter", "ScalesSet"]


class AdapterInfo(msgspec.Struct, kw_only=True):
    id: int
    name: str
    path: str
    scale: float  # for requests whose `lora` is absent
    size: int  # bytes of its weights
    task_name: str = ""  # llama-server's clients read these two
    prompt_prefix: str = ""


class LoadAdapter(msgspec.Struct, kw_only=True):
    file: str  # in JAN_HOME/adapters
    name: Annotated[str, Meta(max_length=256)] = ""
    scale: Annotated[float, Meta(ge=-1000, le=1000)] = 0.0


class ScalesSet(msgspec.Struct, kw_only=True):
    success: bool = True
