"""How a request's tokens are drawn: its own fields, then the defaults in force."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from jan_engine import Model, Sampler, Sampling, TokenRules
from jan_server.errors import ApiError
from jan_server.inference.generation import GenerationFields
from jan_server.inference.sampling_defaults import SAMPLERS
from jan_server.inference.served_model import ServedModel

__all__ = ["drawing_of", "rules_of", "sampling_of"]

# The seed's default does not name the penalties and has a repeat_penalty of 1.1: where it is
# given, word for word, it stands for the default order.
_DEFAULT_SAMPLERS = ["dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]
_LETTERS = {  # llama-server's, of --sampler-seq
    "d": Sampler.DRY,
    "k": Sampler.TOP_K,
    "y": Sampler.TYPICAL_P,
    "p": Sampler.TOP_P,
    "s": Sampler.TOP_N_SIGMA,
    "m": Sampler.MIN_P,
    "t": Sampler.TEMPERATURE,
    "x": Sampler.XTC,
    "i": Sampler.INFILL,
    "e": Sampler.PENALTIES,
    "a": Sampler.ADAPTIVE_P,
}
_N_SEEDS = 2**32 - 1
_MOST_BIASES = 200_000  # of all choices together
_MOST_BIAS_BYTES = 256 * 1024  # of the texts that are given in place of token ids
_AS_THEY_ARE = (  # under one name in a request and in Sampling, where there is no other default
    "dynatemp_range",
    "dynatemp_exponent",
    "typical_p",
    "top_n_sigma",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_penalty_last_n",
    "adaptive_target",
    "adaptive_decay",
    "min_keep",
    "min_tokens",
)
_WITH_DEFAULTS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_last_n",
    "xtc_probability",
    "xtc_threshold",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
)


def sampling_of(fields: GenerationFields, served: ServedModel, choice: int) -> Sampling:
    """How the tokens of one choice are drawn. Raises 400 for a sampler or a token nobody knows."""
    usual = served.sampling
    given: dict[str, Any] = {}
    for name in _AS_THEY_ARE:
        value = getattr(fields, name)
        if value is not None:
            given[name] = value
    for name in _WITH_DEFAULTS:
        value = getattr(fields, name)
        given[name] = getattr(usual, name) if value is None else value
    if fields.mirostat is None and fields.mirostat_mode is not None:
        given["mirostat"] = fields.mirostat_mode
    penalty = fields.repetition_penalty if fields.repeat_penalty is None else fields.repeat_penalty
    draws = given["temperature"] + given.get("dynatemp_range", 0.0)
    given["repeat_penalty"] = usual.repeat_penalty_at(draws) if penalty is None else penalty
    if fields.dry_sequence_breakers is not None:
        given["dry_sequence_breakers"] = _breakers(fields.dry_sequence_breakers)
    samplers = usual.samplers if fields.samplers is None else _samplers(fields.samplers)
    if samplers is not None:
        given["samplers"] = samplers
    if fields.adaptive_target is not None and samplers is None:
        given["samplers"] = (*Sampling().samplers, Sampler.ADAPTIVE_P)
    if fields.logit_bias:
        given["logit_bias"] = _biases(fields, served.model)
    given["seed"] = _seed_of(fields, choice)
    return Sampling(**given)


def _seed_of(fields: GenerationFields, choice: int) -> int | None:
    """The choices of a request differ, and differ the same each time. Seeds have 32 bits here."""
    if fields.seed is None or fields.seed < 0:
        return None
    return (fields.seed + choice) % _N_SEEDS


async def drawing_of(
    fields: GenerationFields, served: ServedModel, n_choices: int
) -> tuple[list[Sampling], TokenRules | None]:
    """How the tokens of every choice are drawn, and which may come: looked up once, away from the
    event loop where texts are tokenised for it. Raises 400 like `sampling_of` and `rules_of`.
    """

    def look_up() -> tuple[Sampling, TokenRules | None]:
        return sampling_of(fields, served, 0), rules_of(fields, served.model)

    if fields.logit_bias or fields.bad_words:
        first, rules = await served.text_work.run(look_up, _MOST_BIAS_BYTES)
    else:
        first, rules = look_up()
    if len(first.logit_bias) * n_choices > _MOST_BIASES:
        why = f"{len(first.logit_bias)} tokens in {n_choices} choices are more than {_MOST_BIASES}"
        raise _wrong("logit_bias", why)
    further = [
        first
        if first.seed is None
        else msgspec.structs.replace(first, seed=_seed_of(fields, choice))
        for choice in range(1, n_choices)
    ]
    return [first, *further], rules


def rules_of(fields: GenerationFields, model: Model) -> TokenRules | None:
    """Which tokens may come, as vLLM's clients say it. A word is banned as the tokenizer writes it,
    at the beginning of a text and after a space. Raises 400 for lists that are empty.
    """
    if fields.allowed_token_ids is not None and not fields.allowed_token_ids:
        raise _wrong("allowed_token_ids", "is empty: no token may come")
    if not (fields.allowed_token_ids or fields.bad_words or fields.stop_token_ids):
        return None
    banned: dict[tuple[int, ...], None] = {}
    for word in fields.bad_words or []:
        if not word.strip():
            raise _wrong("bad_words", "a word is empty")
        for text in (word, " " + word.lstrip()):
            banned[tuple(model.tokenize(text, add_special=False))] = None
    return TokenRules(
        allowed=tuple(fields.allowed_token_ids or ()),
        banned=tuple(banned),
        ends=tuple(fields.stop_token_ids or ()),
        min_tokens=fields.min_tokens or 0,
    )


def _wrong(param: str, message: str) -> ApiError:
    return ApiError(400, "invalid_parameter", f"{param}: {message}", param=param)


def _breakers(texts: list[str]) -> tuple[str, ...]:
    """The seed prints a newline as a backslash and an n; both are understood."""
    return tuple("\n" if text == "\\n" else text for text in texts)


def _samplers(names: list[str] | str) -> tuple[Sampler, ...] | None:
    """None for the order that is the default."""
    if names == _DEFAULT_SAMPLERS:
        return None
    known = _LETTERS if isinstance(names, str) else SAMPLERS
    unknown = [name for name in names if name not in known]
    if unknown:
        raise _wrong("samplers", f"there is no {unknown[0]!r}")
    return tuple(known[name] for name in names)


def _biases(fields: GenerationFields, model: Model) -> dict[int, float]:
    """By token id. A text stands for each of its tokens, `false` for a ban."""
    given = fields.logit_bias or {}
    are_ids = isinstance(given, dict) and fields.logit_bias_type != "tokens"
    pairs = given.items() if isinstance(given, dict) else given
    n_bytes = sum(
        len(key.encode(errors="surrogatepass")) for key, _ in pairs if isinstance(key, str)
    )
    if not are_ids and n_bytes > _MOST_BIAS_BYTES:
        raise _wrong("logit_bias", f"texts of more than {_MOST_BIAS_BYTES // 1024} KiB together")
    biases: dict[int, float] = {}
    for key, bias in pairs:
        if bias is True:
            raise _wrong("logit_bias", "a bias is a number, or false")
        number = -math.inf if bias is False else float(bias)
        if number != -math.inf and not -100 <= number <= 100:
            raise _wrong("logit_bias", f"{number} is not between -100 and 100")
        for token in _tokens_of(key, model, are_ids=are_ids):
            biases[token] = biases.get(token, 0.0) + number
    return biases


def _tokens_of(key: int | str, model: Model, *, are_ids: bool) -> list[int]:
    if isinstance(key, int):
        return [key]
    if not are_ids:
        return model.tokenize(key, add_special=False)
    if not (key.isascii() and key.isdecimal() and len(key) < 10):
        raise _wrong("logit_bias", f"{key!r} is not a token id")
    return [int(key)]
