"""/extras: text to tokens and back."""

from __future__ import annotations

from litestar import post
from litestar.params import RawBody

from jan_engine import InvalidRequest, Model
from jan_server.api.extras.schemas import (
    Detokenized,
    DetokenizeRequest,
    PieceList,
    TokenCount,
    TokenizeRequest,
    TokenList,
    TokenPiece,
)
from jan_server.inference.served_model import ServedModel
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["count_tokens", "detokenize", "tokenize"]

_TOKENIZE = RouteFacts(tag="Extras", reads=TokenizeRequest, gives=TokenList, wrong_value=422)
_COUNT = RouteFacts(tag="Extras", reads=TokenizeRequest, gives=TokenCount, wrong_value=422)
_DETOKENIZE = RouteFacts(tag="Extras", reads=DetokenizeRequest, gives=Detokenized, wrong_value=422)


@post("/extras/tokenize", opt=describe(_TOKENIZE), status_code=200)
async def tokenize(body: RawBody, request: HttpRequest, pool: Models) -> TokenList | PieceList:
    """The tokens of a text."""
    asked = read(TokenizeRequest, body, request)
    served = await pool.lease(asked.model)
    tokens = await _tokens(asked, served)
    if asked.with_pieces:
        return PieceList([_piece(token, served.model) for token in tokens])
    return TokenList(tokens)


@post("/extras/tokenize/count", opt=describe(_COUNT), status_code=200)
async def count_tokens(body: RawBody, request: HttpRequest, pool: Models) -> TokenCount:
    """How many tokens a text has."""
    asked = read(TokenizeRequest, body, request)
    return TokenCount(len(await _tokens(asked, await pool.lease(asked.model))))


@post("/extras/detokenize", opt=describe(_DETOKENIZE), status_code=200)
async def detokenize(body: RawBody, request: HttpRequest, pool: Models) -> Detokenized:
    """The text of these tokens."""
    asked = read(DetokenizeRequest, body, request)
    model = (await pool.lease(asked.model)).model
    for token in asked.tokens:
        if not 0 <= token < model.vocab.n_tokens:
            raise InvalidRequest(f"tokens: {token} is outside the vocabulary")
    text = model.detokenize(asked.tokens, unparse_special=True)
    return Detokenized(text.decode(errors="replace"))


async def _tokens(asked: TokenizeRequest, served: ServedModel) -> list[int]:
    return await served.tokenize(
        asked.input,
        add_special=bool(asked.add_special),
        parse_special=asked.parse_special is not False,
    )


def _piece(token: int, model: Model) -> TokenPiece:
    raw = model.piece(token, special=True)
    try:
        return TokenPiece(token, raw.decode())
    except UnicodeDecodeError:
        return TokenPiece(token, list(raw))
