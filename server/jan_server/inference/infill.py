"""Filling a gap: what comes before and after it, in the order a model of code was trained on."""

from __future__ import annotations

from collections.abc import Sequence

from jan_engine import Model
from jan_server.errors import ApiError
from jan_server.inference.served_model import ServedModel

__all__ = ["around_gap", "infill_tokens"]

_MOST_AROUND = 2048  # tokens next to the gap, of which three parts of four stand before it
_REPOSITORY = "myproject\n"  # as llama-server calls it
_FILE = "filename\n"
_SNIPPET = "\n\n--- snippet ---\n\n"  # before an extra, for models without a token for files


def around_gap(prefix: str, suffix: str, model: Model, *, suffix_first: bool = False) -> list[int]:
    """The prompt whose answer belongs between the two. Raises 400 where a model knows no gaps."""
    _check_gaps(model, "suffix")
    before, after = (
        model.tokenize(text, add_special=False, parse_special=False) for text in (prefix, suffix)
    )
    return _joined(model, before, after, suffix_first=suffix_first)


async def infill_tokens(
    prefix: str,
    suffix: str,
    extra: Sequence[tuple[str, str]],
    begun: str,
    *,
    n_new: int,
    served: ServedModel,
) -> list[int]:
    """llama-server's prompt of a gap: `extra` are names and texts of further files, `begun` what
    the gap begins with. What is farthest from the gap is left out where the context, less the
    `n_new` tokens to come, does not hold it.
    """
    model = served.model
    _check_gaps(model, "input_prefix")

    async def tokens(text: str, *, parse_special: bool = False) -> list[int]:
        return await served.tokenize(text, add_special=False, parse_special=parse_special)

    n_room = max(64, served.n_ctx - n_new)
    n_around = min(_MOST_AROUND, n_room)
    opening = await tokens(begun, parse_special=True)
    before = (await tokens(prefix))[-(3 * (n_around // 4)) :]
    after = (await tokens(suffix))[: max(0, n_around // 4 - (4 + len(opening)))]
    first = served.settings.spm_infill
    near = _joined(model, [*before, *opening], after, suffix_first=first)
    vocab = model.vocab
    far: list[int] = []
    if vocab.fim_rep >= 0:
        far += [vocab.fim_rep, *await tokens(_REPOSITORY)]
    for name, text in extra:
        if vocab.fim_sep >= 0:
            far += [vocab.fim_sep, *await tokens(f"{name}\n")]
        else:
            far += await tokens(_SNIPPET)
        far += await tokens(text)
    if vocab.fim_sep >= 0:
        far += [vocab.fim_sep, *await tokens(_FILE)]
    n_far = max(0, n_room - len(near))
    return [*(far[-n_far:] if n_far else []), *near]


def _joined(model: Model, before: list[int], after: list[int], *, suffix_first: bool) -> list[int]:
    vocab = model.vocab
    opening = [vocab.bos] if vocab.adds_bos and vocab.bos >= 0 else []
    parts = [[vocab.fim_pre, *before], [vocab.fim_suf, *after]]
    if suffix_first:
        parts.reverse()
    return [*opening, *parts[0], *parts[1], vocab.fim_mid]


def _check_gaps(model: Model, param: str) -> None:
    vocab = model.vocab
    if min(vocab.fim_pre, vocab.fim_suf, vocab.fim_mid) < 0:
        message = f"{param}: the model has no tokens that stand around a gap"
        raise ApiError(400, "unsupported_feature", message, param=param)
