"""`/metrics` and the first start: nobody learns of organisations or secrets who is not meant to."""

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.http import ok


def stocked(client) -> None:
    """A pool with codes, one without; a product with stock, one without."""
    for name in ("full", "empty"):
        ok(
            client.post(
                "/v1/products",
                json={"productId": name, "name": name, "sku": name, "type": "badge", "allocatedStock": 1},
            ),
            201,
        )
        ok(client.post("/v1/code-pools", json={"poolId": f"pool-{name}", "name": name, "productId": "full"}), 201)
    ok(client.post("/v1/code-pools/pool-full/import", json={"codes": ["c-1", "c-2"]}), 201)
    ok(client.post("/v1/profiles", json={"userId": "ann"}), 201)
    ok(client.post("/v1/products/empty/redeem", json={"userId": "ann"}))


def test_metrics_name_no_organisation_unless_asked_to(own_server, monkeypatch):
    server = own_server("--no-demo").start()
    with server.client_of("Club") as client:
        stocked(client)
        org_id = client.headers["X-Monterosa-Org-ID"]
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        assert {"plaudit_code_pools_empty 1", "plaudit_products_sold_out 1"} <= set(lines)
        assert not [line for line in lines if org_id in line or "pool-" in line or "org=" in line]
        assert server.stop() == 0
        monkeypatch.setenv("PLAUDIT_METRICS_BY_ORG", "true")
        server.start()
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        assert f'plaudit_codes_available{{org="{org_id}",pool="pool-full"}} 2' in lines
        assert f'plaudit_stock_left{{org="{org_id}",product="empty"}} 0' in lines


def test_metrics_may_need_a_token(own_server, monkeypatch):
    monkeypatch.setenv("PLAUDIT_METRICS_TOKEN", "for-the-watchman")
    server = own_server("--no-demo").start()
    refused: list[Any] = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "for-the-watchman"},
                  {"Authorization": "Bearer for-the-watchman-"}, {"Authorization": "Bearer for-the-watchma"},
                  {"Authorization": "Bearer für".encode()}]  # fmt: skip
    for headers in refused:
        response = httpx.get(f"{server.url}/metrics", headers=headers)
        assert (response.status_code, response.headers.get("WWW-Authenticate")) == (401, "Bearer")
        assert response.json()["error"]["code"] == "unauthenticated"
    response = httpx.get(f"{server.url}/metrics", headers={"Authorization": "Bearer for-the-watchman"})
    assert response.status_code == 200
    assert "plaudit_requests_total" in response.text
    assert httpx.get(f"{server.url}/readyz").status_code == 200  # load balancers have no token


def _output_on_a_terminal(server) -> str:
    """What `plaudit serve` prints on a terminal until it takes requests."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "plaudit", "serve", "--data", str(server.folder), "--port", str(server.port)]
    environment = os.environ | {"COLUMNS": "400", "TERM": "dumb"}
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    shown, asked, deadline = b"", False, time.monotonic() + 240
    with process:
        try:
            while process.poll() is None:  # to its end: nobody can write to a terminal that is full
                assert time.monotonic() < deadline, shown
                if select.select([ours], [], [], 0.2)[0]:
                    with suppress(OSError):  # it has closed its side by now
                        shown += os.read(ours, 4_096)
                if not asked and b"/docs" in shown:
                    process.terminate()
                    asked = True
        finally:
            process.kill()
            os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("on_a_terminal", [False, True])
def test_the_first_start_shows_secrets_on_a_terminal_only(own_server, on_a_terminal):
    server = own_server()
    if on_a_terminal:
        shown = _output_on_a_terminal(server)
    else:
        server.start()
        assert server.stop() == 0
        shown = (server.folder.parent / "server.log").read_text()
    given = server.credentials
    for secret in (given["apiSecret"], given["jwtSecret"]):
        assert (secret in shown) == on_a_terminal
    assert given["orgId"] in shown
    assert str(server.folder / "credentials.json") in shown
    assert (server.folder / "credentials.json").stat().st_mode & 0o077 == 0
