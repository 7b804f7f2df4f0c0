"""Permissions: which scope each call needs, who sees members, and that nobody gets more than they have."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from plaudit.api.app import OPERATIONS
from plaudit.api.http.operations import mounted_paths
from plaudit.storage.orgs import SCOPES
from tests.support.http import ok
from tests.support.narrow_key import key_of

GUARDED = [operation for operation in OPERATIONS if operation.scope is not None]
PERSON = "zoe.person@example.com"  # a user id as people choose them

# Reading needs admin:read and writing admin:write, but for these.
MEMBERS_READ = {
    "GET /api/audience/profile",
    "GET /api/audience/{name}",
    "GET /v1/profiles",
    "GET /v1/profiles/{userId}",
    "GET /v1/profiles/{userId}/consents",
    "GET /v1/profiles/{userId}/export",
    "GET /v1/transactions",
    "GET /v1/transactions/{transactionId}",
    "GET /v1/events",
    "GET /v1/events/{eventId}",
    "GET /v1/events/{eventId}/explain",
    "GET /v1/segments/{segmentId}/members",
    "POST /v1/segments/preview",
    "GET /v1/competitions/{competitionId}/leaderboard",
    "GET /v1/competitions/{competitionId}/entries",
    "GET /v1/competitions/{competitionId}/draw",
    "GET /v1/competitions/{competitionId}/winners",
    "GET /v1/campaigns/{campaignId}/participants",
    "GET /v1/campaigns/{campaignId}/leaderboard",
    "GET /v1/feed",
    "GET /v1/bulk/export",
    "GET /v1/bulk/jobs",
    "GET /v1/bulk/jobs/{jobId}",
    "GET /v1/analytics/recent-activity",
}
MEMBERS_WRITE = {
    "PUT /api/audience/profile",
    "POST /v1/profiles",
    "PUT /v1/profiles/{userId}",
    "DELETE /v1/profiles/{userId}",
    "POST /v1/profiles/{userId}/consents",
    "POST /v1/users/enroll",
    "POST /v1/products/{productId}/redeem",
    "POST /v1/segments/{segmentId}/members",
    "POST /v1/profiles/{userId}/check-in",
    "POST /v1/profiles/{userId}/streaks/{streakId}",
    "PUT /v1/profiles/{userId}/ladders/{ladderId}",
    "POST /v1/campaigns/{campaignId}/enrol",
    "POST /v1/bulk/import",
    "POST /v1/bulk/update",
    "POST /v1/bulk/jobs/{jobId}/cancel",
}
ACTIONS_WRITE = {
    "POST /api/audience/internal/actions",
    "POST /api/audience/internal/actions/batch",
    "POST /v1/ingest/cloudevents",
    "POST /v1/track",
    "POST /v1/batch",
    "POST /v1/identify",
}
ADMIN_WRITE_BY_GET = {"GET /v1/webhooks/{webhookId}/secret"}
ADMIN_READ_BY_POST = {
    "POST /v1/campaigns/{campaignId}/simulate",
    "POST /v1/config/simulate",
    "POST /v1/verify",
}
EVERY_KEY = {"GET /v1/api-keys/current"}


def expected_scope(operation) -> str:
    name = f"{operation.method} {operation.path}"
    for scope, names in (
        ("members:read", MEMBERS_READ),
        ("members:write", MEMBERS_WRITE),
        ("actions:write", ACTIONS_WRITE),
        ("any", EVERY_KEY),
    ):
        if name in names:
            return scope
    reads = operation.method == "GET" and name not in ADMIN_WRITE_BY_GET
    return "admin:read" if reads or name in ADMIN_READ_BY_POST else "admin:write"


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.name)
def test_every_call_needs_the_scope_of_what_it_shows_or_changes(operation):
    assert operation.scope == expected_scope(operation)


def test_the_lists_of_calls_name_calls_that_exist():
    there = {f"{operation.method} {operation.path}" for operation in GUARDED}
    assert there >= MEMBERS_READ | MEMBERS_WRITE | ACTIONS_WRITE | EVERY_KEY | ADMIN_READ_BY_POST | ADMIN_WRITE_BY_GET


@pytest.fixture(scope="module")
def club(server_process):
    """An organisation in which a person has left traces wherever a person can."""
    with server_process.client_of("Club", is_test=True) as client:
        ok(
            client.post(
                "/v1/competitions", json={"competitionId": "one", "name": "One", "score": {"metric": "points"}}
            ),
            201,
        )
        ok(client.post("/v1/campaigns", json={"campaignId": "one", "name": "One", "triggers": [{"type": "ping"}],
                                              "effects": [{"type": "add_points", "amount": 3}]}), 201)  # fmt: skip
        ok(
            client.post(
                "/v1/segments", json={"segmentId": "one", "name": "One", "type": "static", "userIds": [PERSON]}
            ),
            201,
        )
        ok(client.put("/v1/segments/one", json={"userIds": [PERSON, "other"]}))
        ok(
            client.post("/v1/webhooks", json={"webhookId": "one", "name": "One", "url": "https://example.com/hook"}),
            201,
        )
        ok(client.post("/v1/profiles", json={"userId": PERSON, "email": PERSON, "displayName": PERSON}), 201)
        credit = ok(client.post("/v1/transactions", json={"userId": PERSON, "metric": "points", "amount": 5}), 201)
        action = {"userId": PERSON, "action": "ping", "eventId": "one", "data": {"who": PERSON}}
        assert client.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=30"}).is_success
        ok(client.post("/v1/clock/advance", json={"seconds": 60}))
        client.ids = {"transactionId": credit["transactionId"], "userId": PERSON}
        yield client


def filled(path, ids):
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "one"), path)


def shows_person(response) -> bool:
    return "zoe.person" in response.text


def test_only_who_may_read_members_sees_a_member(club):
    """Walks the table of operations, so that a new call is covered by itself."""
    seen = set()
    with key_of(club, "admin:read") as administrator, key_of(club, *set(SCOPES) - {"members:read"}) as broad:
        for operation in GUARDED:
            if operation.method != "GET":
                continue
            for path in mounted_paths(operation):
                url = filled(path, club.ids)
                if shows_person(club.get(url)):
                    seen.add(operation.path)
                assert not shows_person(administrator.get(url)), url
                if operation.scope != "members:read":
                    assert not shows_person(broad.get(url)), url
    # It would prove little if the person could not be seen by anybody.
    assert seen >= {"/v1/profiles", "/v1/transactions", "/v1/events", "/v1/events/{eventId}/explain", "/v1/segments",
                    "/v1/segments/{segmentId}", "/v1/segments/{segmentId}/versions", "/v1/segments/{segmentId}/members",
                    "/v1/audit", "/v1/config", "/v1/feed", "/v1/analytics", "/v1/analytics/recent-activity",
                    "/v1/campaigns/{campaignId}/participants", "/v1/campaigns/{campaignId}/leaderboard",
                    "/v1/competitions/{competitionId}/leaderboard"}  # fmt: skip


def test_totals_and_simulations_are_shown_without_their_members(club):
    body = {"days": 1, "changes": {"effects": [{"type": "add_points", "amount": 9}]}}
    full = ok(club.post("/v1/campaigns/one/simulate", json=body))
    assert full["sample"][0]["userId"] == PERSON
    with key_of(club, "admin:read") as administrator:
        without = ok(administrator.post("/v1/campaigns/one/simulate", json=body))
        assert without == full | {"sample": [], "since": without["since"]}
        totals = ok(administrator.get("/v1/analytics"))
        assert (totals["recentActivity"], totals["metrics"]["uniqueUsers"]) == ([], 1)


def test_a_configuration_that_lists_members_is_shown_whole_or_not_at_all(club):
    with key_of(club, "admin:read", "admin:write") as administrator:
        refused = administrator.get("/v1/config")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "scope_missing")
        whole = ok(club.get("/v1/config"))
        whole["segments"]["one"]["userIds"] = ["other"]
        dry = ok(administrator.put("/v1/config?dryRun=true", json=whole))
        assert "zoe.person" not in str(dry)
        assert "zoe.person" not in str(ok(administrator.put("/v1/segments/one", json={"description": "Few"})))
        assert ok(club.get("/v1/segments/one"))["userIds"] == [PERSON, "other"]


# --------------------------------------------------------------------------------------------- getting more


def refused(response, code="scope_missing"):
    assert (response.status_code, response.json()["error"]["code"]) == (403, code), response.text


@pytest.mark.parametrize("scope", [name for name in SCOPES if name != "admin:write"])
def test_no_key_is_made_or_rotated_by_a_key_with_fewer_scopes(shop, scope):
    with key_of(shop, "admin:write") as narrow, key_of(shop, "admin:write", scope) as broad:
        refused(narrow.post("/v1/api-keys", json={"name": "Wide", "scopes": [scope]}))
        refused(narrow.post(f"/v1/api-keys/{broad.key_id}/rotate", json={"overlapSeconds": 0}))
        # What was refused has not ended the key either.
        assert broad.delete(f"/v1/api-keys/{broad.key_id}").json()["error"]["code"] == "own_key"
        assert set(ok(broad.post(f"/v1/api-keys/{narrow.key_id}/rotate", json={}), 201)["scopes"]) == {"admin:write"}
        assert set(ok(broad.post(f"/v1/api-keys/{broad.key_id}/rotate", json={}), 201)["scopes"]) == {
            "admin:write",
            scope,
        }
        ok(narrow.delete(f"/v1/api-keys/{broad.key_id}"))  # taking away is no gain


def test_a_key_that_expires_makes_none_that_outlives_it(shop):
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    first = next(key for key in ok(shop.get("/v1/api-keys"))["apiKeys"] if key["name"] == "first")["keyId"]
    with key_of(shop, *SCOPES, expiresAt=soon.isoformat()) as passing:
        for later in (None, (soon + timedelta(seconds=1)).isoformat()):
            body = {"name": "Longer", "scopes": ["admin:read"], "expiresAt": later}
            response = passing.post("/v1/api-keys", json=body)
            refused(response, "key_outlives_caller")
            assert response.json()["error"]["details"][0]["field"] == "expiresAt"
        refused(passing.post(f"/v1/api-keys/{first}/rotate", json={}), "key_outlives_caller")
        as_long = {"name": "As long", "scopes": ["admin:read"], "expiresAt": soon.isoformat()}
        made = ok(passing.post("/v1/api-keys", json=as_long), 201)
        assert ok(passing.post(f"/v1/api-keys/{made['keyId']}/rotate", json={}), 201)["expiresAt"] == made["expiresAt"]


def test_a_service_token_makes_no_key_that_outlives_it(shop):
    secret = shop.headers["Authorization"].removeprefix("Bearer ")
    form = {
        "grant_type": "client_credentials",
        "client_id": shop.headers["X-Monterosa-Org-ID"],
        "client_secret": secret,
    }
    token = httpx.post(f"{shop.base_url}/api/auth/token", data=form).json()["access_token"]
    with httpx.Client(base_url=shop.base_url, headers={**shop.headers, "authorization": f"Bearer {token}"}) as service:
        ok(service.get("/v1/products"))
        refused(
            service.post("/v1/api-keys", json={"name": "For ever", "scopes": ["admin:read"]}), "key_outlives_caller"
        )


def test_configuration_gives_its_author_no_sight_of_members(shop):
    hook = {"webhookId": "one", "name": "One", "url": "https://example.com/hook"}
    with key_of(shop, "admin:read", "admin:write") as administrator:
        refused(administrator.post("/v1/webhooks", json=hook))
        refused(administrator.put("/v1/config", json={"webhooks": {"one": {"name": "One", "url": hook["url"]}}}))
        ok(administrator.post("/v1/webhooks", json=hook | {"status": "inactive"}), 201)
        refused(administrator.put("/v1/webhooks/one", json={"status": "active"}))
        ok(shop.put("/v1/webhooks/one", json={"status": "active"}))
        version = ok(shop.get("/v1/audit"))["changes"][0]["programVersion"]
        refused(administrator.put("/v1/webhooks/one", json={"url": "https://elsewhere.example.com/"}))
        ok(administrator.put("/v1/webhooks/one", json={"status": "inactive"}))
        refused(administrator.post("/v1/config/restore", json={"programVersion": version}))
        assert ok(shop.get("/v1/webhooks/one"))["status"] == "inactive"


def test_configuration_does_not_let_its_author_speak_as_a_member(shop):
    provider = {"providerId": "own", "issuer": "https://id.example.com", "audiences": ["app"],
                "jwksUrl": "https://id.example.com/jwks"}  # fmt: skip
    for lacking in ("members:read", "members:write"):
        with key_of(shop, *set(SCOPES) - {lacking}) as administrator:
            for change in ({"identityProviders": [provider]}, {"sharedSecretTokens": False}):
                refused(administrator.put("/v1/settings", json=change))
                refused(administrator.put("/v1/config", json={"settings": {"name": "Shop", **change}}))
            ok(administrator.put("/v1/settings", json={"locale": "de", "identityProviders": []}))
    ok(shop.put("/v1/settings", json={"identityProviders": [provider]}))


@pytest.mark.parametrize(("kind", "scope"), [("events", "actions:write"), ("codes", "admin:write")])
def test_an_import_needs_the_scope_of_what_it_imports(shop, kind, scope):
    with key_of(shop, "members:write", "members:read") as importer:
        refused(importer.post(f"/v1/bulk/import?kind={kind}", content="{}"))
    with key_of(shop, "members:write", scope) as importer:
        assert importer.post(f"/v1/bulk/import?kind={kind}", content="{}").status_code != 403
