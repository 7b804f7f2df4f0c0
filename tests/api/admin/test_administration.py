"""Analytics, keys, the audit log, copies, templates: each call as an administrator uses it."""

import httpx
import pytest
from standardwebhooks import Webhook as Verifier

from tests.support.eventually import eventually
from tests.support.http import ok
from tests.support.receiver import Receiver


def credit(shop, user, amount, metric="points"):
    return ok(shop.post("/v1/transactions", json={"userId": user, "metric": metric, "amount": amount}), 201)


def test_analytics_are_exact_and_of_the_documented_form(shop):
    for user, amount in (("ann", 100), ("bob", 50), ("ann", -30)):
        credit(shop, user, amount)
    credit(shop, "ann", 7, "xp")
    found = ok(shop.get("/v1/analytics"))
    metrics = found["metrics"]
    assert metrics["totalTransactions"] == 4
    assert metrics["byType"] == {"points": 3, "xp": 1}
    assert metrics["totalAmount"] == {"points": 120, "xp": 7}
    assert metrics["averagePerTransaction"] == {"points": 40, "xp": 7}
    assert metrics["uniqueUsers"] == 2
    assert found["topCampaigns"] == []  # what is booked by hand is no campaign's
    assert [activity["amount"] for activity in found["recentActivity"]] == [7, -30, 50, 100]
    assert ok(shop.get("/v1/analytics?metric=xp"))["metrics"]["totalTransactions"] == 1
    assert ok(shop.get("/v1/analytics?endDate=2020-01-01"))["metrics"]["totalTransactions"] == 0
    wrong = shop.get("/v1/analytics?startDate=then&metric=gold")
    assert wrong.json()["error"]["details"][0]["field"] == "startDate"


def test_a_series_has_a_point_a_period(shop):
    credit(shop, "ann", 10)
    ok(shop.post("/v1/clock/advance", json={"seconds": 40 * 86_400}))
    credit(shop, "ann", 5)
    days = ok(shop.get("/v1/analytics/timeseries?startDate=2026-01-01"))["series"]
    assert [day["metrics"]["points"]["credits"] for day in days] == [10, 5]
    assert ok(shop.get("/v1/analytics/timeseries?startDate=2026-01-01&cause=manual"))["series"] == days
    assert ok(shop.get("/v1/analytics/timeseries?startDate=2026-01-01&cause=import"))["series"] == []
    months = ok(shop.get("/v1/analytics/timeseries?startDate=2026-01-01&interval=month&metric=points"))["series"]
    assert {month["date"][-2:] for month in months} == {"01"}
    assert shop.get("/v1/analytics/timeseries?interval=hour").status_code == 400


def test_the_feed_has_all_sources(shop):
    credit(shop, "ann", 10)
    ok(shop.post("/v1/products", json={"name": "Cup", "sku": "CUP", "type": "merchandise"}), 201)
    types, cursor = [], ""
    while cursor is not None:
        page = ok(shop.get(f"/v1/analytics/recent-activity?limit=2&cursor={cursor}"))
        types += [activity["type"] for activity in page["activities"]]
        cursor = page["cursor"]
    assert set(types) == {"transaction", "enrolment", "configuration"}


def test_the_status_report_counts_as_documented(shop):
    found = ok(shop.get("/v1/status/report"))
    assert found["status"] == "healthy"
    assert found["counts"]["campaigns"] == {"total": 0, "active": 0}
    assert found["health"]["database"] == "operational"


def test_a_key_can_do_what_its_scopes_say_until_it_is_rotated_or_revoked(shop):
    made = ok(shop.post("/v1/api-keys", json={"name": "Shop", "scopes": ["admin:read"]}), 201)
    headers = {**shop.headers, "authorization": f"Bearer {made['apiSecret']}"}
    with httpx.Client(base_url=shop.base_url, headers=headers) as narrow:
        ok(narrow.get("/v1/products"))
        assert narrow.post("/v1/products", json={}).status_code == 403
        assert narrow.get("/v1/profiles").json()["error"]["code"] == "scope_missing"
        listed = ok(narrow.get("/v1/api-keys"))["apiKeys"]
        assert "apiSecret" not in listed[1]
        rotated = ok(shop.post(f"/v1/api-keys/{made['keyId']}/rotate", json={}), 201)
        ok(narrow.get("/v1/products"))  # both, for a while
        narrow.headers["Authorization"] = f"Bearer {rotated['apiSecret']}"
        ok(narrow.get("/v1/products"))
        ok(shop.delete(f"/v1/api-keys/{rotated['keyId']}"))
        assert narrow.get("/v1/products").status_code == 401
    own = next(value for value in listed if value["name"] == "first")
    assert shop.delete(f"/v1/api-keys/{own['keyId']}").status_code == 409


def test_a_key_gives_no_more_than_it_has(shop):
    made = ok(shop.post("/v1/api-keys", json={"name": "Narrow", "scopes": ["admin:write"]}), 201)
    headers = {**shop.headers, "authorization": f"Bearer {made['apiSecret']}"}
    response = httpx.post(
        f"{shop.base_url}/v1/api-keys", headers=headers, json={"name": "Wide", "scopes": ["members:read"]}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (403, "scope_missing")


def test_the_audit_log_tells_from_what_to_what(shop):
    made = ok(shop.post("/v1/products", json={"name": "Cup", "sku": "CUP", "type": "merchandise"}), 201)
    ok(shop.put(f"/v1/products/{made['productId']}", json={"name": "Mug"}))
    ok(shop.delete(f"/v1/products/{made['productId']}"))
    changes = ok(shop.get("/v1/audit?kind=product"))["changes"]
    assert [change["change"] for change in changes] == ["deleted", "updated", "created"]
    assert changes[1]["changes"] == [{"field": "name", "from": "Cup", "to": "Mug"}]
    assert changes[1]["changedBy"] == "key:first"


def test_a_copy_of_a_campaign_is_a_draft_with_its_rules(shop):
    made = ok(shop.post("/v1/campaigns", json={"name": "A", "simplifiedMode": False, "status": "active"}), 201)
    rule = {"triggerType": "buy", "effects": [{"type": "add_points", "params": {"amount": 1}}]}
    ok(shop.post(f"/v1/campaigns/{made['campaignId']}/rules", json=rule), 201)
    copy = ok(shop.post(f"/v1/campaigns/{made['campaignId']}/duplicate"), 201)
    assert (copy["name"], copy["status"]) == ("A (copy)", "draft")
    (copied,) = ok(shop.get(f"/v1/campaigns/{copy['campaignId']}/rules"))["rules"]
    assert (copied["triggerType"], copied["campaignId"]) == ("buy", copy["campaignId"])


@pytest.mark.parametrize(
    ("texts", "field"),
    [({"de": {"message": "Hallo"}}, "texts.en"), ({"en": {"message": "{{ 1 + }}"}}, "texts.en.message")],
)
def test_a_template_has_its_default_locale_and_formulas_that_compile(shop, texts, field):
    wrong = shop.post("/v1/templates", json={"name": "Hello", "texts": texts})
    assert wrong.json()["error"]["details"][0]["field"] == field
    good = {"name": "Hello", "texts": {"en": {"title": "Hi", "message": "You have {{ metrics.points }} points"}}}
    assert ok(shop.post("/v1/templates", json=good), 201)["templateId"].startswith("tpl_")


def test_a_webhook_has_a_secret_a_log_and_replays_and_the_feed_tells_the_same(own_server, monkeypatch):
    monkeypatch.setenv("PLAUDIT_PRIVATE_NETWORKS", "true")
    server = own_server("--no-demo").start()
    there = Receiver()
    with server.client_of("Shop") as shop:
        hook = ok(shop.post("/v1/webhooks", json={"name": "Shop", "url": there.url, "events": ["*"]}), 201)
        name = f"/v1/webhooks/{hook['webhookId']}"
        secret = ok(shop.get(f"{name}/secret"))["secret"]
        tested = ok(shop.post(f"{name}/test", headers={"X-Correlation-ID": "corr-1"}), 202)
        (message,) = there.wait_for(1)
        assert (message["type"], message["id"]) == ("webhook.test", tested["messageId"])
        headers, body, _ = there.requests[0]
        Verifier(secret).verify(body, headers)
        assert headers["x-correlation-id"] == message["correlationId"] == "corr-1"

        rotated = ok(shop.post(f"{name}/rotate-secret", json={}))["secret"]
        credit(shop, "ann", 10)
        there.wait_for(2)
        headers, body, _ = there.requests[-1]
        for valid in (secret, rotated):  # both, for a while
            Verifier(valid).verify(body, headers)

        def delivered():
            return ok(shop.get(f"{name}/deliveries?state=delivered"))["deliveries"]

        eventually(lambda: len(delivered()) >= len(there.messages))
        assert {value["type"] for value in delivered()} >= {"webhook.test", "transaction.created", "user.enrolled"}
        assert ok(shop.get(f"{name}/state"))["waiting"] == 0

        before = len(there.messages)
        fetched = ok(shop.get("/v1/feed"))
        assert [m["id"] for m in fetched["messages"]] == [m["deliveryId"] for m in reversed(delivered())]
        assert ok(shop.get(f"/v1/feed?after={fetched['cursor']}"))["messages"] == []
        ok(shop.post(f"{name}/deliveries/{tested['messageId']}/retry"), 202)
        there.wait_for(before + 1)
        queued = ok(shop.post(f"{name}/replay", json={"since": "2026-01-01T00:00:00Z"}), 202)["queued"]
        assert queued == before
        there.wait_for(before + 1 + queued)
        campaign = ok(shop.post("/v1/campaigns", json={"name": "C", "status": "draft"}), 201)
        ok(shop.post(f"/v1/campaigns/{campaign['campaignId']}/archive"))
        types = {m["type"] for m in there.wait_for(before + 3 + queued)[-2:]}
        assert types == {"campaign.created", "campaign.archived"}  # each by a connection of its own: in any order
        fetched = ok(shop.get(f"/v1/feed?after={fetched['cursor']}"))
        assert [m["type"] for m in fetched["messages"]] == ["campaign.created", "campaign.archived"]
        assert shop.post(f"{name}/replay", json={}).status_code == 400
    there.close()


def test_a_product_is_redeemed_whole_or_refused_with_the_reason(shop):
    ok(shop.post("/v1/segments", json={"segmentId": "vip", "name": "V", "type": "static", "userIds": ["ann"]}), 201)
    cup = {"productId": "cup", "name": "Cup", "sku": "CUP", "type": "merchandise", "pointsCost": 40, "coinsCost": 5,
           "allocatedStock": 3, "limitPerUser": 2}  # fmt: skip
    ok(shop.post("/v1/products", json=cup), 201)
    ok(shop.post("/v1/code-pools", json={"poolId": "pool", "name": "P", "productId": "cup"}), 201)
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": ["C-1", "C-2"]}), 201)

    def refusal(user="ann", status=409):
        response = shop.post("/v1/products/cup/redeem", json={"userId": user})
        assert response.status_code == status, response.text
        return response.json()["error"]["code"]

    assert refusal("nobody", 404) == "user_not_found"
    for user in ("ann", "bob", "cy"):
        credit(shop, user, 100)
    assert refusal() == "balance_insufficient"
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 100  # nothing is half done
    for user in ("ann", "bob", "cy"):
        credit(shop, user, 100, "coins")
    result = ok(shop.post("/v1/products/cup/redeem", json={"userId": "ann"}))["result"]
    assert result["code"] == "C-1"
    assert {transaction["metric"]: transaction["balanceAfter"] for transaction in result["transactions"]} == {
        "points": 60,
        "coins": 95,
    }
    ann = ok(shop.get("/v1/profiles/ann"))
    assert (ann["points"], ann["inventory"][0]["quantity"], ann["coupons"][0]["code"]) == (60, 1, "C-1")
    assert ok(shop.get("/v1/products/cup"))["redeemedStock"] == 1
    ok(shop.put("/v1/products/cup", json={"limitPerUser": 1}))
    assert refusal() == "product_limit_reached"
    ok(shop.put("/v1/products/cup", json={"segments": {"include": ["vip"]}}))
    assert refusal("bob") == "not_in_segment"
    ok(shop.put("/v1/products/cup", json={"segments": None, "startDate": "2090-01-01T00:00:00Z"}))
    assert refusal("bob") == "product_not_available_yet"
    ok(shop.put("/v1/products/cup", json={"startDate": None, "endDate": "2020-01-01T00:00:00Z"}))
    assert refusal("bob") == "product_no_longer_available"
    ok(shop.put("/v1/products/cup", json={"endDate": None}))
    ok(shop.post("/v1/products/cup/redeem", json={"userId": "bob"}))
    assert refusal("cy") == "pool_empty"
    ok(shop.put("/v1/products/cup/stock", json={"allocatedStock": 2}))
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": ["C-3"]}), 201)
    assert refusal("cy") == "stock_empty"
    assert ok(shop.get("/v1/profiles/cy"))["points"] == 100


def test_codes_that_nobody_has_expire(shop):
    ok(shop.post("/v1/products", json={"productId": "cup", "name": "Cup", "sku": "CUP", "type": "ticket"}), 201)
    pool = {"poolId": "pool", "name": "P", "productId": "cup", "expiresAt": "2026-12-01T00:00:00Z"}
    ok(shop.post("/v1/code-pools", json=pool), 201)
    ok(shop.post("/v1/code-pools/pool/generate", json={"quantity": 5}), 201)
    assert ok(shop.post("/v1/code-pools/pool/expire"))["expired"] == 5
    ok(shop.post("/v1/code-pools/pool/generate", json={"quantity": 2}), 201)
    ok(shop.post("/v1/clock/advance", json={"seconds": 60 * 86_400}))
    eventually(lambda: ok(shop.get("/v1/code-pools/pool"))["expiredCodes"], 7)
