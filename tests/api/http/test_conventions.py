"""What holds for every call: both envelopes, problem details, keys that make a POST count once, limits."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from plaudit import clock
from plaudit.api.http import idempotency
from plaudit.api.http.rate_limits import Policy, RateLimits
from plaudit.delivery.live import STREAMS_OF_MEMBER_MAX
from plaudit.errors import IdempotencyConflict, RateLimited
from plaudit.storage.queries import queries_beside
from tests.support.eventually import eventually_async
from tests.support.http import ok

PRODUCT = {"name": "Cup", "sku": "CUP", "type": "merchandise"}


def test_the_beta_returns_the_same_in_its_own_envelope(shop):
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


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/products", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/v1/products/cup", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("DELETE", "/api/audience/profile", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("GET", "/api/audience/internal/actions", "OPTIONS, POST"),
        ("PATCH", "/loyalty/v1/products", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ("PUT", "/metrics", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/loyalty/config", "GET, HEAD, OPTIONS"),
        ("GET", "/api/loyalty/action", "OPTIONS, POST"),
        ("DELETE", "/loyalty/api/loyalty/admin/users/ann/consents", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_another_method_is_a_405_that_names_those_there_are_and_an_unknown_path_a_404(shop, method, path, allowed):
    """In the envelope of the path's generation, whoever asks."""
    with httpx.Client(base_url=shop.base_url) as stranger:
        for client in (shop, stranger):
            wrong, unknown = client.request(method, path), client.request(method, f"{path}/no/such/path")
            assert (wrong.status_code, wrong.headers["Allow"]) == (405, allowed)
            assert (unknown.status_code, unknown.headers.get("Allow")) == (404, None)
            options = client.options(path)
            assert (options.status_code, options.headers["Allow"], options.content) == (204, allowed, b"")
            for response, code in ((wrong, "method_not_allowed"), (unknown, "not_found")):
                body = response.json()
                if "/api/loyalty/" in path:
                    assert (body.keys(), body["error"]) == ({"message", "error"}, {"code": code})
                else:
                    assert (body["success"], body["error"]["code"]) == (False, code)
    problem = shop.request(method, path, headers={"Accept": "application/problem+json"})
    assert (problem.status_code, problem.headers["Allow"], problem.json()["code"]) == (
        405,
        allowed,
        "method_not_allowed",
    )


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/products", "/v1/products/none", "/no/such/path"]
)
def test_head_returns_what_get_does_without_the_body(shop, path):
    get, head = shop.get(path), shop.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path != "/metrics":  # it has counters
        assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert shop.get(path).status_code == get.status_code  # on the same connection


def test_head_of_a_stream_ends_with_its_head(shop, server_process):
    shop.post("/v1/profiles", json={"userId": "ann"})
    with server_process.member_of(shop, "ann") as ann:
        for _ in range(STREAMS_OF_MEMBER_MAX + 1):  # none of them stays open
            head = ann.head("/api/loyalty/me/stream")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Type"].startswith("text/event-stream")


def test_head_of_a_path_without_get_is_a_405(shop):
    response = shop.head("/api/audience/internal/actions")
    assert (response.status_code, response.headers["Allow"]) == (405, "OPTIONS, POST")


def test_errors_are_problem_details_for_those_who_accept_them(shop):
    response = shop.post("/v1/products", json={"name": 1}, headers={"Accept": "application/problem+json"})
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code == 400
    assert problem["title"] == "Bad Request"
    assert {error["field"] for error in problem["errors"]} == {"name", "sku", "type"}


def test_a_correlation_id_is_given_back_or_made(shop):
    assert shop.get("/v1/products", headers={"X-Correlation-ID": "abc"}).headers["X-Correlation-ID"] == "abc"
    trace = "0af7651916cd43dd8448eb211c80319c"
    response = shop.get("/v1/products", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert response.headers["X-Correlation-ID"] == trace
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
                await first.fetchrow(queries_beside(idempotency.__file__).begin, *claim, b"other", clock.now())
                second = asyncio.create_task(idempotency.begin(stage.pool, *claim, "credit", b"{}"))
                await eventually_async(lambda: first.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))
                await transaction.commit()
            with pytest.raises(IdempotencyConflict):
                await second

    asyncio.run(scenario())


def test_every_response_has_the_rate_limit_headers(shop):
    assert not any("ratelimit" in name.lower() for name in shop.get("/v1/products").headers)  # there is no limit
    assert not any("ratelimit" in name.lower() for name in shop.get("/v1/no-such-call").headers)
    assert shop.put("/v1/settings", json={"limits": "standard"}).status_code == 200
    first, second = (shop.get("/v1/products").headers for _ in range(2))
    assert first["X-RateLimit-Limit"] == "1000"
    assert int(second["X-RateLimit-Remaining"]) == int(first["X-RateLimit-Remaining"]) - 1
    assert first["RateLimit-Policy"] == '"admin";q=1000;w=3600'
    action = {"userId": "ann", "action": "hello"}
    responses = [shop.post("/api/audience/internal/actions", json=action) for _ in range(3)]
    assert [response.headers["RateLimit-Policy"] for response in responses] == ['"ingestion";q=500;w=5'] * 3


def test_refusals_of_every_kind_tell_the_limit(shop, server_process):
    ok(shop.put("/v1/settings", json={"limits": "standard"}))
    narrow = ok(shop.post("/v1/api-keys", json={"name": "In", "scopes": ["actions:write"]}), 201)["apiSecret"]
    unknown = {"Authorization": "Bearer nobody-knows-this"}
    refused = {
        401: shop.get("/v1/products", headers=unknown),
        403: shop.get("/v1/products", headers={"Authorization": f"Bearer {narrow}"}),
        404: shop.get("/v1/no-such-call"),
        405: shop.patch("/v1/products"),
        400: shop.get("/v1/products", params={"surprise": "1"}),
    }
    for status, response in refused.items():
        assert response.status_code == status
        assert all(f"X-RateLimit-{name}" in response.headers for name in ("Limit", "Remaining", "Reset")), status
    assert {refused[status].headers["X-RateLimit-Limit"] for status in (400, 403, 404, 405)} == {"1000"}
    with server_process.member_of(shop, "ann") as ann:
        assert ann.get("/v1/products").headers["X-RateLimit-Limit"] == "100"  # 403: a member's own
        responses = [ann.get("/api/loyalty/me/metrics") for _ in range(201)]
        beyond = next(response for response in responses if response.status_code == 429)
        assert (beyond.headers["X-RateLimit-Limit"], beyond.headers["X-RateLimit-Remaining"]) == ("100", "0")
        assert int(beyond.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_together_let_through_no_more_than_the_limit(staged, database, processes):
    async def run():
        async with staged(database) as stage:
            limits = [RateLimits(stage.pool) for _ in range(processes)]
            policy = Policy("test", 40, 3600)
            let_through = 0
            for turn in range(60):
                with suppress(RateLimited):
                    await limits[turn % processes].spend(policy, str(stage.org_id))
                    let_through += 1
            return let_through

    assert asyncio.run(run()) == 40


def test_a_refused_request_whose_body_comes_late_leaves_the_connection_to_the_next(server_process):
    asked = b"POST /v1/metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nobody\r\nContent-Length: 2\r\n\r\n"
    alive = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server_process.port), timeout=10) as line:
        line.sendall(asked)
        time.sleep(0.2)  # the body is late
        line.sendall(b"{}")
        assert line.recv(65536).startswith(b"HTTP/1.1 401")
        line.sendall(alive)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("accepted", "encoding"), [("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)])
def test_long_responses_are_compressed_and_streams_are_not(shop, accepted, encoding):
    headers = {"Accept-Encoding": accepted}
    shop.post("/v1/profiles", json={"userId": "ann", "note": "x" * 2_000})
    described = shop.get("/openapi.json", headers=headers)
    profile = shop.get("/v1/profiles/ann", headers=headers)
    for response in (described, profile):
        assert response.headers.get("Content-Encoding") == encoding
    assert profile.json()["data"]["note"] == "x" * 2_000
    assert encoding is None or int(profile.headers["Content-Length"]) < 1_500
    assert "Content-Encoding" not in shop.get("/v1/clock", headers=headers).headers
    exported = shop.get("/v1/bulk/export?kind=members", headers=headers)
    assert "Content-Encoding" not in exported.headers
    assert "x" * 2_000 in exported.text


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
@pytest.mark.parametrize(
    "path", ["/openapi.json", "/v1/effects", "/v1/products", "/v1/nothing", "/v1/bulk/export?kind=members"]
)  # fmt: skip
def test_head_has_the_headers_of_get(shop, path, encoding):
    headers = {"Accept-Encoding": encoding}
    head = shop.head(path, headers=headers)
    get = shop.get(path, headers=headers)
    sized = ["Content-Length"] if "Content-Length" in head.headers else []  # a stream's is not known before its end
    for name in ("Content-Type", "Content-Encoding", "Vary", *sized):
        assert (head.headers.get(name), head.status_code) == (get.headers.get(name), get.status_code), name
    assert head.content == b""
