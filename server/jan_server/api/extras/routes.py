"""/extras: text to tokens and back."""

from __future__ import annotations

from functools import partial

import msgspec
from litestar import Response, post
from litestar.params import RawBody

from jan_engine import InvalidRequest, Model
from jan_server.api.extras.schemas import (
    Detokenized,
    DetokenizeRequest,
    TokenCount,
    TokenizeRequest,
    TokenList,
    TokenPiece,
)
from jan_server.inference.served_model import MOST_COUNTED_BYTES, ServedModel
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["count_tokens", "detokenize", "tokenize"]

_TOKENIZE = RouteFacts(tag="Extras", reads=TokenizeRequest, gives=TokenList, wrong_value=422)
_COUNT = RouteFacts(tag="Extras", reads=TokenizeRequest, gives=TokenCount, wrong_value=422)
_AT_ONCE = 10_000
_DETOKENIZE = RouteFacts(tag="Extras", reads=DetokenizeRequest, gives=Detokenized, wrong_value=422)


@post("/extras/tokenize", opt=describe(_TOKENIZE), status_code=200)
async def tokenize(
    body: RawBody, request: HttpRequest, pool: Models
) -> TokenList | Response[bytes]:
    """The tokens of a text."""
    asked = await read(TokenizeRequest, body, request, most_bytes=MOST_COUNTED_BYTES)
    served = await pool.lease(asked.model)
    tokens = await _tokens(asked, served)
    if not asked.with_pieces:
        return TokenList(tokens)
    work = partial(_pieces, tokens, served.model)
    return Response(await served.text_work.run(work, len(body)), media_type="application/json")


@post("/extras/tokenize/count", opt=describe(_COUNT), status_code=200)
async def count_tokens(body: RawBody, request: HttpRequest, pool: Models) -> TokenCount:
    """How many tokens a text has."""
    asked = await read(TokenizeRequest, body, request, most_bytes=MOST_COUNTED_BYTES)
    return TokenCount(len(await _tokens(asked, await pool.lease(asked.model))))


@post("/extras/detokenize", opt=describe(_DETOKENIZE), status_code=200)
async def detokenize(body: RawBody, request: HttpRequest, pool: Models) -> Detokenized:
    """The text of these tokens."""
    asked = await read(DetokenizeRequest, body, request, most_bytes=MOST_COUNTED_BYTES)
    served = await pool.lease(asked.model)
    work = partial(_text, asked.tokens, served.model)
    return Detokenized(await served.text_work.run(work, len(body)))


async def _tokens(asked: TokenizeRequest, served: ServedModel) -> list[int]:
    return await served.tokenize(
        asked.input,
        add_special=bool(asked.add_special),
        parse_special=asked.parse_special is not False,
    )


def _text(tokens: list[int], model: Model) -> str:
    for token in tokens:
        if not 0 <= token < model.vocab.n_tokens:
            raise InvalidRequest(f"tokens: {token} is outside the vocabulary")
    return model.detokenize(tokens, unparse_special=True).decode(errors="replace")


def _pieces(tokens: list[int], model: Model) -> bytes:
    """JSON of a PieceList, made bit by bit, since each bit is made while nothing else runs."""
    parts = (
        msgspec.json.encode([_piece(token, model) for token in tokens[at : at + _AT_ONCE]])[1:-1]
        for at in range(0, len(tokens), _AT_ONCE)
    )
    return b'{"tokens":[' + b",".join(parts) + b"]}"


def _piece(token: int, model: Model) -> TokenPiece:
    raw = model.piece(token, special=True)
    try:
        return TokenPiece(token, raw.decode())
    except UnicodeDecodeError:
        return TokenPiece(token, list(raw))
