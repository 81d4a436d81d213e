"""How the tokens of a request are chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from math import inf

import msgspec

from jan_engine import _core
from jan_engine.errors import InvalidRequest
from jan_engine.native_int import native_float, native_int

__all__ = ["Sampler", "Sampling", "read_sampling"]

_RANDOM_SEED = 2**32 - 1  # random_seed in csrc/sampling/sampling_params.h


class Sampler(StrEnum):
    """What may stand in Sampling.samplers."""

    PENALTIES = "penalties"
    DRY = "dry"
    TOP_N_SIGMA = "top_n_sigma"
    TOP_K = "top_k"
    TYPICAL_P = "typical_p"
    TOP_P = "top_p"
    MIN_P = "min_p"
    XTC = "xtc"
    TEMPERATURE = "temperature"
    INFILL = "infill"  # after a top_k of at most 128
    ADAPTIVE_P = "adaptive_p"  # always comes last, wherever it stands


_KINDS = {name: kind for kind, name in enumerate(Sampler)}  # enum class sampler_kind, in its order


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens are drawn. As it stands: from all that the model says, as the model says it."""

    seed: int | None = None  # 0 to 2**32 - 2, the same gives the same text; None: a random one
    temperature: float = 1.0  # 0: the most likely of what is left, while TEMPERATURE is in samplers
    dynatemp_range: float = 0.0  # the temperature follows how sure the model is, so far
    dynatemp_exponent: float = 1.0
    top_k: int = 0  # 0: all
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    top_n_sigma: float = -1.0  # 0 or below: off
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1  # above 0.5: off
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_last_n: int = 64  # tokens that the three look back; -1: all
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0  # 1 or 2: instead of all samplers but temperature
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    adaptive_target: float = -1.0  # with ADAPTIVE_P among the samplers
    adaptive_decay: float = 0.9
    # Added to the token's logit, or to those of all tokens of a text; -inf or False bans them.
    logit_bias: Mapping[int, float] | Mapping[str, float] | Mapping[int | str, float] = {}
    min_keep: int = 0  # candidates that the truncating samplers leave
    min_tokens: int = 0  # so many come before one that ends the text
    samplers: tuple[Sampler, ...] = (  # each at most once
        Sampler.PENALTIES,
        Sampler.DRY,
        Sampler.TOP_N_SIGMA,
        Sampler.TOP_K,
        Sampler.TYPICAL_P,
        Sampler.TOP_P,
        Sampler.MIN_P,
        Sampler.XTC,
        Sampler.TEMPERATURE,
    )


def read_sampling(given: Sampling, tokenize: Callable[[str], list[int]]) -> _core.SamplingParams:
    """For native code, which checks what the values mean."""
    seed = _RANDOM_SEED if given.seed is None else given.seed
    if given.seed is not None and not 0 <= seed < _RANDOM_SEED:
        raise InvalidRequest(f"seed: {seed} is not between 0 and {_RANDOM_SEED - 1}")
    unknown = [name for name in given.samplers if name not in _KINDS]
    if unknown:
        raise InvalidRequest(f"samplers: there is no {unknown[0]!r}")
    return _core.SamplingParams(
        seed=seed,
        temperature=native_float("temperature", given.temperature),
        dynatemp_range=native_float("dynatemp_range", given.dynatemp_range),
        dynatemp_exponent=native_float("dynatemp_exponent", given.dynatemp_exponent),
        top_k=native_int("top_k", given.top_k),
        top_p=native_float("top_p", given.top_p),
        min_p=native_float("min_p", given.min_p),
        typical_p=native_float("typical_p", given.typical_p),
        top_n_sigma=native_float("top_n_sigma", given.top_n_sigma),
        xtc_probability=native_float("xtc_probability", given.xtc_probability),
        xtc_threshold=native_float("xtc_threshold", given.xtc_threshold),
        repeat_penalty=native_float("repeat_penalty", given.repeat_penalty),
        frequency_penalty=native_float("frequency_penalty", given.frequency_penalty),
        presence_penalty=native_float("presence_penalty", given.presence_penalty),
        repeat_last_n=native_int("repeat_last_n", given.repeat_last_n),
        dry_multiplier=native_float("dry_multiplier", given.dry_multiplier),
        dry_base=native_float("dry_base", given.dry_base),
        dry_allowed_length=native_int("dry_allowed_length", given.dry_allowed_length),
        dry_penalty_last_n=native_int("dry_penalty_last_n", given.dry_penalty_last_n),
        mirostat=native_int("mirostat", given.mirostat),
        mirostat_tau=native_float("mirostat_tau", given.mirostat_tau),
        mirostat_eta=native_float("mirostat_eta", given.mirostat_eta),
        adaptive_target=native_float("adaptive_target", given.adaptive_target),
        adaptive_decay=native_float("adaptive_decay", given.adaptive_decay),
        min_keep=native_int("min_keep", given.min_keep),
        min_tokens=native_int("min_tokens", given.min_tokens),
        dry_sequence_breakers=[
            text.encode("utf-8", "replace") for text in given.dry_sequence_breakers
        ],
        biases=[
            (native_int("logit_bias", token), _bias(bias))
            for key, bias in given.logit_bias.items()
            for token in (tokenize(key) if isinstance(key, str) else [key])
        ],
        order=[_KINDS[name] for name in given.samplers],
    )


def _bias(bias: float) -> float:
    if not isinstance(bias, bool):
        return native_float("logit_bias", bias)
    if bias:
        raise InvalidRequest("logit_bias: True is neither a number nor False, which bans")
    return -inf
