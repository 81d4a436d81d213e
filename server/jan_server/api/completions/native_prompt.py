"""llama-server's prompts as those of a completion: texts and tokens mix, and gaps have extras."""

from __future__ import annotations

from jan_server.api.completions.native import InfillRequest, NativeRequest
from jan_server.api.completions.schemas import PromptWithMedia
from jan_server.errors import ApiError
from jan_server.inference.infill import infill_tokens
from jan_server.inference.mixed_prompt import mixed_tokens
from jan_server.inference.pool import Pool
from jan_server.inference.served_model import ServedModel

__all__ = ["as_tokens", "infill_prompt"]


async def as_tokens(
    asked: NativeRequest, pool: Pool
) -> str | list[str | int | list[int]] | PromptWithMedia:
    """A list of texts and tokens is one prompt; a list with lists or objects is several."""
    given = asked.prompt
    if isinstance(given, str | PromptWithMedia):
        return given
    served = await pool.lease(asked.model)
    flat = [one for one in given if isinstance(one, str | int)]
    if len(flat) < len(given):
        return [await _one(one, served) for one in given]
    if all(isinstance(one, str) for one in flat):
        return list(flat)
    return [*await _mixed(flat, served)]


async def infill_prompt(asked: InfillRequest, pool: Pool) -> list[str | int | list[int]]:
    served = await pool.lease(asked.model)
    n_new = asked.n_predict if asked.n_predict is not None else asked.max_tokens
    return [
        *await infill_tokens(
            asked.input_prefix,
            asked.input_suffix,
            [(extra.filename, extra.text) for extra in asked.input_extra or []],
            asked.prompt or "",
            n_new=max(0, n_new or 0),
            served=served,
        )
    ]


async def _one(
    given: str | int | list[str | int] | PromptWithMedia, served: ServedModel
) -> str | list[int]:
    if isinstance(given, PromptWithMedia):
        if given.multimodal_data:
            message = "prompt: the model reads text only"
            raise ApiError(400, "invalid_parameter", message, param="prompt")
        return given.prompt_string
    if isinstance(given, str):
        return given
    return await _mixed([given] if isinstance(given, int) else given, served)


async def _mixed(given: list[str | int], served: ServedModel) -> list[int]:
    for part in given:
        if isinstance(part, str):
            served.refuse_what_cannot_fit("prompt", part)
    return await mixed_tokens(given, served, add_special=True, parse_special=True)
