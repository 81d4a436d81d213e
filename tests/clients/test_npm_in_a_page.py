"""The official JavaScript clients of OpenAI and Anthropic in a page of another origin, in a real
browser. `make npm` installs them.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jan_server.config import Settings

from tests import models
from tests.clients.test_npm import INSTALLED
from tests.server.running import Running, running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
BUNDLER = next(INSTALLED.glob("node_modules/@esbuild/*/bin/esbuild"), None)
PAGE = Path(__file__).parent / "page.mjs"
SAID = "".join(models.DEMO_WORDS)

pytestmark = [
    pytest.mark.unsanitized,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
    pytest.mark.skipif(
        BUNDLER is None or not (INSTALLED / "node_modules/@anthropic-ai/sdk").exists(),
        reason="the npm packages are not installed: make npm",
    ),
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path = models.write_demo(tmp_path_factory.mktemp("page") / "demo.gguf")
    with running(Settings(model=str(path), threads=1, api_key=("k",))) as server:
        yield server


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a page with both clients in it, bundled as pages are."""
    folder = tmp_path_factory.mktemp("elsewhere")
    script = shutil.copy(PAGE, INSTALLED)  # modules are looked for beside the file that imports
    bundle = [str(BUNDLER), script, "--bundle", "--format=esm", f"--outfile={folder}/page.js"]
    subprocess.run(bundle, check=True, capture_output=True)
    (folder / "index.html").write_text('<script type="module" src="page.js"></script>')
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as pages:
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        yield f"http://localhost:{pages.server_port}"
        pages.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - the base's
        pass


def test_both_clients_work_in_a_page(guarded: Running, elsewhere: str) -> None:
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda line: complaints.append(line.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{elsewhere}/?server={guarded.url}")
        page.wait_for_function("() => window.found", timeout=60_000)
        found: dict[str, Any] = page.evaluate("() => window.found")
        browser.close()
    assert "failed" not in found, (found, complaints)
    for who in ("openai", "anthropic"):
        assert found[who] == found[f"{who}_stream"] == SAID
        assert found[f"{who}_id"].startswith("req_")
    assert found["error"]["status"] == 404
    assert found["error"]["code"] == "model_not_found"
    assert found["error"]["id"].startswith("req_")
