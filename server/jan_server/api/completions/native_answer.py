"""A completion's choices as llama-server answers: whole, or frame by frame."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from jan_engine import Event, TokenLogprob
from jan_server.answers import Frames
from jan_server.api.completions.native import NativeChunk, NativeCompletion
from jan_server.api.completions.service import CompletionJob
from jan_server.inference.choice import Choice
from jan_server.inference.details import reading_progress, selected, timings_so_far
from jan_server.inference.probabilities import TokenProbability
from jan_server.sse import frame

__all__ = ["stream_native", "whole_native"]


async def whole_native(job: CompletionJob) -> bytes:
    """One object, or a list of them where several answers were asked for."""
    await job.choices.each(Choice.read)
    answers = [_shaped(job, _whole(job, choice)) for choice in job.choices.all]
    return msgspec.json.encode(answers[0] if len(answers) == 1 else answers)


async def stream_native(job: CompletionJob, frames: Frames) -> None:
    async def send(choice: Choice) -> None:
        texts: list[str] = []
        async for event in choice.stream:
            choice.take(event)
            texts.append(event.text)
            if event.finish is None:
                if event.text or event.tokens or event.progress is not None:
                    await frames.emit(frame(_chunk(job, choice, event)))
                continue
            choice.text = "".join(texts)
            last = _whole(job, choice)
            last.content, last.tokens = event.text, event.tokens
            last.completion_probabilities = _probabilities(job, choice, event.logprobs)
            await frames.emit(b"data: " + msgspec.json.encode(_shaped(job, last)) + b"\n\n")

    await job.choices.each(send)


def _chunk(job: CompletionJob, choice: Choice, event: Event) -> NativeChunk:
    chunk = NativeChunk(
        index=choice.index,
        content=event.text,
        tokens=event.tokens,
        tokens_predicted=choice.n_tokens,
        tokens_evaluated=len(choice.request.prompt),
        completion_probabilities=_probabilities(job, choice, event.logprobs),
    )
    if job.asked.timings_per_token and event.tokens:
        chunk.timings = timings_so_far(choice)
    if event.progress is not None:
        chunk.prompt_progress = reading_progress(choice, event.progress)
    return chunk


def _whole(job: CompletionJob, choice: Choice) -> NativeCompletion:
    details = job.answer([])
    job.add_details(details, [choice])
    usage = choice.finish.usage
    return NativeCompletion(
        index=choice.index,
        content=choice.text,
        tokens=choice.tokens if job.asked.return_tokens else [],
        model=job.model_id,
        tokens_predicted=usage.n_generated,
        tokens_evaluated=usage.n_prompt,
        generation_settings=details.generation_settings or {},
        prompt=details.prompt or "",
        has_new_line="\n" in choice.text,
        truncated=bool(details.truncated),
        stop_type=choice.stop_type,
        stopping_word=choice.finish.stop or "",
        tokens_cached=usage.n_cached,
        timings=details.timings,
        completion_probabilities=_probabilities(job, choice, choice.logprobs),
    )


def _probabilities(
    job: CompletionJob, choice: Choice, told: list[TokenLogprob]
) -> list[TokenProbability] | UnsetType:
    if not job.asked.n_probs or not told:
        return UNSET
    found = job.logprobs(choice, told)
    return found.content if found is not None else UNSET


def _shaped(job: CompletionJob, answer: NativeCompletion) -> Any:  # noqa: ANN401 - JSON
    return selected(answer, job.asked.response_fields)
