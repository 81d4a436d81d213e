"""`jan keys`, and servers that ask for what it gives."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from jan_server.cli.main import main
from jan_server.cli.settings import read_settings
from jan_server.config import Settings
from jan_server.security import key_file
from jan_server.security.key_file import KEY_FILE, KeyFile, digest

from tests.server.running import Running, running


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("JAN_HOME", str(tmp_path))
    monkeypatch.setattr(key_file, "_LOOK_S", 0.0)
    return tmp_path


@pytest.fixture
def server(alphabet_path: Path, home: Path) -> Iterator[Running]:
    settings = Settings(
        model=str(alphabet_path), threads=1, parallel=2, ctx_size=256, home=str(home)
    )
    with running(settings) as server:
        yield server


def status(server: Running, key: str = "") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return server.get("/v1/models", headers=headers).status_code


def test_a_running_server_asks_from_the_first_key_on_until_it_is_revoked(
    server: Running, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(server) == status(server, "whatever") == 200
    assert main(["keys", "create", "laptop"]) == 0
    told = capsys.readouterr()
    key = told.out.strip()
    assert key.startswith("sk_live_")
    assert len(key) == len("sk_live_") + 48
    assert "not shown again" in told.err
    assert key not in (home / KEY_FILE).read_text()
    assert stat.S_IMODE((home / KEY_FILE).stat().st_mode) == 0o600
    assert (status(server), status(server, "wrong"), status(server, key)) == (401, 401, 200)
    assert main(["keys", "create", "phone", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert status(server, second["key"]) == 200
    assert main(["keys", "revoke", "laptop"]) == 0
    assert (status(server, key), status(server, second["key"])) == (401, 200)
    assert main(["keys", "revoke", second["id"]]) == 0
    assert status(server) == status(server, second["key"]) == 401  # nobody, rather than everybody


def test_listed_without_what_is_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "laptop", "--days", "30"]) == 0
    key = capsys.readouterr().out.strip()
    assert main(["keys", "list"]) == 0
    text = capsys.readouterr().out
    assert "laptop" in text
    assert "active" in text
    assert f"{key[:12]}...{key[-4:]}" in text
    assert main(["keys", "list", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["expires_at"] - told["created_at"] == 30 * 86400
    assert "sha256" not in told
    assert key not in str(told)


def test_an_expired_one_is_good_no_more(server: Running, home: Path) -> None:
    _, key = KeyFile(home).create("short", int(time.time()) - 1)
    assert status(server, key) == 401


def test_a_damaged_file_opens_nothing(
    server: Running, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / KEY_FILE).write_text('{"not": "a list"}')
    assert status(server) == status(server, "sk_live_x") == 401
    for verb in (["list"], ["create", "x"], ["revoke", "x"]):
        assert main(["keys", *verb]) == 1
        assert capsys.readouterr().err.startswith("error: ")


def test_wrong_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", " "]) == 2
    assert main(["keys", "create", "x", "--days", "0"]) == 2
    assert main(["keys", "revoke", "nobody"]) == 3
    for _ in range(2):
        assert main(["keys", "create", "twin"]) == 0
    assert main(["keys", "revoke", "twin"]) == 3  # which of them?
    capsys.readouterr()


def test_another_address_is_fine_with_a_key_in_the_file(home: Path) -> None:
    with pytest.raises(SystemExit):
        read_settings(["--host", "0.0.0.0"], {"JAN_HOME": str(home)})
    KeyFile(home).create("laptop")
    assert read_settings(["--host", "0.0.0.0"], {"JAN_HOME": str(home)}).host == "0.0.0.0"


@pytest.mark.parametrize("is_for_others", [False, True])
@pytest.mark.parametrize("loss", ["the file", "its folder", "what it holds"])
def test_a_server_that_has_asked_does_not_open_when_its_keys_go(
    alphabet_path: Path, home: Path, is_for_others: bool, loss: str
) -> None:
    _, key = KeyFile(home).create("laptop")
    settings = Settings(
        model=str(alphabet_path), threads=1, parallel=2, ctx_size=256, home=str(home)
    )
    if is_for_others:
        settings = msgspec.structs.replace(settings, host="0.0.0.0")
    with running(settings) as server:
        assert (status(server), status(server, key)) == (401, 200)
        if loss == "the file":
            (home / KEY_FILE).unlink()
        elif loss == "its folder":
            home.rename(home.with_name(home.name + "-away"))
        else:
            (home / KEY_FILE).write_text("[]")
        assert status(server) == status(server, key) == 401


def test_a_server_for_others_never_answers_without_a_key(alphabet_path: Path, home: Path) -> None:
    of_file = Settings(
        model=str(alphabet_path), threads=1, parallel=2, ctx_size=256, home=str(home), host="::"
    )
    with running(of_file) as server:  # its file went between its start and the first request
        assert status(server) == 401
    with running(msgspec.structs.replace(of_file, insecure=True)) as server:
        assert status(server) == 200


def _jan(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jan_server.cli.main", "keys", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.unsanitized
def test_keys_that_are_made_side_by_side_all_exist(home: Path) -> None:
    making = [_jan("create", f"k{number}") for number in range(8)]
    shown = [one.communicate(timeout=60)[0].strip() for one in making]
    kept = {record.sha256 for record in KeyFile(home).records()}
    assert kept == {digest(key).hex() for key in shown}


def test_a_key_that_is_revoked_beside_others_being_made_is_good_no_more(home: Path) -> None:
    def make(number: int) -> None:
        KeyFile(home).create(f"new{number}")

    def revoke(number: int) -> None:
        assert KeyFile(home).revoke(f"old{number}") is not None

    for number in range(12):
        KeyFile(home).create(f"old{number}")
    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(do, number) for number in range(12) for do in (make, revoke)]
        for one in work:
            one.result(60)
    states = {record.name: record.status(time.time()) for record in KeyFile(home).records()}
    assert states == {
        **{f"old{number}": "revoked" for number in range(12)},
        **{f"new{number}": "active" for number in range(12)},
    }
