"""Dry runs: every write can be tried, tells what would follow, and changes nothing."""

import json
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plaudit.api.app import OPERATIONS
from tests.support.eventually import eventually
from tests.support.http import decided_event, ok
from tests.support.push_browser import subscription_at

WRITES = [operation for operation in OPERATIONS if operation.writes]
LINES = {"Content-Type": "application/x-ndjson"}
MEDIA = {"/v1/ingest/cloudevents": "application/cloudevents+json"}
WEBHOOK = {"name": "Hook", "url": "https://example.com/hook", "events": ["*"]}
GOOD_CAMPAIGN = {"name": "Paid", "triggers": [{"type": "paid"}], "effects": [{"type": "add_points", "amount": 1}]}
ADVANCED = {"campaignId": "rules", "name": "Rules", "simplifiedMode": False}
RULE = {"triggerType": "seen", "effects": [{"type": "add_points", "amount": 1}]}
LADDER = {"metric": "xp", "rungs": [{"rungId": "one", "name": "One", "threshold": 10}]}
KEYS = ec.generate_private_key(ec.SECP256R1())
SUBSCRIPTION = subscription_at("https://push.example.com/1", KEYS, b"1" * 16)

# What each kind of document is made with, beside its name, and changed with.
DOCUMENTS = {
    "campaigns": GOOD_CAMPAIGN,
    "triggers": {"key": "heard"},
    "metrics": {},
    "products": {"sku": "S", "type": "badge"},
    "rewards": {"rewardType": "points", "config": {"amount": 1}},
    "code-pools": {"productId": "ticket"},
    "competitions": {"score": {"metric": "points"}},
    "streaks": {"triggers": [{"type": "seen"}], "freezes": {"maximum": 2}},
    "ladders": LADDER,
    "segments": {"type": "static", "userIds": ["ann"]},
    "templates": {"texts": {"en": {"title": "T", "message": "M"}}},
    "webhooks": WEBHOOK,
    "custom-fields": {"key": "hat", "type": "string"},
}
PLACES = {
    "campaignId": "paid", "ruleId": "rule_1", "triggerId": "told", "metricId": "stars", "productId": "ticket",
    "rewardId": "gift", "poolId": "codes", "competitionId": "cup", "streakId": "daily", "ladderId": "levels",
    "segmentId": "fans", "templateId": "words", "webhookId": "hook", "fieldId": "shoe", "userId": "ann",
    "code": "WON-1",
}  # fmt: skip
# What other calls are sent: a JSON value, or lines.
BODIES = {
    "POST /api/audience/internal/actions": {"userId": "ann", "action": "paid"},
    "POST /api/audience/internal/actions/batch": [{"userId": "ann", "action": "paid"}, {"userId": "x"}],
    "POST /v1/ingest/cloudevents": {"specversion": "1.0", "id": "1", "source": "s", "type": "paid", "subject": "ann", "data": {}},
    "POST /v1/track": {"userId": "ann", "event": "paid", "messageId": "m1"},
    "POST /v1/identify": {"userId": "ann", "traits": {"city": "Rome"}, "messageId": "m2"},
    "POST /v1/batch": {"batch": [{"type": "track", "userId": "ann", "event": "paid", "messageId": "m3"}]},
    "PUT /api/audience/profile": [{"user_id": "ann", "data": {"city": "Rome"}}],
    "PATCH /api/audience/profile": {"displayName": "Ann"},
    "PUT /v1/profiles/schema": {"schema": {"fields": [{"name": "city", "type": "string"}]}},
    "POST /v1/profiles": {"userId": "new", "city": "Rome"},
    "PUT /v1/profiles/{userId}": {"city": "Rome"},
    "POST /v1/profiles/{userId}/consents": {"purpose": "news", "granted": True},
    "POST /v1/users/enroll": {"userId": "newer", "email": "newer@example.com"},
    "POST /v1/profiles/{userId}/extensions": {"metric": "stars", "expiresAt": "2999-01-01T00:00:00Z"},
    "POST /v1/profiles/{userId}/holds": {"holdId": "h", "amount": 1},
    "POST /v1/profiles/{userId}/merge": {"from": "bob"},
    "POST /v1/profiles/{userId}/check-in": {"streakId": "daily"},
    "POST /v1/profiles/{userId}/streaks/{streakId}": {"action": "grant_freeze"},
    "PUT /v1/profiles/{userId}/ladders/{ladderId}": {"rung": "one"},
    "POST /v1/transactions": {"userId": "ann", "amount": 1},
    "POST /v1/transactions/{transactionId}/reverse": {},
    "POST /v1/transfers": {"userId": "ann", "toUserId": "bob", "amount": 1},
    "POST /v1/clock/advance": {"seconds": 90_000},
    "POST /v1/segments/{segmentId}/members": {"userId": "bob", "member": True},
    "POST /v1/campaigns/{campaignId}/rules": RULE,
    "PUT /v1/campaigns/{campaignId}/rules/{ruleId}": {"priority": 7},
    "POST /v1/campaigns/{campaignId}/enrol": {"userId": "ann"},
    "POST /v1/campaigns/{campaignId}/apply-to-past": {"days": 1},
    "POST /v1/competitions/{competitionId}/draw": {"winners": 1},
    "POST /v1/products/{productId}/redeem": {"userId": "ann"},
    "PUT /v1/products/{productId}/stock": {"allocatedStock": 9},
    "POST /v1/rewards/grant": {"rewardId": "gift", "userId": "ann"},
    "POST /v1/code-pools/{poolId}/generate": {"quantity": 3},
    "POST /v1/code-pools/{poolId}/import": {"codes": ["NEW-1"]},
    "POST /v1/webhooks/{webhookId}/replay": {"since": "2020-01-01T00:00:00Z"},
    "POST /v1/campaigns/{campaignId}/rollback": {"from": "2020-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"},
    "POST /v1/events/{eventId}/undo": {},
    "POST /v1/coupons/{couponId}/revoke": {},
    "PUT /v1/config": {"campaigns": {"more": GOOD_CAMPAIGN}},
    "POST /v1/bulk/import": b'{"userId": "new", "metrics": {"points": 5}}\n{"userId": "newer"}\n',
    "POST /v1/bulk/update": b'{"userId": "ann", "city": "Rome"}\n',
    "POST /v1/api-keys": {"name": "Narrow", "scopes": ["admin:read"]},
    "PUT /v1/settings": {"welcomeBonus": {"points": 7}},
    "POST /api/loyalty/action": {"action": "told"},
    "POST /api/loyalty/me/push/subscriptions": SUBSCRIPTION,
    "POST /api/loyalty/notifications/read": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def club(server_process):
    """An organisation in which every write can succeed. Its `places` have the names that are not chosen."""
    with server_process.client_of("Dry", is_test=True) as client:
        for collection, id_field, place, body in (
            ("metrics", "metricId", "stars", {"expiry": {"type": "rolling", "days": 30}}),
            ("triggers", "triggerId", "told", {"key": "told", "openToMembers": True}),
            ("templates", "templateId", "words", DOCUMENTS["templates"]),
            ("campaigns", "campaignId", "paid", GOOD_CAMPAIGN),
            ("campaigns", "campaignId", "rules", {"simplifiedMode": False}),
            ("streaks", "streakId", "daily", DOCUMENTS["streaks"]),
            ("ladders", "ladderId", "levels", LADDER),
            ("segments", "segmentId", "fans", DOCUMENTS["segments"]),
            ("competitions", "competitionId", "cup", {}),
            ("products", "productId", "ticket", {"sku": "T", "type": "ticket", "pointsCost": 1, "allocatedStock": 5}),
            ("products", "productId", "coupon", {"sku": "C", "type": "merchandise"}),
            ("rewards", "rewardId", "gift", DOCUMENTS["rewards"]),
            ("webhooks", "webhookId", "hook", WEBHOOK | {"status": "inactive"}),
            ("webhooks", "webhookId", "live", WEBHOOK | {"events": ["webhook.test"]}),
            ("custom-fields", "fieldId", "shoe", {"key": "shoe", "type": "string"}),
            ("code-pools", "poolId", "codes", {"productId": "coupon"}),
        ):
            created = client.post(f"/v1/{collection}", json={id_field: place, "name": place, **body})
            assert created.status_code == 201, created.text
        ok(client.post("/v1/campaigns/rules/rules", json={"ruleId": "rule_1", **RULE}), 201)
        ok(client.post("/v1/code-pools/codes/import", json={"codes": ["WON-1", "WON-2"]}), 201)
        reward = {"rewardId": "win", "name": "Win", "rewardType": "unique_coupon", "config": {"codePoolId": "codes"}}
        ok(client.post("/v1/rewards", json=reward), 201)
        for user in ("ann", "bob"):
            ok(client.post("/v1/profiles", json={"userId": user}), 201)
        credit = ok(client.post("/v1/transactions", json={"userId": "ann", "amount": 50, "eventId": "credit"}), 201)
        ok(client.post("/v1/transactions", json={"userId": "ann", "amount": 5, "metric": "stars"}), 201)
        ok(client.post("/v1/rewards/grant", json={"rewardId": "win", "userId": "ann"}))
        ok(client.post("/v1/campaigns", json={"campaignId": "enter", "name": "Enter", "triggers": [{"type": "entered"}],
                                              "effects": [{"type": "add_entries", "competitionId": "cup"}]}), 201)  # fmt: skip
        client.post("/api/audience/internal/actions", json={"userId": "ann", "action": "entered", "eventId": "enter"})
        decided_event(client, "enter")
        eventually(lambda: ok(client.get("/v1/segments/fans/members"))["filling"]["finishedAt"])
        ok(client.put("/v1/settings", json={"push": {"contact": "mailto:ops@example.com"}}))
        key = ok(client.post("/v1/api-keys", json={"name": "Old", "scopes": ["admin:read"]}), 201)
        client.places = {"transactionId": credit["transactionId"], "keyId": key["keyId"]}
        with server_process.member_of(client, "ann") as ann:
            client.ann = ann
            made = ok(ann.post("/api/loyalty/me/push/subscriptions", json=SUBSCRIPTION), 201)
            client.places["subscriptionId"] = made["subscriptionId"]
            yield client


# What workers and the hand-out keep changing by themselves.
PASSING = {"leases", "workers", "rate_windows", "watches", "outbox_ends", "outbox_handed", "feed_ends"}
HASH = "md5(coalesce(string_agg(md5(t::text), '' ORDER BY t::text), ''))"


@pytest.fixture(scope="module")
def contents(server_process, club):
    """What is in every table, as one text for each; of the organisation alone, where a table says whose its rows are."""
    tables = server_process.sql(
        "SELECT c.relname AS name, EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'org_id') AS own "
        "FROM pg_class AS c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition"
    )
    org_id = club.headers["X-Monterosa-Org-ID"]
    query = " UNION ALL ".join(
        f"SELECT '{table['name']}' AS name, {HASH} AS hash FROM {table['name']} AS t"
        + (f" WHERE org_id = '{org_id}'" if table["own"] else "")
        for table in tables
        if table["name"] not in PASSING
    )

    def read():
        return {row["name"]: row["hash"] for row in server_process.sql(query)}

    return read


def request_of(operation, club):
    """The path of a call and what it is sent."""
    name = f"{operation.method} {operation.path}"
    places = PLACES | club.places
    if name.startswith(("PUT /v1/campaigns/{campaignId}/rules", "DELETE /v1/campaigns/{campaignId}/rules")):
        places = places | {"campaignId": "rules"}
    if name == "POST /v1/campaigns/{campaignId}/rules":
        places = places | {"campaignId": "rules"}
    if name == "POST /v1/webhooks/{webhookId}/test":
        places = places | {"webhookId": "live"}
    path = operation.path
    for word, value in places.items():
        path = path.replace(f"{{{word}}}", value)
    if name in BODIES:
        return path, BODIES[name]
    collection = operation.path.removeprefix("/v1/").split("/")[0]
    if operation.method == "POST" and operation.path == f"/v1/{collection}":
        return path, {"name": "New", **DOCUMENTS[collection]}
    if operation.method == "PUT" and collection in DOCUMENTS:
        return path, {"description": "Changed"}
    return path, None


def sent(club, operation, path, body, **query):
    client = club.ann if operation.scope is None else club
    headers = LINES if isinstance(body, bytes) else {"Content-Type": MEDIA.get(path, "application/json")}
    content = {"headers": headers, "content": body if isinstance(body, bytes) else json.dumps(body)}
    return client.request(
        operation.method, path, params={"dryRun": "true", **query}, **(content if body is not None else {})
    )


# What cannot be had without more trouble than it is worth here: there it is the error that must leave no trace.
REFUSED = {
    "DELETE /v1/competitions/{competitionId}": 409,
    "DELETE /v1/code-pools/{poolId}": 409,
    "DELETE /v1/metrics/{metricId}": 409,
    "POST /v1/events/{eventId}/retry": 404,
    "POST /v1/webhooks/{webhookId}/deliveries/{deliveryId}/retry": 404,
    "POST /v1/config/restore": 409,
    "POST /v1/competitions/{competitionId}/draw": 409,
}


# What takes back needs something to take back; here it is enough that trying it leaves everything as it was.
TAKING_BACK = {
    "POST /v1/campaigns/{campaignId}/rollback",
    "POST /v1/events/{eventId}/undo",
    "POST /v1/coupons/{couponId}/revoke",
    "POST /v1/bulk/jobs/{jobId}/cancel",
    "DELETE /v1/profiles/{userId}/products/{productId}",
}


@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.name)
def test_a_dry_run_of_any_write_changes_no_table(operation, club, server_process, contents):
    name = f"{operation.method} {operation.path}"
    path, body = request_of(operation, club)
    path = path.replace("{eventId}", "none").replace("{deliveryId}", "none")
    path = path.replace("{couponId}", "none").replace("{jobId}", "none")
    if name == "POST /v1/config/restore":
        body = {"programVersion": 2}
    eventually(lambda: not server_process.sql("SELECT FROM inbox LIMIT 1"))
    eventually(lambda: not server_process.sql("SELECT FROM segment_fills WHERE finished_at IS NULL LIMIT 1"))
    before = contents()
    response = sent(club, operation, path, body)
    after = contents()
    if operation.tries_by_job:
        assert response.json()["data"]["rollback"]["dryRun"] is True
        before.pop("jobs")
        after.pop("jobs")
    assert after == before
    if name in TAKING_BACK:
        assert response.status_code in (200, 202, 400, 404, 409), response.text
        return
    assert response.status_code == REFUSED.get(name, 200), response.text
    if response.status_code == 200:
        assert set(response.json()["dryRun"]) == {"events", "eventCount", "transactions"}


def test_every_write_says_that_it_can_be_tried(http):
    described = http.get("/openapi.json").json()["paths"]
    reading = {
        "/v1/segments/preview",
        "/v1/campaigns/{campaignId}/simulate",
        "/v1/config/simulate",
        "/v1/verify",
        "/api/auth/token",
    }
    for path, methods in described.items():
        for method, operation in methods.items():
            names = [parameter["name"] for parameter in operation["parameters"]]
            plain = path.replace("/api/loyalty/admin", "/v1")
            assert ("dryRun" in names) == (method != "get" and plain not in reading), (method, path)


def without_times(value):
    """A response without what is different each time: when it was, and the ids that are not derived."""
    if isinstance(value, dict):
        drop = {"receivedAt", "processedAt", "createdAt", "updatedAt", "enrolledAt", "lastActiveAt", "timestamp",
                "occurredAt", "grantedAt", "dryRun", "issuedAt", "coupons", "present", "at"}  # fmt: skip
        return {name: without_times(part) for name, part in value.items() if name not in drop}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value


USERS = st.sampled_from(["u1", "u2", "u3"])
AMOUNTS = st.integers(-30, 60)


def written(kind, **fields):
    return st.tuples(st.just(kind), st.fixed_dictionaries(fields))


CALLS = st.one_of(
    written("action", userId=USERS, action=st.sampled_from(["bought", "looked"]),
            data=st.fixed_dictionaries({"amount": st.integers(0, 40)})),
    written("transaction", userId=USERS, amount=AMOUNTS.filter(bool)),
    written("transfer", userId=USERS, toUserId=USERS, amount=st.integers(1, 20)),
    written("grant", userId=USERS, rewardId=st.sampled_from(["ten", "code"])),
    written("redeem", userId=USERS),
    written("check-in", userId=USERS),
)  # fmt: skip


@pytest.fixture(scope="module")
def market(server_process):
    with server_process.client_of("Market", is_test=True) as client:
        condition = {"field": "amount", "operator": ">=", "value": 10}
        campaign = {"campaignId": "buy", "name": "Buy", "triggers": [{"type": "bought", "conditions": [condition]}],
                    "effects": [{"type": "add_points", "amount": "amount * 2"}]}  # fmt: skip
        ok(client.post("/v1/campaigns", json=campaign), 201)
        follow = {"campaignId": "follow", "name": "Follow", "triggers": [{"type": "metric.changed"}],
                  "effects": [{"type": "add_metric", "metric": "xp", "amount": 1}], "limit": {"perUser": 5}}  # fmt: skip
        ok(client.post("/v1/campaigns", json=follow), 201)
        ok(client.post("/v1/rewards", json={"rewardId": "ten", "name": "Ten", "rewardType": "points",
                                            "config": {"amount": 10}}), 201)  # fmt: skip
        ok(client.post("/v1/products", json={"productId": "mug", "name": "Mug", "sku": "M", "type": "merchandise",
                                             "pointsCost": 15, "allocatedStock": 6}), 201)  # fmt: skip
        ok(client.post("/v1/code-pools", json={"poolId": "pool", "name": "Pool", "productId": "mug"}), 201)
        ok(client.post("/v1/code-pools/pool/import", json={"codes": [f"CODE-{i}" for i in range(4)]}), 201)
        ok(client.post("/v1/rewards", json={"rewardId": "code", "name": "Code", "rewardType": "unique_coupon",
                                            "config": {"codePoolId": "pool"}}), 201)  # fmt: skip
        ok(client.post("/v1/streaks", json={"streakId": "daily", "name": "Daily", "triggers": [{"type": "x"}]}), 201)
        client.number = 0
        yield client


def request_for(call, number):
    kind, body = call
    key = {"eventId": f"e{number}"}
    match kind:
        case "action":
            return "/api/audience/internal/actions", body | key
        case "transaction":
            return "/v1/transactions", body | key
        case "transfer":
            return "/v1/transfers", body | key
        case "grant":
            return "/v1/rewards/grant", body
        case "redeem":
            return "/v1/products/mug/redeem", body | key
        case _:
            return f"/v1/profiles/{body['userId']}/check-in", {"streakId": "daily", **key}


@settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=cast("list[HealthCheck]", list(HealthCheck))
)
@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_what_a_dry_run_says_is_what_then_happens(market, calls):
    for call in calls:
        market.number += 1
        path, body = request_for(call, market.number)
        tried = market.post(path, json=body, params={"dryRun": "true"})
        done = market.post(path, json=body)
        assert tried.is_success == done.is_success, (call, tried.text, done.text)
        if not done.is_success:
            assert tried.json() == done.json()
            continue
        if call[0] == "grant":  # which has no key of its own: only its transactions' ids are new
            follows = tried.json()["dryRun"]["transactions"]
            assert [campaign["amount"] for campaign in follows if campaign["campaignId"] == "manual_grant"] == (
                [10] if call[1]["rewardId"] == "ten" else []
            )
            continue
        assert without_times(tried.json()) == without_times(done.json())
        for event in tried.json()["dryRun"]["events"]:
            decided_event(market, event["eventId"])
            assert without_times(ok(market.get(f"/v1/events/{event['eventId']}/explain"))) == without_times(event)


def test_a_dry_run_needs_no_idempotency_key_and_uses_none_up(shop):
    credit = {"userId": "ann", "amount": 5}
    headers = {"Idempotency-Key": "one"}
    for _ in range(2):
        tried = shop.post("/v1/transactions", json=credit, headers=headers, params={"dryRun": "true"})
        assert ok(tried)["balanceAfter"] == 5
    done = shop.post("/v1/transactions", json=credit, headers=headers)
    assert ok(done, 201)["balanceAfter"] == 5
    assert "idempotentReplayed" not in done.json()


def test_codes_are_not_told_by_a_dry_run(shop, server_process):
    ok(shop.post("/v1/products", json={"productId": "p", "name": "P", "sku": "P", "type": "unique_code_pool"}), 201)
    shop.post("/v1/code-pools", json={"poolId": "pool", "name": "Pool", "productId": "p"})
    shop.post("/v1/code-pools/pool/import", json={"codes": ["SECRET-1"]})
    ok(shop.put("/v1/products/p", json={"pointsCost": 1}))
    ok(shop.post("/v1/transactions", json={"userId": "ann", "amount": 5}), 201)
    with server_process.member_of(shop, "ann") as ann:
        tried = ann.post("/api/audience/products/p/redeem", params={"dryRun": "true"})
        assert tried.status_code == 200
        assert "SECRET-1" not in tried.text
        assert "campaigns" in tried.json()["dryRun"]["events"][0]
        done = ann.post("/api/audience/products/p/redeem")
        assert "SECRET-1" in done.text
    assert json.dumps(ok(shop.get("/v1/profiles/ann"))["coupons"]).count("SECRET-1") == 1


def test_who_may_not_read_members_is_told_no_values(server_process, shop):
    ok(shop.post("/v1/campaigns", json={"name": "C", "triggers": [{"type": "bought", "conditions": [
        {"field": "user.city", "operator": "exists"}]}], "effects": [{"type": "add_points", "amount": 1}]}), 201)  # fmt: skip
    ok(shop.post("/v1/profiles", json={"userId": "ann", "city": "Rome"}), 201)
    made = ok(shop.post("/v1/api-keys", json={"name": "In", "scopes": ["actions:write"]}), 201)
    headers = {"Authorization": f"Bearer {made['apiSecret']}"}
    action = {"userId": "ann", "action": "bought"}
    tried = shop.post("/api/audience/internal/actions", json=action, headers=headers, params={"dryRun": "true"})
    assert tried.json()["dryRun"]["transactions"][0]["amount"] == 1
    assert "Rome" not in tried.text
    with_values = shop.post("/api/audience/internal/actions", json=action, params={"dryRun": "true"})
    assert "Rome" in with_values.text
