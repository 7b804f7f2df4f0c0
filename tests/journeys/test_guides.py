"""The guides and recipes, followed as they stand: all of them on one server, in the organisation that they name."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.api.test_cases import assert_like
from tests.support.eventually import eventually
from tests.support.existing import existing
from tests.support.server import PLAIN, free_port

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs" / "guides").glob("*.md"), *(ROOT / "docs" / "recipes").glob("*.md")])
BLOCK = re.compile(r"```(http|json)(?: as=(\w+))?\n(.*?)```", re.DOTALL)
AT_ONCE = "> The examples run on the server of `make run`, in its test organisation `demo-test`"


@pytest.fixture(scope="module")
def documented(server_process):
    """The organisation `demo-test`, with the credentials that `make run` has kept."""
    given = json.loads((server_process.folder / "demo-test.json").read_text())
    headers = {"Authorization": f"Bearer {given['apiSecret']}", "X-Monterosa-Org-ID": given["orgId"]}
    server_process.jwt_secrets[given["orgId"]] = given["jwtSecret"]
    with httpx.Client(base_url=server_process.url, headers=headers, timeout=60, verify=PLAIN) as client:
        yield client


def settled(shop) -> None:
    """Until everything reported has been decided, and every segment is filled."""

    def done() -> bool:
        queued = shop.get("/v1/events", params={"status": "queued"}).json()["data"]["events"]
        segments = shop.get("/v1/segments").json()["data"]["segments"]
        filling = [
            shop.get(f"/v1/segments/{segment['segmentId']}/members").json()["data"]["filling"] for segment in segments
        ]
        return not queued and all(fill["finishedAt"] for fill in filling)

    eventually(done)


def the_part_of(found, wanted):
    """What was found without the items of lists that others than the page's own members and documents have put there."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {name: the_part_of(value, wanted.get(name)) for name, value in found.items()}
    if isinstance(wanted, list) and isinstance(found, list) and wanted and isinstance(wanted[0], dict):
        names = [{name: id_ for name, id_ in item.items() if name.endswith("Id")} for item in wanted]
        if all(names):
            return [item for item in found if any(name.items() <= item.items() for name in names)]
    return found


def follow(shop, server_process, path: Path, *, alone: bool = True) -> None:
    """Send what a page says, and compare what it shows; unless `alone`, lists may have items of other pages too."""
    response = None
    shown = 0
    for kind, member, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        if kind == "json":
            found, wanted = existing(response).json(), json.loads(text)
            found = found.get("data", found)
            found = found if alone else the_part_of(found, wanted)
            assert_like(wanted, found, shop.headers["X-Monterosa-Org-ID"], path.stem)
            shown += 1
            continue
        first, _, body = text.strip().partition("\n")
        method, target = first.split()
        settled(shop)
        if target.startswith("/v1/feed"):  # messages are numbered by the deliverer, a moment after the commit
            eventually(lambda target=target: shop.get(target).json()["data"]["messages"])
        headers = {"Content-Type": "application/json"}
        if member:
            headers["Authorization"] = f"Bearer {server_process.token_of(shop, member)}"
        response = shop.request(method, target, content=body or None, headers=headers)
        assert response.status_code < 300, (path.stem, first, response.text)
        settled(shop)
    assert shown > 0


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_is_true(documented, server_process, path):
    follow(documented, server_process, path)


def test_the_pages_are_true_in_any_order(shop, server_process):
    for path in reversed(PAGES):
        follow(shop, server_process, path, alone=False)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_says_once_where_its_examples_run(path):
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[2].startswith(AT_ONCE)
    assert text.count(AT_ONCE) == 1


def test_pages_use_different_members():
    """So that all can be followed on one server."""
    owners: dict[str, str] = {}
    for path in PAGES:
        text = "".join(block for _, _, block in BLOCK.findall(path.read_text(encoding="utf-8")))
        for user in set(re.findall(r'"userId": "(\w+)"', text)):
            assert owners.setdefault(user, path.stem) == path.stem, user


SHELL = re.compile(r"```sh\n(.*?)```(?:\n\n```json\n(.*?)```)?", re.DOTALL)


def test_the_readme_is_true(server_process):
    """The first campaign, typed into a shell."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("## A first campaign") : text.index("## In a page")]
    blocks = SHELL.findall(section)
    script = "set -e\n"
    for commands, _ in blocks:
        script += commands + "\necho '--- shown'\n"
    script = script.replace("http://127.0.0.1:8000", server_process.url)
    script = script.replace(".plaudit/", f"{server_process.folder}/")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    parts = done.stdout.split("--- shown\n")
    for (_, wanted), said in zip(blocks, parts, strict=False):
        if wanted:
            assert_like(json.loads(wanted), json.loads(said.strip().splitlines()[-1]), "", "README")
    *_, profile, why, _, why_not = parts[-2].strip().splitlines()
    found = json.loads(profile)["data"]
    assert (found["points"], found["badges"]) == (500, ["prod_vip_badge"])
    assert found["coupons"][0]["code"].startswith("VIP-")
    assert json.loads(why)["data"]["campaigns"][0]["fired"] is True
    assert json.loads(why_not)["data"]["campaigns"][0]["reason"] == "condition_failed"


def test_the_webhook_receiver_believes_signed_messages_only(tmp_path):
    from plaudit.delivery.signatures import signed_headers
    from plaudit.messages import payload_of

    text = (ROOT / "docs" / "recipes" / "webhook-receiver.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "receiver.py").write_text(source)
    port = free_port()
    environment = os.environ | {"WEBHOOK_SECRET": "whsec_test", "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "receiver.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    try:
        url, body = (
            f"http://127.0.0.1:{port}/",
            payload_of(
                UUID(int=1), "transaction.created", UUID(int=2), datetime(2026, 1, 1, tzinfo=UTC), {"amount": 25}
            ).encode(),
        )

        def post(headers: dict[str, str]) -> int | None:
            try:
                return httpx.post(url, content=body, headers=headers, verify=PLAIN).status_code
            except httpx.TransportError:
                return None

        signed = signed_headers("m-1", int(time.time()), body, ["whsec_test"])
        assert eventually(lambda: post(signed)) == 204
        assert post(signed) == 204  # the same message again
        assert post(signed | {"webhook-signature": "v1,bm8="}) == 401
        assert post(signed_headers("m-1", int(time.time()) - 3_600, body, ["whsec_test"])) == 401
        assert post({}) == 401
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=30)
    assert out.decode().count("transaction.created") == 1, "each message is dealt with once"
