"""What holds for every call: both envelopes, problem details, keys that make a POST count once, limits."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from plaudit import clock
from plaudit.api import idempotency
from plaudit.api.rate_limits import Policy, RateLimits
from plaudit.errors import Mismatch, TooMany

PRODUCT = {"name": "Cup", "sku": "CUP", "type": "merchandise"}


def test_the_beta_answers_the_same_in_its_own_envelope(shop):
    made = shop.post("/api/loyalty/admin/products", json=PRODUCT)
    assert made.status_code == 201
    assert made.json()["message"] == "OK"
    product_id = made.json()["data"]["productId"]
    for prefix in ("", "/loyalty"):
        beta = shop.get(f"{prefix}/api/loyalty/admin/products/{product_id}").json()["data"]
        assert beta == shop.get(f"{prefix}/v1/products/{product_id}").json()["data"]
    shop.post("/v1/profiles", json={"userId": "ann"})
    assert shop.get("/api/loyalty/admin/users/ann").json() == {
        "message": "OK", "data": shop.get("/v1/profiles/ann").json()["data"],
    }  # fmt: skip
    missing = shop.get("/api/loyalty/admin/users/bob")
    assert missing.status_code == 404
    assert missing.json() == {"message": "User not found", "error": {"code": "user_not_found"}}


def test_errors_are_problem_details_for_those_who_accept_them(shop):
    answer = shop.post("/v1/products", json={"name": 1}, headers={"Accept": "application/problem+json"})
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code == 400
    assert problem["title"] == "Bad Request"
    assert {one["field"] for one in problem["errors"]} == {"name", "sku", "type"}


def test_a_correlation_id_is_given_back_or_made(shop):
    assert shop.get("/v1/products", headers={"X-Correlation-ID": "abc"}).headers["X-Correlation-ID"] == "abc"
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = shop.get("/v1/products", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert answer.headers["X-Correlation-ID"] == trace
    assert len(shop.get("/v1/nothing/here").headers.get("X-Correlation-ID", "")) in (0, 32)


def test_an_idempotency_key_makes_a_post_count_once(shop):
    key = {"Idempotency-Key": "one"}
    first = shop.post("/v1/products", json=PRODUCT, headers=key)
    again = shop.post("/v1/products", json=PRODUCT, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json() | {"idempotentReplayed": True}
    assert again.headers["Idempotent-Replayed"] == "true"
    other = shop.post("/v1/products", json=PRODUCT | {"name": "Mug"}, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")
    refused = shop.post("/v1/products", json={}, headers={"Idempotency-Key": "two"})
    assert (
        shop.post("/v1/products", json={}, headers={"Idempotency-Key": "two"}).json()["error"]
        == (refused.json()["error"])
    )


def test_a_key_used_by_many_at_once_pays_once(shop):
    body = {"userId": "ann", "metric": "points", "amount": 7}

    def credit(_):
        with httpx.Client(base_url=shop.base_url, headers=shop.headers, timeout=60) as client:
            return client.post("/v1/transactions", json=body, headers={"Idempotency-Key": "pay"}).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = set(threads.map(credit, range(24)))
    assert statuses <= {201, 409}
    assert shop.get("/v1/profiles/ann").json()["data"]["points"] == 7


def test_a_key_that_is_claimed_while_one_waits_for_it_is_in_use(staged, database):
    """The second statement began before the first one's row could be seen, and waited for it."""

    async def scenario():
        async with staged(database) as stage:
            claim = (stage.org_id, "pay")
            async with stage.pool.acquire() as first:
                transaction = first.transaction()
                await transaction.start()
                await first.fetchrow(idempotency.SQL.begin, *claim, b"other", clock.now())
                second = asyncio.create_task(idempotency.begin(stage.pool, *claim, "credit", b"{}"))
                while not await first.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                    await asyncio.sleep(0.01)
                await transaction.commit()
            with pytest.raises(Mismatch):
                await second

    asyncio.run(scenario())


def test_every_answer_tells_the_limit(shop):
    free = shop.get("/v1/products").headers
    assert int(free["X-RateLimit-Remaining"]) > 1_000_000
    assert shop.put("/v1/settings", json={"limits": "standard"}).status_code == 200
    first, second = (shop.get("/v1/products").headers for _ in range(2))
    assert first["X-RateLimit-Limit"] == "1000"
    assert int(second["X-RateLimit-Remaining"]) == int(first["X-RateLimit-Remaining"]) - 1
    assert first["RateLimit-Policy"] == '"admin";q=1000;w=3600'
    action = {"userId": "ann", "action": "hello"}
    answers = [shop.post("/api/audience/internal/actions", json=action) for _ in range(3)]
    assert [one.headers["RateLimit-Policy"] for one in answers] == ['"ingestion";q=500;w=5'] * 3


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_together_let_through_no_more_than_the_limit(staged, database, processes):
    async def run():
        async with staged(database) as stage:
            limits = [RateLimits(stage.pool) for _ in range(processes)]
            policy = Policy("test", 40, 3600)
            let_through = 0
            for turn in range(60):
                with suppress(TooMany):
                    await limits[turn % processes].spend(policy, str(stage.org_id))
                    let_through += 1
            return let_through

    assert asyncio.run(run()) == 40


def test_a_refused_request_whose_body_comes_late_leaves_the_connection_to_the_next(server_process):
    asked = b"POST /v1/metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody\r\nContent-Length: 2\r\n\r\n"
    alive = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server_process.port), timeout=10) as line:
        line.sendall(asked)
        time.sleep(0.2)
        line.sendall(b"{}")
        assert line.recv(65536).startswith(b"HTTP/1.1 401")
        line.sendall(alive)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
