"""Every call with the ids of one organisation and the key of another, and with keys that lack the scope.

New calls are covered by themselves: the table of operations is walked.
"""

import re

import httpx
import pytest

from plaudit.api.app import OPERATIONS
from plaudit.api.http.operations import mounted_paths
from plaudit.api.identity.callers import ANY_SCOPE
from plaudit.storage.orgs import SCOPES
from tests.support.http import ok

GUARDED = [operation for operation in OPERATIONS if operation.scope is not None]
SCOPED = [operation for operation in GUARDED if operation.scope != ANY_SCOPE]
BODIES = {"PUT": {"name": "Mine now"}, "POST": {"name": "Mine now"}, "PATCH": {}, "GET": None, "DELETE": None}


@pytest.fixture(scope="module")
def two(server_process):
    """Ann's organisation with something of everything, and a stranger's key."""
    with (
        server_process.client_of("Ann's", is_test=True) as anns,
        server_process.client_of("Stranger's", is_test=True) as strangers,
    ):
        ok(
            anns.post("/v1/products", json={"productId": "secret-1", "name": "S", "sku": "SECRET", "type": "badge"}),
            201,
        )
        ok(anns.post("/v1/code-pools", json={"poolId": "secret-1", "name": "S", "productId": "secret-1"}), 201)
        ok(anns.post("/v1/code-pools/secret-1/import", json={"codes": ["secret-1"]}), 201)
        ok(anns.post("/v1/campaigns", json={"campaignId": "secret-1", "name": "S", "status": "draft"}), 201)
        ok(anns.post("/v1/triggers", json={"key": "secret-1", "name": "S"}), 201)
        ok(anns.post("/v1/metrics", json={"metricId": "secret-1", "name": "S"}), 201)
        ok(
            anns.post(
                "/v1/rewards",
                json={"rewardId": "secret-1", "name": "S", "rewardType": "points", "config": {"amount": 1}},
            ),
            201,
        )
        ok(
            anns.post(
                "/v1/competitions", json={"competitionId": "secret-1", "name": "S", "score": {"metric": "points"}}
            ),
            201,
        )
        ok(anns.post("/v1/streaks", json={"streakId": "secret-1", "name": "S", "triggers": [{"type": "x"}]}), 201)
        rungs = [{"rungId": "a", "name": "A", "threshold": 0}]
        ok(
            anns.post("/v1/ladders", json={"ladderId": "secret-1", "name": "S", "metric": "points", "rungs": rungs}),
            201,
        )
        ok(
            anns.post(
                "/v1/segments", json={"segmentId": "secret-1", "name": "S", "type": "static", "userIds": ["secret-1"]}
            ),
            201,
        )
        ok(
            anns.post("/v1/templates", json={"templateId": "secret-1", "name": "S", "texts": {"en": {"message": "m"}}}),
            201,
        )
        ok(anns.post("/v1/webhooks", json={"webhookId": "secret-1", "name": "S"}), 201)
        ok(
            anns.post(
                "/v1/custom-fields", json={"fieldId": "secret-1", "name": "S", "key": "secret", "type": "string"}
            ),
            201,
        )
        ok(anns.post("/v1/profiles", json={"userId": "secret-1", "email": "secret-1@x.org"}), 201)
        credit = ok(anns.post("/v1/transactions", json={"userId": "secret-1", "metric": "points", "amount": 5}), 201)
        job = ok(anns.post("/v1/bulk/import", content='{"userId": "secret-1b"}'))
        ids = {"transactionId": credit["transactionId"], "jobId": job["jobId"],
               "keyId": ok(anns.get("/v1/api-keys"))["apiKeys"][0]["keyId"]}  # fmt: skip
        action = {"userId": "secret-1", "action": "x", "eventId": "secret-1"}
        anns.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"})
        yield anns, strangers, ids


def filled(path, ids):
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "secret-1"), path)


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.name)
def test_a_strangers_key_opens_nothing(two, operation):
    anns, strangers, ids = two
    for path in mounted_paths(operation):
        url, body = filled(path, ids), BODIES[operation.method]
        # Ann's organisation named beside the stranger's secret.
        headers = {"X-Monterosa-Org-ID": anns.headers["X-Monterosa-Org-ID"]}
        crossed = strangers.request(operation.method, url, json=body, headers=headers)
        assert crossed.status_code == 403, crossed.text
        # The stranger's own organisation, with the ids of Ann's.
        if "{" in path:
            own = strangers.request(operation.method, url, json=body)
            assert own.status_code in (400, 404), own.text
            absent = strangers.request(operation.method, url.replace("secret-1", "absent-1"), json=body)
            if "secret-1" in url:  # "not yours" and "not there" are the same
                same = own.text.replace("secret-1", "absent-1")
                assert (own.status_code, same) == (absent.status_code, absent.text)
        elif operation.method == "GET":
            assert "secret-1" not in strangers.get(url).text


@pytest.mark.parametrize("operation", SCOPED, ids=lambda operation: operation.name)
def test_a_key_without_the_scope_opens_nothing(two, operation):
    anns, _, ids = two
    others = [scope for scope in SCOPES if scope != operation.scope]
    secret = _KEYS.get(operation.scope)
    if secret is None:
        made = ok(anns.post("/v1/api-keys", json={"name": f"Without {operation.scope}", "scopes": others}), 201)
        secret = _KEYS[operation.scope] = made["apiSecret"]
    headers = {"Authorization": f"Bearer {secret}", "X-Monterosa-Org-ID": anns.headers["X-Monterosa-Org-ID"]}
    for path in mounted_paths(operation):
        url = f"{anns.base_url}{filled(path, ids)}"
        response = httpx.request(operation.method, url, headers=headers, json=BODIES[operation.method])
        assert (response.status_code, response.text.count("scope_missing")) == (403, 1), response.text
        nobody = httpx.request(operation.method, url, json=BODIES[operation.method])
        assert nobody.status_code == 401


def test_what_any_key_may_ask_is_not_told_without_one(two):
    (operation,) = (guarded for guarded in GUARDED if guarded.scope == ANY_SCOPE)
    assert httpx.request(operation.method, f"{two[0].base_url}{operation.path}").status_code == 401


_KEYS: dict[str, str] = {}
