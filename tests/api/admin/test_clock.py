"""Everything in an organisation goes by one clock: the organisation's, if it was moved."""

from datetime import datetime, timedelta

import pytest

from plaudit import clock
from plaudit.api.http.errors import error_response
from plaudit.errors import Conflict
from tests.support.http import ok

DAYS = 400
PAY = {"name": "Pay", "triggers": [{"type": "buy"}], "effects": [{"type": "add_points", "config": {"amount": 10}}]}


def moved(shop, days):
    ok(shop.post("/v1/clock/advance", json={"seconds": days * 86_400}))


def buy(shop, user_id):
    body = {"userId": user_id, "action": "buy"}
    assert shop.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=20"}).status_code == 200


def newest(shop, path, name):
    return ok(shop.get(path))[name][0]


SHOWN = [
    ("a document", lambda shop: ok(shop.get("/v1/campaigns"))["campaigns"][-1]["createdAt"]),
    ("its last change", lambda shop: ok(shop.get("/v1/campaigns"))["campaigns"][-1]["updatedAt"]),
    ("the audit log", lambda shop: newest(shop, "/v1/audit", "changes")["changedAt"]),
    ("a transaction", lambda shop: newest(shop, "/v1/transactions", "transactions")["createdAt"]),
    ("a member's transaction", lambda shop: newest(shop, "/v1/transactions?userId=late", "transactions")["createdAt"]),
    ("when it happened", lambda shop: newest(shop, "/v1/transactions", "transactions")["occurredAt"]),
    ("an event received", lambda shop: newest(shop, "/v1/events", "events")["receivedAt"]),
    ("an event decided", lambda shop: newest(shop, "/v1/events", "events")["processedAt"]),
    ("recent activity", lambda shop: newest(shop, "/v1/analytics/recent-activity", "activities")["timestamp"]),
    ("analytics", lambda shop: ok(shop.get("/v1/analytics"))["generatedAt"]),
    ("newest of analytics", lambda shop: ok(shop.get("/v1/analytics"))["recentActivity"][0]["createdAt"]),
    ("the period's end", lambda shop: ok(shop.get("/v1/analytics"))["period"]["end"]),
    ("a profile", lambda shop: ok(shop.get("/v1/profiles/late"))["enrolledAt"]),
    ("last active", lambda shop: ok(shop.get("/v1/profiles/late"))["lastActiveAt"]),
    ("an export", lambda shop: ok(shop.get("/v1/profiles/late/export"))["exportedAt"]),
    ("a consent", lambda shop: ok(shop.post("/v1/profiles/late/consents", json={"purpose": "mail", "granted": True}), 201)["history"][0]["recordedAt"]),
]  # fmt: skip


def test_whatever_tells_a_time_tells_it_by_the_clock_that_was_moved(shop):
    buy(shop, "early")
    moved(shop, DAYS)
    ok(shop.post("/v1/campaigns", json=PAY), 201)
    buy(shop, "late")
    now = datetime.fromisoformat(ok(shop.get("/v1/clock"))["now"])
    far = {}
    for name, of in SHOWN:
        found = datetime.fromisoformat(of(shop))
        if abs(found - now) > timedelta(minutes=30):
            far[name] = found
    assert far == {}


def test_what_was_before_a_move_stays_where_it_was(shop):
    campaign_id = ok(shop.post("/v1/campaigns", json=PAY), 201)["campaignId"]
    buy(shop, "ann")
    moved(shop, 10)
    buy(shop, "bob")
    moved(shop, 20)
    buy(shop, "cy")
    now = datetime.fromisoformat(ok(shop.get("/v1/clock"))["now"])

    def ago(text):
        return round((now - datetime.fromisoformat(text)) / timedelta(days=1))

    shown = ok(shop.get("/v1/transactions"))["transactions"]
    assert [(row["userId"], ago(row["createdAt"])) for row in shown] == [("cy", 0), ("bob", 20), ("ann", 30)]
    # The feed of all that happened is in the order of that clock, page by page.
    told, query = [], "?limit=2"
    while query:
        page = ok(shop.get(f"/v1/analytics/recent-activity{query}"))
        told += page["activities"]
        query = f"?limit=2&cursor={page['cursor']}" if page["cursor"] else ""
    times = [datetime.fromisoformat(entry["timestamp"]) for entry in told]
    assert times == sorted(times, reverse=True)
    paid = [(entry["userId"], ago(entry["timestamp"])) for entry in told if entry["type"] == "transaction"]
    assert paid == [("cy", 0), ("bob", 20), ("ann", 30)]
    # A simulation of the last days, and the members of a period, are by it too.
    for days, members in ((1, 1), (19, 1), (21, 2), (31, 3)):
        assert ok(shop.post(f"/v1/campaigns/{campaign_id}/simulate", json={"days": days}))["members"] == members
    start = (now - timedelta(days=21)).isoformat().replace("+00:00", "Z")
    assert ok(shop.get("/v1/analytics", params={"startDate": start}))["metrics"]["uniqueUsers"] == 2


def test_a_timer_is_received_when_the_move_made_it_due(shop):
    ok(shop.post("/v1/streaks", json={"streakId": "daily", "name": "Daily", "triggers": [{"type": "buy"}]}), 201)
    buy(shop, "ann")
    moved(shop, 10)
    timer = newest(shop, "/v1/events?userId=ann", "events")
    assert timer["kind"] == "timer"
    now = datetime.fromisoformat(ok(shop.get("/v1/clock"))["now"])
    for name in ("receivedAt", "processedAt"):
        assert now - timedelta(days=10, minutes=30) < datetime.fromisoformat(timer[name]) <= now, name


def test_a_code_shows_by_that_clock_when_it_was_issued(shop):
    moved(shop, DAYS)
    product = {"productId": "tea", "name": "Tea", "sku": "TEA", "type": "unique_code_pool", "pointsCost": 0}
    ok(shop.post("/v1/products", json=product), 201)
    assert shop.post("/v1/code-pools", json={"poolId": "teas", "name": "Teas", "productId": "tea"}).status_code == 201
    assert shop.post("/v1/code-pools/teas/import", json={"codes": ["T-1"]}).status_code == 201
    ok(shop.post("/v1/users/enroll", json={"userId": "ann", "email": "ann@example.com"}), 201)
    ok(shop.post("/v1/products/tea/redeem", json={"userId": "ann"}))
    brought = {"userId": "bob", "codes": [{"poolId": "teas", "code": "T-2"}]}
    assert ok(shop.post("/v1/bulk/import", json=brought))["accepted"] == 1
    now = datetime.fromisoformat(ok(shop.get("/v1/clock"))["now"])
    for code in shop.get("/v1/code-pools/teas/codes").json()["codes"]:
        assert abs(datetime.fromisoformat(code["allocatedAt"]) - now) < timedelta(minutes=30), code["code"]


@pytest.mark.parametrize("days", [0, DAYS])
def test_when_to_try_again_is_told_in_seconds_from_now(days):
    """A refusal tells its instant by the organisation's clock, and the seconds until then by the same."""
    now = clock.now() + timedelta(days=days)
    refused = Conflict("Not yet", next_at=now + timedelta(seconds=90), now=now)
    assert error_response(refused, "/v1/ledger/credit").headers["Retry-After"] == "90"


def test_a_draft_on_what_time_brings_about_is_simulated_and_then_applied_to_the_past(shop):
    ok(shop.post("/v1/streaks", json={"streakId": "daily", "name": "Daily", "triggers": [{"type": "buy"}]}), 201)
    draft = {**PAY, "triggers": [{"type": "streak.broken"}], "status": "draft"}
    campaign_id = ok(shop.post("/v1/campaigns", json=draft), 201)["campaignId"]
    for _ in range(2):
        buy(shop, "ann")
        moved(shop, 3)
    buy(shop, "bob")
    found = ok(shop.post(f"/v1/campaigns/{campaign_id}/simulate", json={"days": 30}))
    assert (found["simulated"]["fired"], found["simulated"]["metrics"], found["difference"]["membersGained"]) == (
        2, {"points": 20}, 1,
    )  # fmt: skip
    (sample,) = found["sample"]
    assert (sample["userId"], sample["change"], sample["event"]["trigger"]) == ("ann", "gained", "timer")
    ok(shop.post(f"/v1/campaigns/{campaign_id}/activate"))
    assert ok(shop.post(f"/v1/campaigns/{campaign_id}/apply-to-past", json={"days": 30}), 202)["queued"] == 2
    assert ok(shop.post(f"/v1/campaigns/{campaign_id}/apply-to-past", json={"days": 30}), 202)["queued"] == 0
    moved(shop, 0)  # after all that waits is decided
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 20
