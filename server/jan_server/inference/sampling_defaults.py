"""How tokens are chosen where a request does not say. The model's file says it first
(`general.sampling.*`), then what `jan set` gave the model, then flags and variables; a request's
own fields win over all of them. The server, `jan run` and `/v1/models` ask here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from jan_engine import EngineError, Sampler
from jan_engine.gguf import read_header
from jan_server.config import SAMPLING, Settings

__all__ = [
    "SAMPLERS",
    "SamplingDefaults",
    "file_sampling",
    "file_sampling_at",
    "sampling_defaults",
]

_log = logging.getLogger("jan_server")
_PREFIX = "general.sampling."

_CANONICAL = {sampler.value: sampler for sampler in Sampler} | {"typ_p": Sampler.TYPICAL_P}
SAMPLERS = {  # by every name that llama.cpp's clients know: top_k, top-k, topk
    spelling: sampler
    for name, sampler in _CANONICAL.items()
    for spelling in (name, name.replace("_", "-"), name.replace("_", ""))
} | {
    "nucleus": Sampler.TOP_P,
    "temp": Sampler.TEMPERATURE,
    "typ": Sampler.TYPICAL_P,
    "typical": Sampler.TYPICAL_P,
}
_KEYS = {  # after the prefix, as llama.cpp names them -> ours
    "temp": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "penalty_last_n": "repeat_last_n",
    "penalty_repeat": "repeat_penalty",
    "mirostat": "mirostat",
    "mirostat_tau": "mirostat_tau",
    "mirostat_eta": "mirostat_eta",
}
_Share = Annotated[float, Meta(ge=0, le=1)]


class SamplingDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """As it stands: the second seed's defaults."""

    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.8
    top_k: Annotated[int, Meta(ge=-1, lt=2**31)] = 40
    top_p: _Share = 0.95
    min_p: _Share = 0.05
    repeat_penalty: Annotated[float, Meta(gt=0, le=1e4)] = 1.1
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    repeat_last_n: Annotated[int, Meta(ge=-1, lt=2**31)] = 64
    xtc_probability: _Share = 0.0
    xtc_threshold: _Share = 0.1
    mirostat: Annotated[int, Meta(ge=0, le=2)] = 0
    mirostat_tau: Annotated[float, Meta(ge=0, le=100)] = 5.0
    mirostat_eta: _Share = 0.1
    samplers: tuple[Sampler, ...] | None = None  # None: the engine's order
    chosen: frozenset[str] = frozenset()  # names that the file or a person gave

    def repeat_penalty_at(self, temperature: float) -> float:
        """Our own default is for drawing: at temperature 0 it would not be the likeliest token."""
        if temperature <= 0 and "repeat_penalty" not in self.chosen:
            return 1.0
        return self.repeat_penalty


def sampling_defaults(settings: Settings, file: Mapping[str, Any]) -> SamplingDefaults:
    """`settings`: the model's, see own_settings. `file`: what `file_sampling` found."""
    given = dict(file)
    for name in SAMPLING:
        value = getattr(settings, name)
        if value is not None:
            given[name] = value
    return SamplingDefaults(**given, chosen=frozenset(given))


def file_sampling(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a model's file asks for. A value that cannot be is passed over with a warning."""
    found: dict[str, Any] = {}
    for key, name in _KEYS.items():
        value = metadata.get(_PREFIX + key)
        if value is None:
            continue
        field = next(one for one in msgspec.structs.fields(SamplingDefaults) if one.name == name)
        if isinstance(value, float):
            value = float(f"{value:.7g}")  # a file has 32 bits of it
        try:
            found[name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            _log.warning("%s%s of the model's file is passed over: %s", _PREFIX, key, error)
    named = metadata.get(_PREFIX + "sequence")
    if isinstance(named, str):
        known = dict.fromkeys(SAMPLERS[one] for one in named.split(";") if one in SAMPLERS)
        if known:
            found["samplers"] = tuple(known)
    return found


def file_sampling_at(path: Path) -> dict[str, Any]:
    """The same of a file that is not loaded; nothing for one that cannot be read. A header is read
    once, which takes tens of milliseconds.
    """
    try:
        facts = path.stat()
    except OSError:
        return {}
    return _read(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=256)
def _read(path: Path, _modified_ns: int, _n_bytes: int) -> dict[str, Any]:
    try:
        return file_sampling(read_header(path).metadata)
    except EngineError:
        return {}
