"""Where `jan serve` listens, and how many connections it has files for."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from jan_server.cli.settings import read_settings

from tests import models
from tests.server.test_cli import JAN, start, url_of

pytestmark = pytest.mark.unsanitized
FEW_FILES = ["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh", *JAN]


def test_several_ports_are_told_in_every_form(tmp_path: Path) -> None:
    for flags, environment in (
        (["--port", "1,2,3"], {}),
        (["--port", "1,2", "--port", "3"], {"JAN_PORT": "9"}),
        ([], {"JAN_PORT": "1,2,3"}),
        ([], {"LLAMA_ARG_PORT": "1,2,3"}),
    ):
        assert read_settings(flags, environment).port == (1, 2, 3)
    path = tmp_path / "config.toml"
    for text in ("port = [1, 2, 3]", 'port = "1,2,3"'):
        path.write_text(text)
        assert read_settings(["--config", str(path)], {}).port == (1, 2, 3)
    path.write_text("port = 5")
    assert read_settings(["--config", str(path)], {}).port == (5,)


def test_one_server_answers_at_several_ports(tmp_path: Path) -> None:
    model = models.write_demo(tmp_path / "m.gguf")
    with ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        ports = [one.getsockname()[1] for one in free]
    server = start(str(model), "--port", f"{ports[0]},{ports[1]}", "--port", str(ports[2]))
    assert server.stderr
    said = ""
    while "/v1, no key" not in said:
        said = server.stderr.readline()
        assert said, "it ended"
    for port in ports:
        assert f"http://127.0.0.1:{port}/v1" in said
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    taken = start(str(model), "--port", f"0,{ports[2]}")
    assert f"port {ports[2]} on 127.0.0.1 is in use" in taken.communicate(timeout=30)[1]
    assert taken.returncode == 1
    server.terminate()
    assert server.wait(20) == 0
    server.stderr.close()


def test_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    model = models.write_demo(tmp_path / "m.gguf")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    server = start(str(model), "--port", "0", "-t", "1", program=FEW_FILES)
    url_of(server)
    limits = Path(f"/proc/{server.pid}/limits")
    if limits.exists():
        (line,) = [line for line in limits.read_text().splitlines() if "open files" in line]
        assert line.split()[3] == line.split()[4]
        assert int(line.split()[4]) == hard
    server.terminate()
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.close()
