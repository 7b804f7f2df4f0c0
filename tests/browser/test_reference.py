"""The page for the API in a real browser: it shows the calls, and loads nothing from elsewhere."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from .test_widget import CHROMIUM, FLAGS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


def test_the_reference_shows_every_call_and_loads_nothing_from_elsewhere(server_process):
    asked, wrong = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))
        page.goto(f"{server_process.url}/docs#/Rewards/createReward")
        call = page.locator("#operations-Rewards-createReward")
        expect(call).to_contain_text("/v1/rewards", timeout=120_000)
        expect(call).to_contain_text("Video Watch Reward", timeout=120_000)  # the documented example
        browser.close()
    assert wrong == []
    assert {urlsplit(url).netloc for url in asked if url.startswith("http")} == {urlsplit(server_process.url).netloc}
