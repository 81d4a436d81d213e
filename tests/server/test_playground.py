"""The page at /, in a real browser that has no other network than the server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jan_server.config import Settings

from tests import models
from tests.server.conftest import chatting
from tests.server.running import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
SAID = (
    "<think>\nLet me see.\n</think>\n\n",
    "A **short** answer:\n\n",
    "```python\nprint(1)\n```\n",
)
pytestmark = pytest.mark.unsanitized  # the browser would be, too
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Fails the test for anything the browser complains of: an error, a file from elsewhere."""
    context = browser.new_context()
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def endless(model_folder: Path) -> Iterator[Running]:
    """Whatever it is asked, it says a's until it is stopped."""
    a, newline = models.byte_tokens("a\n")
    path = models.write_scripted(model_folder / "endless-chat.gguf", {a: a, newline: a})
    settings = Settings(
        model=str(path), parallel=2, ctx_size=512, threads=1, context_shift=True, speculation=False
    )
    with running(settings) as server:
        yield server


def ready(page: Page, server: Running) -> None:
    page.goto(server.url + "/")
    page.wait_for_selector("#state[data-is=ready]")


def ask(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.keyboard.press("Enter")


@needs_browser
def test_a_question_is_answered_and_still_there_after_a_reload(page: Page, tmp_path: Path) -> None:
    with chatting(tmp_path / "chat.gguf", SAID) as server:
        ready(page, server)
        ask(page, "Print <b>one</b>.")
        page.wait_for_selector(".assistant .facts:not(:empty)")
        assert page.inner_text(".user .body") == "Print <b>one</b>."
        assert page.inner_text(".assistant strong") == "short"
        assert page.inner_text(".assistant pre") == "print(1)"
        assert page.text_content(".assistant .thinking .body") == "Let me see."
        facts = page.inner_text(".assistant .facts")
        assert re.match(r"\d+ tokens · [\d.]+ tokens/s · first after [\d.]+ s", facts)
        assert re.match(r"\d+ of \d+ tokens", page.inner_text("#context-text"))
        page.reload()
        page.wait_for_selector("#state[data-is=ready]")
        assert page.inner_text(".assistant strong") == "short"
        page.click("text=Again")
        page.wait_for_selector(".assistant .facts:not(:empty)")
        assert page.locator(".thread > li").count() == 2
        page.keyboard.press("Alt+KeyN")
        assert page.locator(".thread > li").count() == 0


@needs_browser
def test_tokens_arrive_while_it_goes_on_and_escape_stops_it(page: Page, endless: Running) -> None:
    ready(page, endless)
    ask(page, "Go on.")
    for least in (10, 100):
        while len(page.inner_text(".assistant > .body")) < least:
            page.wait_for_timeout(5)  # the page forbids the eval of wait_for_function
    assert page.is_visible("#stop")
    page.keyboard.press("Escape")
    page.wait_for_selector(".assistant .facts:not(:empty)")
    assert "stopped" in page.inner_text(".assistant .facts")
    assert page.is_visible("#send")
    endless.until(lambda stats: stats["n_running"] == 0)


@needs_browser
def test_the_controls_reach_the_server(page: Page, endless: Running) -> None:
    ready(page, endless)
    page.fill("#control-max_tokens", "5")
    ask(page, "Go on.")
    page.wait_for_selector("text=the limit was reached")
    assert page.inner_text(".assistant > .body") == "aaaaa"
    page.fill("#control-temperature", "2")
    page.reload()
    assert page.input_value("#control-max_tokens") == "5"
    assert page.input_value("#control-temperature") == "2"
    page.click("text=Reset")
    assert page.input_value("#control-max_tokens") == ""


@needs_browser
def test_a_key_is_asked_for(page: Page, alphabet_path: Path, browser: Browser) -> None:
    settings = Settings(
        model=str(alphabet_path), parallel=1, ctx_size=128, threads=1, api_key=("secret",)
    )
    context = browser.new_context()
    own = context.new_page()  # it logs the refusal, as it should
    with running(settings) as server:
        own.goto(server.url + "/")
        own.wait_for_selector("#key-dialog[open]")
        own.fill("#key", "secret")
        own.keyboard.press("Enter")
        own.wait_for_selector("#state[data-is=ready]")
        assert own.input_value("#model") == "alphabet"
    context.close()


def test_a_browser_gets_the_page_and_a_program_what_it_asked_for(alphabet_server: Running) -> None:
    page = alphabet_server.get("/", headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert alphabet_server.get("/").json() == {"status": "ok", "service": "jan-engine"}
    loaded = re.findall(r'(?:src|href)="(playground/[^"]+)"', page.text)
    assert len(loaded) >= 3
    for path in loaded:
        assert alphabet_server.get("/" + path).status_code == 200
    for name in ("api", "controls", "markdown", "thread"):
        assert "export " in alphabet_server.get(f"/playground/{name}.js").text
    assert alphabet_server.get("/playground/index.html").status_code == 404
    assert alphabet_server.get("/playground/..%2fapp.py").status_code == 404


def test_without_it_there_is_none(alphabet_path: Path) -> None:
    settings = Settings(model=str(alphabet_path), parallel=1, ctx_size=128, threads=1, ui=False)
    with running(settings) as server:
        assert server.get("/", headers=HTML).json()["status"] == "ok"
        assert server.get("/playground/app.js").status_code == 404
