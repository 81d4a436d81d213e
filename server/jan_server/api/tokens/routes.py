"""/tokenize, /detokenize, /tokenizer_info: as llama-server, vLLM and lm-eval have them."""

from __future__ import annotations

from functools import partial

from litestar import get, post
from litestar.params import FromQuery, RawBody

from jan_engine import Model
from jan_server.api.tokens.schemas import (
    CountedTokens,
    NativeDetokenized,
    NativeDetokenizeRequest,
    NativePieceList,
    NativeTokenizeRequest,
    NativeTokenList,
    NativeTokenPiece,
    TokenizerInfo,
)
from jan_server.api.tokens.service import tokens_of
from jan_server.errors import ApiError
from jan_server.inference.served_model import MOST_COUNTED_BYTES, ServedModel
from jan_server.requests import HttpRequest, Models, RouteFacts, describe, read

__all__ = ["HANDLERS"]

_TOKENIZE = RouteFacts(tag="Tokens", reads=NativeTokenizeRequest, gives=CountedTokens)
_DETOKENIZE = RouteFacts(tag="Tokens", reads=NativeDetokenizeRequest, gives=NativeDetokenized)


@post("/tokenize", opt=describe(_TOKENIZE), status_code=200)
async def tokens_of_text(
    body: RawBody, request: HttpRequest, pool: Models
) -> NativeTokenList | NativePieceList | CountedTokens:
    """The tokens of a text, or of a conversation."""
    asked = await read(NativeTokenizeRequest, body, request, most_bytes=MOST_COUNTED_BYTES)
    served = await pool.lease(asked.model)
    tokens = await tokens_of(asked, served)
    with_texts = asked.return_token_strs if asked.content is None else asked.with_pieces
    work = partial(_shaped, asked, tokens, served)
    return await served.text_work.run(work, len(body)) if with_texts else work()


@post("/detokenize", opt=describe(_DETOKENIZE), status_code=200)
async def text_of_tokens(body: RawBody, request: HttpRequest, pool: Models) -> NativeDetokenized:
    """The text of these tokens."""
    asked = await read(NativeDetokenizeRequest, body, request, most_bytes=MOST_COUNTED_BYTES)
    served = await pool.lease(asked.model)
    work = partial(_text_of_all, asked.tokens, served.model)
    text = await served.text_work.run(work, len(body))
    return NativeDetokenized(text, text)


@get("/tokenizer_info", opt=describe(RouteFacts(tag="Tokens", gives=TokenizerInfo)))
async def tokenizer_info(pool: Models, model: FromQuery[str | None] = None) -> TokenizerInfo:
    """The special tokens and the chat template, for clients that make prompts themselves."""
    served = await pool.lease(model)
    vocab = served.model.vocab

    def special(token: int) -> str | None:
        return _text(token, served.model) if token >= 0 else None

    return TokenizerInfo(
        tokenizer_class=vocab.type,
        vocab_size=vocab.n_tokens,
        model_max_length=served.n_ctx,
        add_bos_token=vocab.adds_bos,
        add_eos_token=vocab.adds_eos,
        bos_token=special(vocab.bos),
        eos_token=special(vocab.eos),
        pad_token=special(vocab.pad),
        chat_template=served.template_source or None,
    )


def _shaped(
    asked: NativeTokenizeRequest, tokens: list[int], served: ServedModel
) -> NativeTokenList | NativePieceList | CountedTokens:
    model = served.model
    if asked.content is None:
        counted = CountedTokens(count=len(tokens), max_model_len=served.n_ctx, tokens=tokens)
        if asked.return_token_strs:
            counted.token_strs = [_text(token, model) for token in tokens]
        return counted
    if asked.with_pieces:
        return NativePieceList([_piece(token, model) for token in tokens])
    return NativeTokenList(tokens)


def _text_of_all(tokens: list[int], model: Model) -> str:
    for token in tokens:
        if not 0 <= token < model.vocab.n_tokens:
            message = f"tokens: {token} is outside the vocabulary"
            raise ApiError(400, "invalid_parameter", message, param="tokens")
    return model.detokenize(tokens, unparse_special=True).decode(errors="replace")


def _text(token: int, model: Model) -> str:
    return model.piece(token, special=True).decode(errors="replace")


def _piece(token: int, model: Model) -> NativeTokenPiece:
    raw = model.piece(token, special=True)
    try:
        return NativeTokenPiece(token, raw.decode())
    except UnicodeDecodeError:
        return NativeTokenPiece(token, list(raw))


HANDLERS = [tokens_of_text, text_of_tokens, tokenizer_info]
