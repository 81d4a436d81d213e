"""One choice's text as a message, while it comes."""

from __future__ import annotations

from jan_engine import ChatDelta, ChatMessage, ChatPrompt, Event, Model
from jan_server.inference.choice import Choice

__all__ = ["ChatReader"]


class ChatReader:
    """Reads the events of one choice. All its deltas together are `message`."""

    def __init__(self, prompt: ChatPrompt, choice: Choice) -> None:
        self.choice = choice
        self._parser = prompt.parser()

    def read(self, event: Event) -> list[ChatDelta]:
        deltas = self._parser.feed(event.text) if event.text else []
        return deltas + self._parser.finish() if event.finish is not None else deltas

    async def read_all(self) -> None:
        """The choice to its end."""
        await self.choice.read()
        self._parser.feed(self.choice.text)
        self._parser.finish()

    @property
    def message(self) -> ChatMessage:
        return self._parser.message

    @property
    def finish_reason(self) -> str:
        """A call that broke off is for nobody to make."""
        reason = self.choice.finish_reason
        return "tool_calls" if reason == "stop" and self.message.tool_calls else reason

    def n_reasoning_tokens(self, model: Model) -> int:
        """Counted again from the text, since a token does not know which part it belongs to."""
        text = self.message.reasoning_content
        return len(model.tokenize(text, add_special=False, parse_special=True)) if text else 0
