"""A server that ends without a word, in the middle of anything: the next one finds whole models."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from jan_server.demo import DEMO_ID

from tests.library.hub import Hub, running_hub, wait_for_bytes
from tests.server.test_cli import ENVIRONMENT, JAN, url_of

pytestmark = pytest.mark.unsanitized


def start(home: Path, hub: Hub) -> tuple[subprocess.Popen[str], str]:
    server = subprocess.Popen(
        [*JAN, "--home", str(home), "--port", "0", "-t", "1", "-c", "128", "-np", "1"],
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "HF_ENDPOINT": hub.url},
    )
    return server, url_of(server)


def kill(server: subprocess.Popen[str]) -> None:
    server.kill()
    assert server.wait(20) == -signal.SIGKILL
    assert server.stderr
    server.stderr.close()


def check(url: str, home: Path) -> None:
    """What is listed answers, and nothing else is in the folder of whole models."""
    listed = [one["id"] for one in httpx.get(url + "/v1/models").json()["data"]]
    if listed == [DEMO_ID]:  # there is nothing else
        listed = []
    for name in listed:
        body = {"model": name, "prompt": "a", "max_tokens": 2}
        answer = httpx.post(url + "/v1/completions", json=body, timeout=60).json()
        assert answer["choices"][0]["text"] == "bc"
    assert len(list((home / "models/files").iterdir())) == len(listed)
    assert not list((home / "models/trash").iterdir())


def test_a_download_goes_on_after_the_server_was_killed(
    tmp_path: Path, alphabet_path: Path
) -> None:
    with running_hub() as hub:
        content = hub.add("owner/repo", "letters.gguf", alphabet_path)
        hub.hold.clear()
        server, url = start(tmp_path, hub)
        httpx.post(url + "/v1/models", json={"source_url": "hf:owner/repo"})
        wait_for_bytes(tmp_path)
        kill(server)
        hub.hold.set()
        server, url = start(tmp_path, hub)
        check(url, tmp_path)
        body = {"source_url": "hf:owner/repo", "wait": True}
        assert httpx.post(url + "/v1/models", json=body, timeout=60).json()["id"] == "letters"
        check(url, tmp_path)
        kill(server)
        assert hub.bodies()[-1]["range"].startswith("bytes=")
        (model,) = tmp_path.rglob("files/*/model.gguf")
        assert model.read_bytes() == content


@pytest.mark.parametrize("seed", range(3))
def test_whatever_it_did_when_it_was_killed_models_are_whole(
    tmp_path: Path, alphabet_path: Path, seed: int
) -> None:
    draw = random.Random(seed)
    with running_hub() as hub:
        for number in range(3):
            hub.add(f"owner/repo{number}", f"letters{number}.gguf", alphabet_path)
        server, url = start(tmp_path, hub)

        def work() -> None:
            """Pull, load and delete without end."""
            numbers = random.Random(seed)
            with suppress(httpx.HTTPError), httpx.Client(base_url=url, timeout=30) as client:
                while True:
                    number = numbers.randrange(3)
                    body = {"source_url": f"hf:owner/repo{number}", "wait": True}
                    client.post("/v1/models", json=body)
                    client.put(f"/v1/models/letters{number}/start")
                    if numbers.random() < 0.7:
                        client.delete(f"/v1/models/letters{number}?force=true")

        working = threading.Thread(target=work)
        working.start()
        n_requests = draw.randrange(4, 24)
        while len(hub.requests) < n_requests:
            assert working.is_alive()
            time.sleep(draw.random() * 0.02)
        kill(server)
        working.join(40)
        server, url = start(tmp_path, hub)
        check(url, tmp_path)
        kill(server)
