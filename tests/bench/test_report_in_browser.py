"""The page of `jan bench plot --html`, in a real browser that has no network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jan_bench.plot.report import report_of
from jan_bench.results import read_results
from tests.bench.samples import engine_rows, quality_report, serve_row

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.unsanitized,  # the browser would be, too
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]


def test_the_page_is_drawn_light_and_dark_without_a_network(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    told = tmp_path / "told.json"
    rows = [serve_row(n) for n in (1, 4, 16)] + engine_rows()
    told.write_text(json.dumps([*rows, quality_report()]))
    path = tmp_path / "report.html"
    path.write_text(report_of(read_results([told]), "A <title>"))
    complaints: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(offline=True, color_scheme="light").new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        background = "() => getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(background)
        page.get_by_role("button", name="Light or dark").click()
        assert page.evaluate(background) != light
        assert page.locator("h1").inner_text() == "A <title>"
        assert page.locator("svg").count() == 9
        # Nothing hangs over the edge of a narrow screen.
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        browser.close()
    assert complaints == []
    assert asked == [path.as_uri()]
