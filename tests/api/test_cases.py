"""Requests and responses as the reference documents show them: one file per case, named by a sentence.

A step is sent with the organisation's secret, or `as` a member with their token; with `until` it is sent until the response
is as expected. A `response` of "" is no content. The first generation's cases have an organisation of their own,
since its configuration is shown whole.
"""

import json
import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.eventually import eventually

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def assert_like(wanted, found, org: str, where: str = "response") -> None:
    """Equal, where `<any>`, `<time>`, `<org>` and `<uuid>` stand for what differs from run to run.

    More is allowed, but not in an object with `"<exact>": true`: the document shows all of it.
    """
    if isinstance(wanted, dict):
        assert isinstance(found, dict), where
        wanted = dict(wanted)
        if wanted.pop("<exact>", False):
            assert found.keys() == wanted.keys(), where
        for name, value in wanted.items():
            if value != "<any>":
                assert name in found, f"{where}.{name}"
                assert_like(value, found[name], org, f"{where}.{name}")
    elif isinstance(wanted, list):
        assert isinstance(found, list), where
        assert len(wanted) == len(found), where
        for i, (item, other) in enumerate(zip(wanted, found, strict=True)):
            assert_like(item, other, org, f"{where}[{i}]")
    elif isinstance(wanted, str) and "<" in wanted:
        pattern = re.escape(wanted).replace("<uuid>", UUID).replace("<time>", TIME).replace("<org>", org)
        assert re.fullmatch(pattern, found), f"{where}: {found}"
    else:
        assert wanted == found, where


@pytest.fixture
def organisation(request, path):
    return request.getfixturevalue("shop" if path.stem.startswith("first_generation") else "http")


def is_as_expected(client, step: dict, org: str) -> bool:
    """Return whether the response is as expected; fail if it is not and the step has no `until`."""
    request = step["request"]
    response = client.request(
        request["method"], request["path"], json=request.get("body"), headers=request.get("headers")
    )
    try:
        assert response.status_code == step["status"], (request, response.text)
        if step.get("response") == "":
            assert response.content == b""
        elif "response" in step:
            assert_like(step["response"], response.json(), org)
    except AssertionError:
        if not step.get("until"):
            raise
        return False
    return True


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_documents_case(organisation, server_process, path):
    with ExitStack() as members:
        clients = {None: organisation}
        for step in json.loads(path.read_text()):
            user = step.get("as")
            if user not in clients:
                clients[user] = members.enter_context(server_process.member_of(organisation, user))
            send = partial(is_as_expected, clients[user], step, organisation.headers["X-Monterosa-Org-ID"])
            eventually(send)


def test_a_leaked_or_misspelt_field_fails_where_all_is_shown():
    wanted = {"data": {"<exact>": True, "userId": "<any>", "points": 1}}
    assert_like(wanted, {"data": {"userId": "u", "points": 1}, "more": True}, "org")
    for row in ({"userId": "u", "points": 1, "secret": 2}, {"userid": "u", "points": 1}):
        with pytest.raises(AssertionError):
            assert_like(wanted, {"data": row}, "org")


def test_every_documented_response_is_shown_whole():
    """Each case has an object of which all is shown: else a field that leaks would go unnoticed."""
    assert [path.stem for path in CASES if '"<exact>": true' not in path.read_text()] == []
