"""Requests and answers as the reference documents show them: one file a case, named by a sentence."""

import json
import re
from pathlib import Path

import pytest

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def assert_like(wanted, found, org: str, where: str = "answer") -> None:
    """Equal, where `<any>`, `<time>`, `<org>` and `<uuid>` stand for what differs from run to run; more is allowed."""
    if isinstance(wanted, dict):
        assert isinstance(found, dict), where
        for name, value in wanted.items():
            if value != "<any>":
                assert name in found, f"{where}.{name}"
                assert_like(value, found[name], org, f"{where}.{name}")
    elif isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        assert isinstance(found, list), where
        assert len(wanted) == len(found), where
        for i, (one, other) in enumerate(zip(wanted, found, strict=True)):
            assert_like(one, other, org, f"{where}[{i}]")
    elif isinstance(wanted, str) and "<" in wanted:
        pattern = re.escape(wanted).replace("<uuid>", UUID).replace("<time>", TIME).replace("<org>", org)
        assert re.fullmatch(pattern, found), f"{where}: {found}"
    else:
        assert wanted == found, where


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_documents_case(http, path):
    for step in json.loads(path.read_text()):
        request = step["request"]
        answer = http.request(
            request["method"], request["path"], json=request.get("body"), headers=request.get("headers")
        )
        assert answer.status_code == step["status"], (request, answer.text)
        if "answer" in step:
            assert_like(step["answer"], answer.json(), http.headers["X-Monterosa-Org-ID"])
