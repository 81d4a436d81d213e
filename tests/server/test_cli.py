"""The `jan` command, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import trustme
from jan_server.cli.main import main as jan
from jan_server.cli.settings import read_settings, settings_and_origins

from tests import models
from tests.library.hub import running_hub

pytestmark = pytest.mark.unsanitized
JAN = [sys.executable, "-m", "jan_server.cli.main", "serve"]
ENVIRONMENT = {name: text for name, text in os.environ.items() if not name.startswith("JAN_")}


def start(*arguments: str, program: Sequence[str] = JAN) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*program, *arguments], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def url_of(server: subprocess.Popen[str]) -> str:
    """Once the model is loaded."""
    assert server.stderr
    for line in server.stderr:
        if found := re.match(r"(https?://\S+)/v1,", line):
            return found[1]
    raise AssertionError(f"it ended with {server.wait()}")


def test_version_and_help_need_no_web_package() -> None:
    script = (
        "import sys, jan_server.cli.main as m\n"
        "try: m.main(['--version'])\n"
        "except SystemExit: pass\n"
        "assert not {'litestar', 'uvicorn', 'jan_engine'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"\d+\.\d+", done.stdout)


def test_a_model_is_served_until_the_first_signal(tmp_path: Path) -> None:
    model = models.write_demo(tmp_path / "a-model.gguf")
    for number in (signal.SIGINT, signal.SIGTERM):
        server = start(str(model), "--port", "0", "-t", "1", "--alias", "the-demo")
        body = {"model": "the-demo", "prompt": "Hello?", "max_tokens": 20}
        answer = httpx.post(url_of(server) + "/v1/completions", json=body)
        assert answer.json()["choices"][0]["text"] == "".join(models.DEMO_WORDS)
        server.send_signal(number)
        assert server.wait(20) == 0
        assert server.stderr
        assert "Traceback" not in server.stderr.read()
        server.stderr.close()


@pytest.mark.parametrize("named", [["jan-demo"], []])  # make serve, and a server with no model
def test_without_a_model_of_yours_there_is_one_of_ours(tmp_path: Path, named: list[str]) -> None:
    server = start(*named, "--port", "0", "-t", "1", "--home", str(tmp_path))
    url = url_of(server)
    body = {"model": "jan-demo", "messages": [{"role": "user", "content": "Hello?"}]}
    answer = httpx.post(url + "/v1/chat/completions", json=body, timeout=60).json()
    assert answer["choices"][0]["message"]["content"]
    (listed,) = httpx.get(url + "/v1/models").json()["data"]
    assert listed["id"] == "jan-demo"
    server.terminate()
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.close()


def test_a_second_signal_ends_streams_that_would_go_on(endless_path: Path) -> None:
    server = start(str(endless_path), "--port", "0", "-t", "1", "--context-shift")
    body = {"model": "endless", "prompt": "a", "n_predict": -1, "stream": True}
    with httpx.stream("POST", url_of(server) + "/v1/completions", json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        server.send_signal(signal.SIGINT)
        for _ in range(20):
            assert "error" not in next(lines)
        server.send_signal(signal.SIGINT)
        rest = [line for line in lines if line]
    assert "service_unavailable" in rest[-1]
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.close()


def test_streams_end_whole_after_the_first_signal(endless_path: Path) -> None:
    server = start(str(endless_path), "--port", "0", "-t", "1", "-np", "32", "-c", "512")
    url = url_of(server)
    body = {"model": "endless", "prompt": "a", "max_tokens": 400, "stream": True}

    def read() -> str:
        with httpx.stream("POST", url + "/v1/completions", json=body, timeout=60) as answer:
            lines = answer.iter_lines()
            first = next(lines)
            started.release()
            return "".join([first, *lines])

    started = threading.Semaphore(0)
    with ThreadPoolExecutor(33) as pool, httpx.Client(base_url=url, timeout=60) as known:
        assert known.get("/readyz").status_code == 200
        readers = [pool.submit(read) for _ in range(32)]
        for _ in readers:
            started.acquire()
        server.send_signal(signal.SIGTERM)
        while (ready := known.get("/readyz")).status_code == 200:
            pass
        assert ready.status_code == 503
        refused = known.post("/v1/completions", json=body)
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        assert refused.headers["retry-after"]
        whole = [reader.result(60) for reader in readers]
    assert [text.count('"text":"a') for text in whole] >= [1] * 32
    assert all("[DONE]" in text and "error" not in text for text in whole)
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.close()


def test_https(endless_path: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = authority.issue_cert("127.0.0.1")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    server = start(str(endless_path), "--port", "0", "--ssl-certfile", str(tmp_path / "own.pem"))
    url = url_of(server)
    assert url.startswith("https://")
    trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    assert httpx.get(url + "/readyz", verify=trusted).status_code == 200
    server.terminate()
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.close()


def test_a_certificate_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("no certificate")
    for flags in (
        ["--ssl-certfile", str(tmp_path / "own.pem")],
        ["--ssl-certfile", str(tmp_path / "missing.pem")],
        ["--ssl-keyfile", str(tmp_path / "own.pem")],
    ):
        server = start("m.gguf", "--port", "0", *flags)
        _, said = server.communicate(timeout=30)
        assert server.returncode == 1
        assert said.startswith("error: ssl_certfile: ")
        assert len(said.splitlines()) == 1


def test_a_port_that_is_taken_is_one_line_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = start(str(tmp_path / "missing.gguf"), "--port", str(port))
        _, said = server.communicate(timeout=30)
    assert server.returncode == 1
    assert said == f"error: port {port} on 127.0.0.1 is in use; choose another with --port\n"


def test_a_model_that_does_not_load_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    for path in (tmp_path / "missing.gguf", broken):
        server = start(str(path), "--port", "0")
        _, said = server.communicate(timeout=30)
        assert server.returncode == 1
        assert said.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in said


def test_a_flag_wins_over_its_variable_and_that_over_the_default() -> None:
    environment = {"JAN_CTX_SIZE": "1000", "JAN_PARALLEL": "3", "JAN_API_KEY": "a,b"}
    settings = read_settings(["m.gguf", "-c", "2000", "--context-shift"], environment)
    assert (settings.ctx_size, settings.parallel, settings.port) == (2000, 3, (1337,))
    assert settings.api_key == ("a", "b")
    assert settings.context_shift


def test_flags_of_llama_server_mean_what_they_mean_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = (
        "-m m.gguf -c 2000 -np 3 -ngl 0 -fa on -ctk q8_0 -ctv q8_0 -b 2048 -ub 256 -t 2 --temp 0"
    )
    settings = read_settings([*flags.split(), "--host", "127.0.0.1", "--port", "8080"], {})
    assert (settings.model, settings.ctx_size, settings.parallel) == ("m.gguf", 2000, 3)
    assert (settings.n_gpu_layers, settings.flash_attn, settings.ubatch_size) == (0, "on", 256)
    assert (settings.cache_type, settings.threads, settings.temperature) == ("q8_0", 2, 0.0)
    for word, meaning in (("1", "on"), ("false", "off"), ("auto", "auto")):
        assert read_settings([], {"LLAMA_ARG_FLASH_ATTN": word}).flash_attn == meaning
    with pytest.raises(SystemExit):
        read_settings(["-ctv", "q8_0"], {})
    assert "--cache-type-v" in capsys.readouterr().err


def test_a_line_for_llama_server_starts_a_server(alphabet_path: Path) -> None:
    line = f"-m {alphabet_path} -c 512 -np 2 -ngl 99 -fa auto --jinja --no-webui -b 2048 -t 1"
    server = start(*line.split(), "--load-mode", "none", "--port", "0")
    url = url_of(server)
    assert httpx.get(url + "/health").json()["status"] == "ok"
    body = {"prompt": "a", "n_predict": 2, "temperature": 0}
    assert httpx.post(url + "/completion", json=body).json()["content"] == "bc"
    assert httpx.get(url + "/").json()["status"] == "ok"  # no page
    server.terminate()
    assert server.wait(20) == 0
    assert server.stderr
    server.stderr.close()


def test_variables_of_llama_server_count_where_ours_are_not_set() -> None:
    environment = {
        "LLAMA_ARG_CTX_SIZE": "1000",
        "LLAMA_ARG_N_PARALLEL": "3",
        "JAN_PARALLEL": "2",
        "LLAMA_ARG_HF_REPO": "owner/repo:Q8_0",
        "LLAMA_API_KEY": "a,b",
        "LLAMA_ARG_MODELS_DIR": "/models",
    }
    settings = read_settings([], environment)
    assert (settings.ctx_size, settings.parallel) == (1000, 2)
    assert settings.model == "hf:owner/repo:Q8_0"
    assert (settings.api_key, settings.models_dir) == (("a", "b"), ("/models",))
    assert read_settings(["-m", "m.gguf"], environment).model == "m.gguf"
    assert read_settings(["-hf", "o/r"], {}).model == "hf:o/r"


def test_a_file_of_settings_counts_least(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('ctx-size = 1000\nparallel = 3\nport = 1\nmodels_dir = ["/a", "/b"]\n')
    environment = {"JAN_HOME": str(tmp_path), "JAN_PARALLEL": "2", "LLAMA_ARG_PORT": "5"}
    assert read_settings(["--home", str(tmp_path)], {}).ctx_size == 1000
    settings, origins = settings_and_origins(["--no-ui"], environment)
    assert (settings.ctx_size, settings.parallel, settings.port) == (1000, 2, (5,))
    assert (settings.models_dir, settings.ui) == (("/a", "/b"), False)
    assert origins == {
        "home": "JAN_HOME",
        "ctx_size": str(path),
        "models_dir": str(path),
        "parallel": "JAN_PARALLEL",
        "port": "llama-server's variable",
        "ui": "flag",
    }


def test_settings_are_shown_with_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JAN_HOME", str(tmp_path))
    monkeypatch.setenv("JAN_API_KEY", "secret")
    assert jan(["config", "show", "-c", "77"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^ctx_size +77 +flag$", said, re.MULTILINE)
    assert re.search(r"^api_key +\*\*\* +JAN_API_KEY$", said, re.MULTILINE)
    assert "secret" not in said
    assert jan(["config", "path"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'config.toml'}\n"


@pytest.mark.parametrize("text", ["ctx_size = ", "nothing = 1", "ctx_size = 'x'", "port = -1"])
def test_a_wrong_file_of_settings_is_named(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        read_settings(["--config", str(tmp_path / "own.toml")], {})
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("one\ntwo\n")
    settings = read_settings(["m.gguf", "--api-key", "zero", "--api-key-file", str(keys)], {})
    assert settings.api_key == ("zero", "one", "two")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["m", "--port", "x"], "--port"),
        (["m", "--port", "70000"], "--port"),
        (["m", "--parallel", "0"], "--parallel"),
        (["m", "--cache-type", "f17"], "--cache-type"),
        (["m", "--host", "0.0.0.0"], "--api-key"),
        (["m", "--api-key-file", "missing"], "api_key_file"),
    ],
)
def test_a_wrong_flag_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_settings(arguments, {})
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_model_is_served_by_its_name_or_fetched_first(tmp_path: Path) -> None:
    content = models.write_alphabet(tmp_path / "a.gguf").read_bytes()
    environment = {**ENVIRONMENT, "JAN_HOME": str(tmp_path / "home")}
    with running_hub() as hub:
        hub.add("owner/repo", "letters.gguf", content)
        environment["HF_ENDPOINT"] = hub.url
        for named in (("-hf", "owner/repo"), ("letters",)):
            server = subprocess.Popen(
                [*JAN, *named, "--port", "0", "-t", "1"],
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            url = url_of(server)
            listed = httpx.get(url + "/v1/models").json()["data"]
            assert [one["id"] for one in listed] == ["letters"]
            server.terminate()
            assert server.wait(20) == 0
            assert server.stderr
            server.stderr.close()
        assert len(hub.bodies()) == 1


def test_without_a_name_every_model_is_served(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    models.write_alphabet(tmp_path / "theirs/letters.gguf")
    server = start(
        *("--home", str(tmp_path / "home"), "--models-dir", str(tmp_path / "theirs")),
        *("--port", "0", "-t", "1"),
    )
    body = {"model": "letters", "prompt": "a", "max_tokens": 2}
    answer = httpx.post(url_of(server) + "/v1/completions", json=body)
    assert answer.json()["choices"][0]["text"] == "bc"
    server.terminate()
    assert server.wait(20) == 0
    assert server.stderr
    assert "Traceback" not in server.stderr.read()
    server.stderr.close()


@pytest.mark.parametrize("named", ["hf:owner/nothing", "https://127.0.0.1:9/a.gguf"])
def test_a_model_that_cannot_be_fetched_is_one_line(tmp_path: Path, named: str) -> None:
    environment = {**ENVIRONMENT, "JAN_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run(
        [*JAN, named, "--port", "0", "--offline"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_server_of_one_file_imports_no_database(tmp_path: Path) -> None:
    model = models.write_alphabet(tmp_path / "letters.gguf")
    script = (
        "import sys\n"
        "from jan_server.cli import main, running\n"
        "import jan_server.cli.serve\n"
        "heavy = {'sqlalchemy', 'alembic', 'httpx2', 'huggingface_hub'}\n"
        "def served(*_): assert not heavy & set(sys.modules)\n"
        "running.run_server = served\n"
        f"assert main.main(['serve', {str(model)!r}, '--port', '0']) == 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
