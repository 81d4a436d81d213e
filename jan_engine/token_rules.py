"""Which tokens a request may have, beyond its sampling and its constraint."""

from __future__ import annotations

import msgspec

from jan_engine.native_int import native_int, token_ids

__all__ = ["ThoughtLimit", "TokenRules", "read_rules", "read_thought"]


class TokenRules(msgspec.Struct, frozen=True, kw_only=True):
    allowed: tuple[int, ...] = ()  # only these; empty: all
    banned: tuple[tuple[int, ...], ...] = ()  # the last of each never comes after the others
    ends: tuple[int, ...] = ()  # end the text, and are not in it
    min_tokens: int = 0  # so many come before one of `ends`


class ThoughtLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Of reasoning between tags: after so many tokens it is made to end."""

    most: int  # tokens, from the beginning of the reasoning
    begun: bool = False  # the prompt ends inside it
    start: str = ""  # looked for in the text, as the ends are
    ends: tuple[str, ...] = ()
    close: tuple[int, ...]  # tokens that are written then


def read_rules(
    given: TokenRules | None,
) -> tuple[list[int], list[list[int]], list[int], int] | None:
    if given is None:
        return None
    return (
        token_ids("allowed_token_ids", list(given.allowed)),
        [token_ids("bad_words", list(one)) for one in given.banned],
        token_ids("stop_token_ids", list(given.ends)),
        native_int("min_tokens", given.min_tokens),
    )


def read_thought(
    given: ThoughtLimit | None,
) -> tuple[int, bool, bytes, list[bytes], list[int]] | None:
    if given is None:
        return None
    return (
        native_int("thought", given.most),
        given.begun,
        given.start.encode(),
        [tag.encode() for tag in given.ends],
        token_ids("thought", list(given.close)),
    )
