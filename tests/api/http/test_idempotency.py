"""What is kept of responses: none that holds a secret, each for its caller only, and none for longer than a day."""

import asyncio

import httpx
import msgspec
import pytest

from plaudit.api.app import OPERATIONS
from plaudit.api.http import idempotency
from plaudit.errors import Conflict
from plaudit.storage.orgs import SCOPES
from tests.support.existing import existing
from tests.support.http import ok
from tests.support.narrow_key import key_of

KEY = {"Idempotency-Key": "the-same"}


def already_done(response) -> str | None:
    assert response.status_code == 409, response.text
    error = response.json()["error"]
    assert error["code"] == "already_done"
    return error.get("id")


def _names_in(response) -> set[str]:
    """The names of the fields of a type of responses, and of the types in it."""
    if response is None:
        return set()
    schemas, components = msgspec.json.schema_components([response])
    return {name for schema in [*schemas, *components.values()] for name in schema.get("properties", {})}


def test_every_call_that_shows_a_secret_says_so():
    """Or its response would be kept: a POST whose response has a field for a secret names what it made instead."""
    showing = {
        operation.name for operation in OPERATIONS
        if operation.method == "POST" and not operation.is_open and any("secret" in name.lower() for name in _names_in(operation.response))
    }  # fmt: skip
    assert showing == {operation.name for operation in OPERATIONS if operation.shown_once is not None}
    assert len(showing) == 3


def test_a_secret_is_shown_once_and_a_repeated_request_names_what_was_made(shop, server_process):
    body = {"name": "Shop", "scopes": ["admin:read"]}
    made = ok(shop.post("/v1/api-keys", json=body, headers=KEY), 201)
    rotate = f"/v1/api-keys/{made['keyId']}/rotate"
    rotated = ok(shop.post(rotate, json={}, headers={"Idempotency-Key": "two"}), 201)
    ok(shop.post("/v1/webhooks", json={"webhookId": "hook", "name": "Hook"}), 201)
    turned = ok(shop.post("/v1/webhooks/hook/rotate-secret", json={}, headers={"Idempotency-Key": "three"}))

    count = len(ok(shop.get("/v1/api-keys"))["apiKeys"])
    with key_of(shop, *SCOPES) as other:  # what it is for another key, it is for the same one
        for client in (shop, other):
            assert already_done(client.post("/v1/api-keys", json=body, headers=KEY)) == made["keyId"]
            assert already_done(client.post(rotate, json={}, headers={"Idempotency-Key": "two"})) == rotated["keyId"]
            again = client.post("/v1/webhooks/hook/rotate-secret", json={}, headers={"Idempotency-Key": "three"})
            assert already_done(again) == "hook"
    beta = shop.post("/api/loyalty/admin/api-keys", json=body, headers={"Idempotency-Key": "four"}).json()["data"]
    again = shop.post("/api/loyalty/admin/api-keys", json=body, headers={"Idempotency-Key": "four"})
    assert already_done(again) == beta["keyId"]
    problem = shop.post("/v1/api-keys", json=body, headers={**KEY, "Accept": "application/problem+json"}).json()
    assert (problem["code"], problem["id"]) == ("already_done", made["keyId"])
    assert len(ok(shop.get("/v1/api-keys"))["apiKeys"]) == count + 2  # the other's own, and the beta's
    assert ok(shop.get("/v1/webhooks/hook/secret"))["secret"] == turned["secret"]
    other_body = shop.post("/v1/api-keys", json=body | {"name": "Another"}, headers=KEY)
    assert (other_body.status_code, other_body.json()["error"]["code"]) == (422, "idempotency_mismatch")

    kept = server_process.sql(
        "SELECT coalesce(encode(content, 'escape'), '') || coalesce(made, '') FROM idempotency_keys"
    )
    text = "\n".join(row[0] for row in kept)
    for secret in (made["apiSecret"], rotated["apiSecret"], turned["secret"], beta["apiSecret"]):
        assert secret not in text


def test_a_response_is_for_the_caller_who_got_it(shop):
    profile = {"userId": "ann", "email": "ann@example.com"}
    ok(shop.post("/v1/profiles", json=profile, headers=KEY), 201)
    assert shop.post("/v1/profiles", json=profile, headers=KEY).json()["idempotentReplayed"] is True
    secret = shop.headers["Authorization"].removeprefix("Bearer ")
    form = {"grant_type": "client_credentials", "client_id": shop.headers["X-Monterosa-Org-ID"],
            "client_secret": secret, "scope": "members:write"}  # fmt: skip
    token = httpx.post(f"{shop.base_url}/api/auth/token", data=form).json()["access_token"]
    narrower = {**shop.headers, "authorization": f"Bearer {token}", **KEY}
    with key_of(shop, "members:write") as other:
        for response in (
            other.post("/v1/profiles", json=profile, headers=KEY),
            httpx.post(f"{shop.base_url}/v1/profiles", json=profile, headers=narrower),
        ):
            assert already_done(response) is None
            assert "ann@example.com" not in response.text


def test_a_refusal_is_no_obstacle_to_another_caller(shop):
    body = {"name": "Wide", "scopes": ["admin:read"]}
    with key_of(shop, "admin:write") as narrow:
        assert narrow.post("/v1/api-keys", json=body, headers=KEY).status_code == 403
        assert narrow.post("/v1/api-keys", json=body, headers=KEY).status_code == 403
        made = ok(shop.post("/v1/api-keys", json=body, headers=KEY), 201)
        assert already_done(narrow.post("/v1/api-keys", json=body, headers=KEY)) == made["keyId"]


def test_what_a_key_has_done_is_not_done_again_by_another_key(staged, database):
    async def scenario():
        async with staged(database) as stage:
            claim = (stage.pool, stage.org_id, "pay")
            assert await idempotency.begin(*claim, "credit", b"{}", "one") is None
            with pytest.raises(Conflict, match="still in progress"):
                await idempotency.begin(*claim, "credit", b"{}", "two")
            await idempotency.finish(*claim, 201, b'{"a":1}', caller="one")
            kept = existing(await idempotency.begin(*claim, "credit", b"{}", "one"))
            assert (kept.status, kept.content) == (201, b'{"a":1}')
            with pytest.raises(Conflict, match="another caller"):
                await idempotency.begin(*claim, "credit", b"{}", "two")

    asyncio.run(scenario())
