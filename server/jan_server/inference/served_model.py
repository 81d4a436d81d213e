"""The model this process serves: loading, ready, failed, or on its way out."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from jan_engine import (
    AsyncEngine,
    Cancelled,
    ChatTemplate,
    Embedder,
    EngineError,
    EngineOptions,
    InvalidRequest,
    Model,
    Pooling,
    UnsupportedFeature,
    devices,
)
from jan_engine.memory_needs import needed_bytes
from jan_server.config import Settings
from jan_server.errors import ApiError
from jan_server.inference.adapters import Adapters
from jan_server.inference.admission import Admission
from jan_server.inference.gpu_layers import chosen_gpu_layers
from jan_server.inference.sampling_defaults import (
    SamplingDefaults,
    file_sampling,
    sampling_defaults,
)
from jan_server.inference.text_work import TextWork

__all__ = ["MOST_COUNTED_BYTES", "ServedModel"]

_log = logging.getLogger("jan_server")
_HEARTBEAT_S = 30.0  # a step of the slowest machine is shorter
_FLASH = {"auto": None, "on": True, "off": False}
_POOLING = {
    "auto": Pooling.AUTO,
    "mean": Pooling.MEAN,
    "cls": Pooling.FIRST,
    "last": Pooling.LAST,
}
MOST_COUNTED_BYTES = 4 << 20  # tokenising takes up to seventy times the memory of the text
_LONG_TEXT = 8192  # characters; what takes longer to tokenise goes to a thread
# Of vocabularies where one token may stand for any number of bytes.
_WORD_BYTES = 256
_SHORT_OF_ANY = 1 << 20


class ServedModel:
    """Everything that handlers need of the engine. Belongs to the event loop it was loaded on."""

    def __init__(self, settings: Settings, text_work: TextWork | None = None) -> None:
        """`text_work`: threads that it shares with others."""
        self.settings = settings
        self.text_work = text_work or TextWork(settings.max_queued_requests)
        self.path = Path(settings.model)
        self.id = settings.alias or self.path.name.removesuffix(".gguf")
        self.failure: Exception | None = None
        self.draining = False
        self.thinks = True  # whether a chat's template is asked for thoughts, if nobody says
        self.template_kwargs: dict[str, Any] = {}  # what it is given besides
        self.admission = Admission(settings.max_queued_tokens)
        self.adapters = Adapters()
        self._model: Model | None = None
        self._engine: AsyncEngine | None = None
        self._template: ChatTemplate | InvalidRequest | None = None
        self._sampling = SamplingDefaults()
        self._control_tokens: tuple[int, ...] | None = None
        self._embedders: dict[Pooling, asyncio.Task[Embedder]] = {}
        self._given_up = threading.Event()
        self._loaded = 0.0
        self._opening: Future[tuple[Model, AsyncEngine | None]] | None = None

    @property
    def load_progress(self) -> float:
        """From 0 to 1."""
        return 1.0 if self._model is not None else self._loaded

    @property
    def is_ready(self) -> bool:
        return self._model is not None and not self.draining

    @property
    def is_alive(self) -> bool:
        """The engine's thread came by lately."""
        if self._engine is None:
            return True
        return bool(self._engine.stats()["heartbeat_age_s"] < _HEARTBEAT_S)

    @property
    def model(self) -> Model:
        """Raises 503 while there is none."""
        return self._check_ready()

    @property
    def engine(self) -> AsyncEngine:
        """Raises 503 like `model`, and 400 for a model that only makes vectors."""
        self._check_ready()
        if self._engine is None:
            raise ApiError(400, "unsupported_feature", f"The model '{self.id}' generates no text")
        return self._engine

    @property
    def generator(self) -> AsyncEngine | None:
        """The engine, or None for a model that only makes vectors. Raises 503 like `model`."""
        self._check_ready()
        return self._engine

    @property
    def template(self) -> ChatTemplate:
        """Raises like `engine`, and 400 for a file whose own template cannot be used."""
        self._check_ready()
        template = self._template
        if not isinstance(template, ChatTemplate):
            raise ApiError(400, "unsupported_feature", f"The model cannot chat: {template}")
        return template

    @property
    def sampling(self) -> SamplingDefaults:
        """How tokens are chosen where a request does not say. Raises 503 like `model`."""
        self._check_ready()
        return self._sampling

    @property
    def n_ctx(self) -> int:
        """Tokens of the longest request."""
        model = self.model
        return model.facts.n_ctx_train if self._engine is None else self._engine.core.n_ctx

    @property
    def n_bytes(self) -> int:
        """What it takes in memory, as far as can be said: weights, KV cache, a pass. Raises 503
        like `model`.
        """
        core = None if self._engine is None else self._engine.core
        return needed_bytes(
            self.model.headers,
            n_ctx=self.n_ctx,
            n_parallel=core.n_parallel if core is not None else 0,
            n_cells=core.n_cells if core is not None else 0,
            cache_type=self.settings.cache_type,
        )

    def stats(self) -> dict[str, Any] | None:
        """The engine's; None while there is none."""
        return None if self._engine is None else self._engine.stats()

    def begin(self) -> None:
        """Read the file and start the engine, on a thread of its own: there may be no loop yet."""
        if self._opening is None:
            thread = ThreadPoolExecutor(1, thread_name_prefix="jan-open")
            self._opening = thread.submit(self._open)
            thread.shutdown(wait=False)

    async def load(self) -> None:
        """Until that is done. A failure is kept."""
        self.begin()
        assert self._opening is not None
        try:
            opened = await asyncio.wrap_future(self._opening)
            self._model, self._engine = opened
        except EngineError as error:
            self.failure = error

    async def close(self) -> None:
        """End every request there is, then the engine; or the load, if it has come no further.
        May be called again.
        """
        self.draining = True
        self._given_up.set()
        if self._engine is not None:
            await self._engine.close()

    @property
    def template_source(self) -> str:
        """Of the chat template in use; of the file's own where that cannot be used."""
        if isinstance(self._template, ChatTemplate):
            return self._template.source
        return self.model.chat_template() or ""

    async def release(self) -> None:
        """Give the memory back. Only once it is closed, and nobody computes with it."""
        for task in self._embedders.values():
            task.cancel()
        self.adapters.clear()
        held = [self._model, self._engine, self._template, self._embedders, self._opening]
        self._model, self._engine, self._template, self._opening = None, None, None, None
        self._embedders = {}
        await asyncio.to_thread(held.clear)  # unmapping gigabytes takes its time

    def refuse_what_cannot_fit(self, field: str, text: str, *, is_cut: bool = False) -> None:
        """Raises 400 where a text has more bytes than the context's tokens can have. What is left
        is tokenised and counted. `is_cut`: it may be longer, since only a part of it is read, or
        none; then 413 where it is too large even to count its tokens.
        """
        if is_cut:
            self._refuse_what_is_never_counted(text)
            return
        longest = self.model.vocab.n_longest_bytes
        most = self.n_ctx * longest if longest else max(self.n_ctx * _WORD_BYTES, _SHORT_OF_ANY)
        n_bytes = len(text) if len(text) > most else len(text.encode(errors="surrogatepass"))
        if n_bytes > most:
            raise ApiError(
                400,
                "context_length_exceeded",
                f"{field}: a text of at least {n_bytes} bytes does not fit a context of "
                f"{self.n_ctx} tokens",
                param=field,
            )

    def _refuse_what_is_never_counted(self, text: str) -> None:
        if len(text) > MOST_COUNTED_BYTES:
            message = f"A text of more than {MOST_COUNTED_BYTES >> 20} MiB is not read"
            raise ApiError(413, "request_too_large", message)

    async def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Raises 413 for a text that is too large whatever it is for."""
        self._refuse_what_is_never_counted(text)
        work = partial(
            self.model.tokenize, text, add_special=add_special, parse_special=parse_special
        )
        return work() if len(text) < _LONG_TEXT else await self.text_work.run(work, len(text))

    @property
    def pooling(self) -> Pooling:
        """Of embeddings."""
        return _POOLING[self.settings.pooling]

    async def control_tokens(self) -> tuple[int, ...]:
        """Tokens that have no text in an answer unless a request asks for it, but for those that
        end it. Found on another thread when they are first asked for.
        """
        if self._control_tokens is None:
            self._control_tokens = await asyncio.to_thread(_control_tokens, self.model)
        return self._control_tokens

    async def embedder(self, pooling: Pooling) -> Embedder:
        """Made when it is first asked for: it has a context of its own."""
        task = self._embedders.get(pooling)
        if task is None:
            n_threads = self.settings.threads
            task = self._embedders[pooling] = asyncio.create_task(
                asyncio.to_thread(Embedder, self.model, n_threads=n_threads, pooling=pooling)
            )
        try:
            return await asyncio.shield(task)
        except EngineError:
            self._embedders.pop(pooling, None)  # the next caller may find more memory
            raise

    def _check_ready(self) -> Model:
        if self._model is None:
            raise _not_now("model_not_ready", f"The model '{self.id}' is being loaded")
        return self._model

    def _open(self) -> tuple[Model, AsyncEngine | None]:
        settings = self.settings
        model = Model(
            self.path,
            n_gpu_layers=chosen_gpu_layers(self.path, settings, devices()),
            mmap="mmap" in settings.load_mode,
            mlock="mlock" in settings.load_mode,
            check_tensors=settings.check_tensors,
            repack=settings.repack,
            matrix_kernels=settings.jan_kernels,
            on_progress=self._stop_if_given_up,
        )
        _ = model.vocab  # looks at every token once: here, not at the first request
        self._template = self._read_template(model)
        self._read_template_kwargs()
        self._sampling = sampling_defaults(settings, file_sampling(model.header.metadata))
        self.adapters.open(model, settings.lora, apply=not settings.lora_init_without_apply)
        n_ctx_train = model.facts.n_ctx_train
        options = EngineOptions(
            n_parallel=settings.parallel,
            n_ctx=min(settings.ctx_size or n_ctx_train, n_ctx_train),
            n_ubatch=settings.ubatch_size,
            n_threads=settings.threads,
            adapt_threads=settings.adapt_threads,
            cache_type=settings.cache_type,
            max_waiting=settings.max_queued_requests,
            speculation=settings.speculation,
            flash_attention=_FLASH[settings.flash_attn],
        )
        try:
            return model, AsyncEngine(model, options)
        except UnsupportedFeature:
            return model, None  # an encoder

    def _read_template_kwargs(self) -> None:
        """Raises InvalidRequest for a setting that is no object."""
        text = self.settings.chat_template_kwargs
        try:
            given = msgspec.json.decode(text or "{}", type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidRequest(f"chat_template_kwargs: {text} is no JSON object") from None
        self.thinks = self.settings.reasoning != "off" and given.pop("enable_thinking", True)
        self.template_kwargs = given

    def _read_template(self, model: Model) -> ChatTemplate | InvalidRequest:
        """One that was given has to be right; a file's own that is not costs the chat only."""
        source, path = self.settings.chat_template, self.settings.chat_template_file
        if path:
            try:
                source = Path(path).read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidRequest(f"chat_template_file: {path}: {error}") from None
        try:
            return ChatTemplate(model, source=source)
        except InvalidRequest as error:
            if source:
                raise
            _log.warning("the model's chat template cannot be used: %s", error)
            return error

    def _stop_if_given_up(self, fraction: float) -> None:
        self._loaded = fraction
        if self._given_up.is_set():
            raise Cancelled("the server ends")


def _control_tokens(model: Model) -> tuple[int, ...]:
    ends = set(model.vocab.end_of_generation)
    return tuple(
        token
        for token in range(model.vocab.n_tokens)
        if token not in ends and not model.piece(token) and model.piece(token, special=True)
    )


def _not_now(code: str, message: str) -> ApiError:
    return ApiError(503, code, message, headers={"Retry-After": "1"})
