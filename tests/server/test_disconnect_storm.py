"""A thousand callers that each leave in the middle. Nothing stays behind for any of them."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import msgspec
import pytest

from tests.server.running import Running

N_CALLERS = 1000
N_AT_ONCE = 8
BODIES: dict[str, dict[str, object]] = {
    "/v1/completions": {"model": "endless", "prompt": "a", "n_predict": -1},
    "/v1/chat/completions": {
        "model": "endless",
        "messages": [{"role": "user", "content": "b"}, {"role": "assistant", "content": "a"}],
    },
}


@pytest.mark.unsanitized  # a sanitizer's allocator keeps what is freed
def test_a_thousand_callers_leave_nothing(endless_server: Running) -> None:
    asyncio.run(storm(endless_server, N_CALLERS // 2))
    n_before = resident_bytes()
    asyncio.run(storm(endless_server, N_CALLERS // 2))
    stats = endless_server.served.engine.stats()
    assert stats["n_cancelled"] + stats["n_finished"] >= N_CALLERS
    assert stats["n_cells_running"] == 0
    assert stats["n_failed"] == 0
    assert endless_server.served.admission.n_tokens == 0
    assert resident_bytes() - n_before < 2 << 20  # 4 KiB per caller would be too much
    answer = endless_server.post(
        "/v1/completions", {"model": "endless", "prompt": "a", "max_tokens": 8}
    )
    assert answer.json()["choices"][0]["text"] == "a" * 8


async def storm(server: Running, n_callers: int) -> None:
    """Returns once the engine has nothing to do."""
    places = asyncio.Semaphore(N_AT_ONCE)
    paths = list(BODIES)

    async def call_and_leave(i: int) -> None:
        path = paths[i % len(paths)]
        raw = msgspec.json.encode({**BODIES[path], "stream": True})
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(raw)}\r\n\r\n"
        async with places:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head.encode() + raw)
            try:
                await reader.readuntil(b"data: ")
            finally:
                writer.transport.abort()

    await asyncio.gather(*(call_and_leave(i) for i in range(n_callers)))
    await asyncio.to_thread(
        server.until, lambda stats: stats["n_running"] == 0 and stats["n_waiting"] == 0
    )


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
