"""Which attention kernel an engine computes with, and what decided it."""

from __future__ import annotations

import logging
from enum import StrEnum

import msgspec

from jan_engine import _core
from jan_engine.machine_memory import MachineMemory

__all__ = ["TIMED", "AttentionKernel", "KernelReason", "Timed"]

_LOGGER = logging.getLogger("jan_engine.kernel")


class KernelReason(StrEnum):
    GIVEN = "given"  # asked for, or the only one this cache, model or device is right for
    TIMED = "timed"
    UNTIMED = "untimed"  # either would do, and there was no time to find out
    REMEMBERED = "remembered"  # timed at an earlier load: see machine_memory.py


# enum class kernel_reason in csrc/kernel_choice.h, in its order; remembering is done here.
_REASONS = (KernelReason.GIVEN, KernelReason.TIMED, KernelReason.UNTIMED)


class Timed(msgspec.Struct, frozen=True):
    """Seconds of 0: finding out took too long, which it would again."""

    flash: bool
    plain_s: float
    flash_s: float


TIMED = MachineMemory("attention-kernels.json", Timed)


class AttentionKernel(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel that reads the cache. How both were timed: docs/adr/0017."""

    flash: bool | None  # False: plain products; None: llama.cpp decides, by the device
    reason: KernelReason
    plain_s: float  # of one token made and one prompt token read; 0: not timed
    flash_s: float
    n_lanes: int  # that decoded while it was timed,
    depth: int  # with so many tokens in each
    n_rounds: int
    failure: str  # why it is untimed, where something went wrong


def read_kernel(core: _core.Engine) -> AttentionKernel:
    facts = core.kernel()
    flash = None if facts["flash"] < 0 else bool(facts["flash"])
    reason: int = facts["reason"]
    return AttentionKernel(
        flash=flash,
        reason=_REASONS[reason],
        plain_s=facts["plain_s"],
        flash_s=facts["flash_s"],
        n_lanes=facts["n_lanes"],
        depth=facts["depth"],
        n_rounds=facts["n_rounds"],
        failure=facts["failure"],
    )


def log_kernel(kernel: AttentionKernel) -> None:
    """Say what was chosen, and by which figures."""
    name = {None: "as llama.cpp decides", True: "flash", False: "plain"}[kernel.flash]
    if kernel.failure:
        _LOGGER.warning("attention: %s, timing failed: %s", name, kernel.failure)
    elif kernel.reason in {KernelReason.TIMED, KernelReason.REMEMBERED}:
        _LOGGER.info(
            "attention: %s, %s; a token made and one read take %.3f ms with plain products, "
            "%.3f ms with the flash kernel",
            name,
            kernel.reason,
            kernel.plain_s * 1e3,
            kernel.flash_s * 1e3,
        )
    else:
        _LOGGER.info("attention: %s, %s", name, kernel.reason)
