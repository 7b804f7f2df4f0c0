"""Analytics, keys, the audit log, copies, templates: each call as an administrator uses it."""

import httpx
import pytest

from tests.journeys.conftest import ok


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
    assert found["topCampaigns"] == [{"campaignId": "manual", "transactions": 4}]
    assert [one["amount"] for one in found["recentActivity"]] == [7, -30, 50, 100]
    assert ok(shop.get("/v1/analytics?metric=xp"))["metrics"]["totalTransactions"] == 1
    assert ok(shop.get("/v1/analytics?endDate=2020-01-01"))["metrics"]["totalTransactions"] == 0
    wrong = shop.get("/v1/analytics?startDate=then&metric=gold")
    assert wrong.json()["error"]["details"][0]["field"] == "startDate"


def test_a_series_has_a_point_a_period(shop):
    credit(shop, "ann", 10)
    ok(shop.post("/v1/clock/advance", json={"seconds": 40 * 86_400}))
    credit(shop, "ann", 5)
    days = ok(shop.get("/v1/analytics/timeseries?startDate=2026-01-01"))["series"]
    assert [one["metrics"]["points"]["credits"] for one in days] == [10, 5]
    months = ok(shop.get("/v1/analytics/timeseries?startDate=2026-01-01&interval=month&metric=points"))["series"]
    assert {one["date"][-2:] for one in months} == {"01"}
    assert shop.get("/v1/analytics/timeseries?interval=hour").status_code == 400


def test_the_feed_has_all_sources(shop):
    credit(shop, "ann", 10)
    ok(shop.post("/v1/products", json={"name": "Cup", "sku": "CUP", "type": "merchandise"}), 201)
    types, cursor = [], ""
    while cursor is not None:
        page = ok(shop.get(f"/v1/analytics/recent-activity?limit=2&cursor={cursor}"))
        types += [one["type"] for one in page["activities"]]
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
    own = next(one for one in listed if one["name"] == "first")
    assert shop.delete(f"/v1/api-keys/{own['keyId']}").status_code == 409


def test_a_key_gives_no_more_than_it_has(shop):
    made = ok(shop.post("/v1/api-keys", json={"name": "Narrow", "scopes": ["admin:write"]}), 201)
    headers = {**shop.headers, "authorization": f"Bearer {made['apiSecret']}"}
    answer = httpx.post(
        f"{shop.base_url}/v1/api-keys", headers=headers, json={"name": "Wide", "scopes": ["members:read"]}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")


def test_the_audit_log_tells_from_what_to_what(shop):
    made = ok(shop.post("/v1/products", json={"name": "Cup", "sku": "CUP", "type": "merchandise"}), 201)
    ok(shop.put(f"/v1/products/{made['productId']}", json={"name": "Mug"}))
    ok(shop.delete(f"/v1/products/{made['productId']}"))
    changes = ok(shop.get("/v1/audit?kind=product"))["changes"]
    assert [one["change"] for one in changes] == ["deleted", "updated", "created"]
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
