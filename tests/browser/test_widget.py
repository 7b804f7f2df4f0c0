"""The widget and the example in a real browser. Where there is no Chromium, there is nothing to be tested with."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.support.http import ok

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

PAGE = """<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy"
content="default-src 'self'; script-src 'unsafe-inline' {server}; connect-src {server}">
<script type="module" src="{server}/widget/plaudit-member.js"></script>
{body}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A web site of somebody's, with the example and with pages of the tests' own."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "examples" / "live-toast" / "index.html", folder / "example.html")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def club(server_process, site):
    with server_process.client_of("Browser", is_test=True) as client:
        ok(client.put("/v1/settings", json={"cors": {"origins": [site[1]]}}))
        ok(client.post("/v1/triggers", json={"key": "film_watched", "name": "Film", "openToMembers": True}), 201)
        ok(
            client.post("/v1/products", json={"productId": "star", "name": "<b>Star</b>", "sku": "S", "type": "badge"}),
            201,
        )
        rungs = [
            {"rungId": "new", "name": "Newcomer", "threshold": 0},
            {"rungId": "fan", "name": "Fan", "threshold": 100},
        ]
        ok(
            client.post("/v1/ladders", json={"ladderId": "rank", "name": "Rank", "metric": "points", "rungs": rungs}),
            201,
        )
        ok(
            client.post(
                "/v1/streaks", json={"streakId": "daily", "name": "Films", "triggers": [{"type": "film_watched"}]}
            ),
            201,
        )
        film = {"name": "A film", "triggers": [{"type": "film_watched"}], "effects": [{"type": "add_points", "amount": 25}],
                "notification": {"title": "<img src=x onerror=alert(1)>", "message": "Well watched"}}  # fmt: skip
        ok(client.post("/v1/campaigns", json=film), 201)
        week = {"name": "Film week", "steps": [{"name": "Two", "trigger": "film_watched", "goal": {"target": 2}}],
                "effects": [{"type": "award_product", "productId": "star"}]}  # fmt: skip
        ok(client.post("/v1/campaigns", json=week), 201)
        yield client


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 480, "height": 800}, locale="en-GB")
    opened.errors = []
    opened.said = []
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    yield opened
    opened.close()


def show(page: Page, site, server_process, body: str) -> None:
    folder, address = site
    (folder / "page.html").write_text(PAGE.format(server=server_process.url, body=body), encoding="utf-8")
    page.goto(f"{address}/page.html")


def watch(club, user_id) -> None:
    body = {"userId": user_id, "action": "film_watched"}
    club.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=20"})


def test_two_lines_show_what_a_member_has_and_what_happens_to_them(page, site, server_process, club):
    token = server_process.token_of(club, "ann")
    show(page, site, server_process, f'<plaudit-member token="{token}"></plaudit-member>')
    card = page.get_by_role("region", name="Your rewards")
    card.wait_for()
    assert "0 Points" in card.inner_text().replace("\n", " ")
    assert card.get_by_role("progressbar", name="Film week").get_attribute("aria-valuenow") == "0"
    assert "None yet" in card.inner_text()

    watch(club, "ann")
    toast = page.get_by_role("status").locator(".toast")
    toast.wait_for()
    assert (
        toast.inner_text().replace("\n", " ") == "<img src=x onerror=alert(1)> Well watched +25 \N{MULTIPLICATION SIGN}"
    )  # a text, not a picture
    assert page.locator("plaudit-member .points b").inner_text() == "25"  # with the toast, not after it
    page.locator("plaudit-member .muted", has_text="75 to Fan").wait_for()
    assert card.get_by_role("progressbar", name="Film week").get_attribute("aria-valuenow") == "50"
    assert "75 to Fan" in card.inner_text()
    assert "1 in a row" in card.inner_text()
    toast.get_by_role("button", name="Close").click()
    assert toast.count() == 0

    watch(club, "ann")
    page.locator("plaudit-member .badge").wait_for()
    assert "<b>Star</b>" in card.inner_text()
    assert "Completed" in card.inner_text()
    assert page.errors == []


def test_it_speaks_the_pages_language_and_wears_its_colours(page, site, server_process, club):
    for _ in range(2):
        watch(club, "dan")
    token = server_process.token_of(club, "dan")
    show(
        page,
        site,
        server_process,
        f'<plaudit-member locale="de" show="points ladder" token="{token}"></plaudit-member>',
    )
    card = page.get_by_role("region", name="Deine Belohnungen")
    card.wait_for()
    assert "50 Punkte" in card.inner_text().replace("\n", " ")
    assert "Noch 50 bis Fan" in card.inner_text()
    assert card.get_by_role("heading").count() == 0
    page.evaluate("document.querySelector('plaudit-member').style.setProperty('--plaudit-accent', 'rgb(1, 2, 3)')")
    colour = (
        "getComputedStyle(document.querySelector('plaudit-member').shadowRoot.querySelector('.bar i')).backgroundColor"
    )
    assert page.evaluate(colour) == "rgb(1, 2, 3)"


def test_a_token_that_has_expired_is_asked_for_anew(page, site, server_process, club):
    token = server_process.token_of(club, "ann")
    body = f"""<plaudit-member></plaudit-member><script type="module">
      let asked = 0;
      const member = document.querySelector("plaudit-member");
      member.getToken = async () => {{ asked++; return asked === 1 ? "a.b.c" : "{token}"; }};
      member.setAttribute("locale", "en");
      window.asked = () => asked;
    </script>"""
    show(page, site, server_process, body)
    page.get_by_role("region", name="Your rewards").wait_for()
    assert page.evaluate("window.asked()") >= 2


def test_who_has_no_token_is_told_so_and_page_and_script_may_listen(page, site, server_process, club):
    body = """<script>addEventListener("plaudit-error", (event) => window.failed = event.detail.status)</script>
              <plaudit-member token="a.b.c"></plaudit-member>"""
    show(page, site, server_process, body)
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == "This can't be shown right now."
    assert page.evaluate("window.failed") == 401
    assert any("the token is not accepted" in line for line in page.said)


def test_the_example_shows_a_toast_for_a_click(page, site, server_process, club):
    token = server_process.token_of(club, "eva")
    page.goto(f"{site[1]}/example.html?server={server_process.url}#token={token}")
    page.get_by_role("region", name="Your rewards").wait_for()
    page.get_by_role("button", name="I watched a film").click()
    page.get_by_role("status").locator(".toast").wait_for()
    assert "ms after the click" in page.locator("#took").inner_text()
    assert page.errors == []


# Last, because a server knows of other origins for some seconds.
def test_a_page_of_a_forbidden_origin_is_told_so(page, site, server_process, club):
    token = server_process.token_of(club, "ann")
    ok(club.put("/v1/settings", json={"cors": {"origins": ["https://elsewhere.example"]}}))
    try:
        show(page, site, server_process, f'<plaudit-member token="{token}"></plaudit-member>')
        page.get_by_role("alert").wait_for()
        assert any(f"{site[1]} is not among the settings' cors.origins" in line for line in page.said)
    finally:
        ok(club.put("/v1/settings", json={"cors": {"origins": [site[1]]}}))
