"""The error hierarchy and its agreement with csrc."""

from __future__ import annotations

import re

import pytest

import jan_engine
from jan_engine import Model, Request, _core, errors
from jan_engine.types import read_event, submit
from tests.conftest import ROOT

ERRC = re.findall(
    r"^    (\w+)(?: = 1)?,",
    (ROOT / "csrc/error.h").read_text().split("enum class errc")[1].split("};")[0],
    re.MULTILINE,
)
ALL = [getattr(errors, name) for name in errors.__all__ if name != "from_code"]


def test_every_errc_has_a_class_of_the_same_code() -> None:
    aliases = {"internal": "internal_error", "invalid_argument": "invalid_request"}
    for number, name in enumerate(ERRC, start=1):
        error = errors.from_code(number, "message", "hint", {})
        assert error.code == aliases.get(name, name)
    with pytest.raises(IndexError):
        errors.from_code(len(ERRC) + 1, "", "", {})


def test_every_error_has_one_of_four_roots() -> None:
    roots = (
        errors.InvalidRequest,
        errors.ModelError,
        errors.Unavailable,
        errors.BackendFailure,
    )
    for kind in ALL:
        assert kind is errors.EngineError or issubclass(kind, roots)


def test_codes_are_unique_and_public() -> None:
    assert len({kind.code for kind in ALL}) == len(ALL)
    for kind in ALL:
        assert getattr(jan_engine, kind.__name__) is kind


def test_the_callers_fault_is_a_value_error() -> None:
    assert issubclass(errors.InvalidRequest, ValueError)


def test_the_hint_is_part_of_the_text_and_not_of_the_message() -> None:
    error = errors.ModelNotFound("no such file", "pull it first")
    assert str(error) == "no such file (pull it first)"
    assert error.message == "no such file"


def test_an_error_inside_an_event_has_its_facts(random_model: Model) -> None:
    core = _core.Engine(
        None,
        n_parallel=1,
        n_ctx=256,
        n_positions=0,
        n_cached_numbers=0,
        n_cells=256,
        n_ubatch=64,
        n_threads=1,
        adapt_threads=True,
        poll=0,
        kv_mode=-1,
        cache_type=b"f16",
        flash_attention=-1,
        max_waiting=1,
        token_gap_s=0.05,
        slowdown=1.0,
        speculation=False,
        calibrate_s=0.0,
        check_integrity=True,
        fail_token=40,
    )
    submit(core, random_model, Request(prompt="", max_tokens=1), [39, 40, 41])
    ended = None
    while ended is None:
        for told in core.take(10.0) or ():
            ended = read_event(told).finish
    core.close(drain=False)
    assert isinstance(ended.error, errors.BackendFailure)
    assert ended.error.facts == {"n_rows": 3}
