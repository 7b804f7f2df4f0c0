"""The examples of the guides, run as they stand: each answer is what the page shows."""

import json
import re
import time
from pathlib import Path

import pytest

from tests.api.test_cases import assert_like

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))
BLOCK = re.compile(r"```(http|json)(?: as=(\w+))?\n(.*?)```", re.DOTALL)


def settled(shop) -> None:
    """Until everything reported has been decided, and every segment is filled."""
    deadline = time.monotonic() + 60
    while True:
        queued = shop.get("/v1/events", params={"status": "queued"}).json()["data"]["events"]
        segments = shop.get("/v1/segments").json()["data"]["segments"]
        filling = [shop.get(f"/v1/segments/{one['segmentId']}/members").json()["data"]["filling"] for one in segments]
        if not queued and all(one["finishedAt"] for one in filling):
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_the_guide_is_true(shop, server_process, path):
    answer = None
    shown = 0
    for kind, member, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        if kind == "json":
            found = answer.json()
            assert_like(json.loads(text), found.get("data", found), shop.headers["X-Monterosa-Org-ID"])
            shown += 1
            continue
        first, _, body = text.strip().partition("\n")
        method, target = first.split()
        settled(shop)
        headers = {"Content-Type": "application/json"}
        if member:
            headers["Authorization"] = f"Bearer {server_process.token_of(shop, member)}"
        answer = shop.request(method, target, content=body or None, headers=headers)
        assert answer.status_code < 300, (first, answer.text)
        settled(shop)
    assert shown > 0
