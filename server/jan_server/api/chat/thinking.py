"""Whether and how much a model thinks before it answers, from the fields of several APIs."""

from __future__ import annotations

from typing import NamedTuple

from jan_server.api.chat.messages import wrong
from jan_server.api.chat.schemas import ChatRequest

__all__ = ["ThinkingWish", "thinking_of"]


class ThinkingWish(NamedTuple):
    enabled: bool
    effort: str | None  # as the template knows it
    budget: int | None  # tokens; None: as many as it takes


def thinking_of(asked: ChatRequest, *, usual: bool) -> ThinkingWish:
    """`usual`: whether it thinks where the request does not say. Raises 400 where two fields
    contradict each other.
    """
    switch, reasoning = asked.thinking, asked.reasoning
    budgets = {
        "thinking_budget_tokens": asked.thinking_budget_tokens,
        "reasoning_budget_tokens": asked.reasoning_budget_tokens,
        "thinking_token_budget": asked.thinking_token_budget,
        "thinking": None if switch is None else switch.budget_tokens,
        "reasoning": None if reasoning is None else reasoning.max_tokens,
    }
    given = {name: budget for name, budget in budgets.items() if budget is not None}
    if len(set(given.values())) > 1:
        first, second = list(given)[:2]
        raise wrong(second, f"{first} says another number of tokens")
    budget = next(iter(given.values()), -1)
    if reasoning is not None and reasoning.exclude:
        raise wrong("reasoning", "exclude: thoughts are told beside the answer, or not thought")
    enabled = (
        asked.enable_thinking is not False
        and (switch is None or switch.type != "disabled")
        and (reasoning is None or reasoning.enabled is not False)
        and budget != 0
    )
    said = [asked.enable_thinking, switch, reasoning, *given.values()]
    if all(one is None for one in said):
        enabled = usual
    effort = asked.reasoning_effort
    if effort is None and reasoning is not None:
        effort = reasoning.effort
    return ThinkingWish(enabled, effort, budget if budget > 0 else None)
