"""One sequence through a model, token by token, always the most likely one."""

from __future__ import annotations

from collections.abc import Iterator

from jan_engine import _core, log
from jan_engine.errors import InvalidRequest, ModelError
from jan_engine.model import Model
from jan_engine.native_int import native_int, token_ids

__all__ = ["GreedyRunner"]


class GreedyRunner:
    """A context of its own over a shared model. For one thread."""

    def __init__(
        self,
        model: Model,
        *,
        n_ctx: int = 0,
        n_ubatch: int = 512,
        n_threads: int = 0,
        cache_type: str = "f16",
        flash_attention: bool | None = None,
    ) -> None:
        """`n_ctx` 0 takes the model's own length; a table of positions is a limit to any.

        `n_threads` 0 takes one per physical core, or fewer where a container has less processor
        time than that. `flash_attention` None takes it where the device has it.
        """
        self.model = model
        try:
            self.core = _core.Runner(
                model.core,
                n_ctx=native_int("n_ctx", n_ctx),
                n_ubatch=native_int("n_ubatch", n_ubatch),
                n_threads=native_int("n_threads", n_threads),
                n_positions=model.n_positions,
                cache_type=cache_type.encode(),
                flash_attention=-1 if flash_attention is None else int(flash_attention),
            )
        except ModelError as error:
            error.path = str(model.path)
            raise
        finally:
            log.forward()

    def generate(self, prompt: list[int], max_tokens: int | None = None) -> Iterator[int]:
        """The tokens after the prompt, until the model ends its turn or the context is full.

        The end-of-generation token itself is not given.
        """
        if not prompt:
            raise InvalidRequest("prompt: there are no tokens to start from")
        token_ids("prompt", prompt)
        self.core.clear()
        room = self.core.n_ctx - len(prompt)
        n_left = room if max_tokens is None else min(max_tokens, room)
        self.core.feed(prompt)
        while n_left > 0:
            token = self.core.argmax()
            if self.model.is_end_of_generation(token):
                return
            yield token
            n_left -= 1
            if n_left > 0:
                self.core.feed([token])
