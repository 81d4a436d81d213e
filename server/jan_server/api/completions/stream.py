"""A completion as it is generated: from the engine's events to frames."""

from __future__ import annotations

from functools import partial

from jan_engine import Event
from jan_server.answers import Frames
from jan_server.api.completions.schemas import CompletionChoice
from jan_server.api.completions.service import CompletionJob
from jan_server.aside import aside
from jan_server.inference.choice import Choice
from jan_server.inference.details import reading_progress, timings_so_far, usage_of
from jan_server.inference.probabilities import CompletionLogprobs
from jan_server.sse import TextFrame

__all__ = ["stream_completion"]

_SHORT_PROMPT = 100  # tokens whose log-probabilities are shaped in a millisecond


async def stream_completion(job: CompletionJob, frames: Frames) -> None:
    """Every choice side by side, then the usage if it was asked for."""
    asked = job.asked
    plain = not (job.wants_logprobs or asked.tells_more_than_text)

    async def send(choice: Choice) -> None:
        await (_send_plain if plain else _send_in_detail)(job, choice, frames)

    await job.choices.each(send)
    if asked.stream_options is not None and asked.stream_options.include_usage:
        chunk = job.answer([])
        chunk.usage = usage_of(job.choices.all, len(job.prompts))
        if bytes_ := job.frame(chunk):
            await frames.emit(bytes_)


async def _send_plain(job: CompletionJob, choice: Choice, frames: Frames) -> None:
    """The common case: nothing changes from frame to frame but the text."""
    of_text = TextFrame(job.answer([CompletionChoice(text=TextFrame.MARK, index=choice.index)]))
    echo = job.echoed(choice)
    async for event in choice.stream:
        choice.take(event)
        if echo:
            event.text, echo = echo + event.text, ""
        if event.finish is None:
            if event.text:
                await frames.emit(of_text.of(event.text))
        else:
            last = CompletionChoice(text=event.text, index=choice.index)
            await frames.emit(_last_frame(job, choice, last))


async def _send_in_detail(job: CompletionJob, choice: Choice, frames: Frames) -> None:
    asked = job.asked
    echo = job.echoed(choice)
    async for event in choice.stream:
        choice.take(event)
        choice.text += event.text  # which the log-probabilities of the last one are cut to
        if event.progress is not None:
            chunk = job.answer([CompletionChoice(text="", index=choice.index)])
            chunk.prompt_progress = reading_progress(choice, event.progress)
            if bytes_ := job.frame(chunk):
                await frames.emit(bytes_)
            if not event.tokens and event.finish is None:
                continue
        shaped = CompletionChoice(
            text=echo + event.text,
            index=choice.index,
            logprobs=await _logprobs(job, choice, event),
        )
        echo = ""
        if event.finish is not None:
            if bytes_ := _last_frame(job, choice, shaped, event.tokens):
                await frames.emit(bytes_)
        elif event.text or event.tokens:
            chunk = job.answer([shaped])
            if asked.return_tokens:
                chunk.tokens = event.tokens
            if asked.timings_per_token:
                chunk.timings = timings_so_far(choice)
            if bytes_ := job.frame(chunk):
                await frames.emit(bytes_)


def _last_frame(
    job: CompletionJob, choice: Choice, shaped: CompletionChoice, tokens: list[int] | None = None
) -> bytes:
    shaped.finish_reason = choice.finish_reason
    chunk = job.answer([shaped])
    if job.served.settings.reply_details:
        job.add_details(chunk, [choice])
    if job.asked.return_tokens and tokens is not None:
        chunk.tokens = tokens
    return job.frame(chunk)


async def _logprobs(job: CompletionJob, choice: Choice, event: Event) -> CompletionLogprobs | None:
    told = event.prompt_logprobs
    if not event.logprobs and told is None:
        return None
    is_short = told is None or len(told) < _SHORT_PROMPT
    return await aside(partial(job.logprobs, choice, event.logprobs), unless=is_short)
