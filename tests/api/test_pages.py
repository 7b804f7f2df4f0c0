"""What people find who open the server in a browser, and where the problems' types lead."""

import ast
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

import plaudit
from plaudit import errors
from plaudit.api.http.errors import STATUS_OF_KIND
from plaudit.core.decision import Refusal
from plaudit.core.refusals import MEANINGS, all_refusals
from plaudit.error_codes import CODES, meaning_of

SOURCE = Path(plaudit.__file__).parent
# What only the terminal, the client library or a line of an import meets.
NOT_OF_THE_API = {
    "unreachable", "unexpected_response", "port_in_use", "folder_in_use", "backup_failed", "database_not_empty",
    "database_newer", "migration_failed", "postgresql_too_old", "months_not_made",
}  # fmt: skip


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.anchors: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.found += [value for name, value in attrs if name in ("href", "src") and value]
        self.anchors += [value for name, value in attrs if name == "id" and value]


def own_links(response) -> set[str]:
    """The links of a page, none of which may lead to another host by itself."""
    links = [urljoin(response.request.url.path, name) for name in Links(response.text).found]
    return {link for link in links if not link.startswith(("http", "data:"))}


def test_every_page_of_the_server_and_what_it_leads_to_is_there(http):
    waiting, seen = ["/"], set()
    anchors, wanted = {}, set()
    while waiting:
        path, _, anchor = waiting.pop().partition("#")
        if anchor:
            wanted.add((path, anchor))
        if path in seen or path == "/openapi.json":
            continue
        seen.add(path)
        response = http.get(path, headers={"Authorization": ""})
        assert response.status_code == 200, path
        if response.headers["content-type"].startswith("text/html"):
            assert "default-src 'self'" in response.headers["content-security-policy"]
            waiting += own_links(response)
            anchors[path] = Links(response.text).anchors
            assert len(anchors[path]) == len(set(anchors[path])), path
    assert {(path, anchor) for path, anchor in wanted if anchor not in anchors[path]} == set()
    assert len(wanted) > 30
    assert {"/docs", "/manual", "/llms.txt", "/docs/swagger-ui-bundle.js", "/manual/guides/points"} <= seen
    assert {"/manual/reference/structures", "/manual/recipes/daily-streak", "/manual/glossary"} <= seen


def test_the_list_for_language_models_leads_to_pages_as_they_are_written(http):
    response = http.get("/llms.txt")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("# Plaudit\n\n> ")
    pages = re.findall(r"\]\((manual/\S+)\)", response.text)
    assert len(pages) > 20
    for page in pages:
        found = http.get("/" + page)
        assert found.headers["content-type"] == "text/markdown; charset=utf-8"
        assert "# " in found.text


@pytest.mark.parametrize("path", ["/docs/nothing.js", "/manual/nothing", "/manual/guides/nothing", "/problems/nothing"])
def test_what_is_not_there_is_not_found(http, path):
    assert http.get(path).status_code == 404


def test_a_problems_type_leads_to_what_it_means(http):
    problem = http.get("/v1/campaigns/nothing", headers={"Accept": "application/problem+json"})
    page = http.get(urljoin(str(problem.request.url), problem.json()["type"]))
    assert page.status_code == 200
    assert "campaign_not_found" in page.text
    assert "Status 404" in page.text
    assert "out of stock" in http.get("/problems/stock_empty").text


def test_the_description_has_examples_and_names_its_server(http):
    description = http.get("/openapi.json").json()
    assert description["servers"] == [{"url": "/", "description": "This server"}]
    create = description["paths"]["/v1/rewards"]["post"]
    request = create["requestBody"]["content"]["application/json"]["example"]
    assert request["rewardType"] == "points"
    assert (
        create["responses"]["201"]["content"]["application/json"]["example"]["data"]["reward"]["config"]
        == request["config"]
    )
    assert (
        "example"
        in description["paths"]["/api/audience/internal/actions"]["post"]["requestBody"]["content"]["application/json"]
    )
    assert "<" not in json.dumps([create["requestBody"]["content"]["application/json"]["example"]])


def literal_codes():
    """Every code that is raised somewhere, with the class that it is raised as, if that is to be seen."""
    for path in SOURCE.rglob("*.py"):
        if "client" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for word in node.keywords:
                    if (
                        word.arg == "code"
                        and isinstance(word.value, ast.Constant)
                        and isinstance(word.value.value, str)
                    ):
                        yield word.value.value, node.func.id if isinstance(node.func, ast.Name) else ""


@pytest.mark.parametrize(("code", "raised_as"), sorted(set(literal_codes())))
def test_every_code_that_is_raised_has_its_sentence_and_status(code, raised_as):
    if code in NOT_OF_THE_API:
        return
    found = meaning_of(code)
    assert found is not None, f"error_codes has no sentence for {code}"
    kind = getattr(getattr(errors, raised_as, None), "kind", None)
    if kind is not None:
        assert STATUS_OF_KIND[kind] in found[0]


def test_every_family_of_errors_and_every_refusal_has_its_sentence():
    for family in errors.PlauditError.__subclasses__():
        if family.__module__ == "plaudit.errors":
            assert STATUS_OF_KIND[family.kind] in CODES[family.code][0]
    assert set(MEANINGS) == set(all_refusals()) >= set(Refusal)
    for sentence in [*MEANINGS.values(), *(name for _, name in CODES.values())]:
        assert sentence.endswith(".")
