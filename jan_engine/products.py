"""How long matrix products take the kernels, and what the machine would allow them."""

from __future__ import annotations

import msgspec

from jan_engine import _core, backend, log
from jan_engine.native_call import watched
from jan_engine.native_int import native_int

__all__ = ["MachineLimits", "ProductTimes", "machine_limits", "product_times"]

_LOOK_EVERY_S = 0.25  # Ctrl-C interrupts the waiting in any case


class MachineLimits(msgspec.Struct, frozen=True):
    """Of so many threads together, in loops that do nothing else."""

    n_threads: int
    byte_gops: float  # 10^9 operations on bytes in a second; 0: there is no loop for this processor
    read_gbs: float  # 10^9 bytes in a second, from memory
    instruction: str  # that the products were made with

    def best(self, other: MachineLimits) -> MachineLimits:
        """Of two measurements, as others may have had the machine during one."""
        return MachineLimits(
            self.n_threads,
            max(self.byte_gops, other.byte_gops),
            max(self.read_gbs, other.read_gbs),
            self.instruction,
        )


class ProductTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Nanoseconds of a steady clock, ours and upstream's in turns."""

    ours_ns: list[int]  # empty where we have no kernel
    upstreams_ns: list[int]
    our_bytes: int  # of the weights as each has them
    upstreams_bytes: int
    upstreams_buffer: str  # what llama.cpp's loader puts such weights into


def machine_limits(n_threads: int = 0) -> MachineLimits:
    """Takes some seconds; 0 threads are one for each physical core."""
    backend.load()

    def call(progress: _core.Progress) -> dict[str, object]:
        return _core.limits_of_machine(native_int("n_threads", n_threads), progress)

    return msgspec.convert(watched(call, None, "jan-limits", _LOOK_EVERY_S), MachineLimits)


def product_times(
    type_name: str,
    *,
    width: int,
    n_rows: int,
    n_columns: int,
    n_threads: int = 0,
    n_repeats: int = 5,
) -> ProductTimes:
    """Of a matrix of a type, "q4_K", with so many columns of activations. Raises InvalidRequest."""
    backend.load()

    def call(progress: _core.Progress) -> dict[str, object]:
        return _core.times_of_product(
            type_name.encode(),
            progress,
            width=native_int("width", width),
            n_rows=native_int("n_rows", n_rows),
            n_columns=native_int("n_columns", n_columns),
            n_threads=native_int("n_threads", n_threads),
            n_repeats=native_int("n_repeats", n_repeats),
        )

    try:
        return msgspec.convert(watched(call, None, "jan-product", _LOOK_EVERY_S), ProductTimes)
    finally:
        log.forward()
