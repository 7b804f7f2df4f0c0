"""Points that live, over HTTP, with the clock moved: earned, pending, spent, returned, reminded of, expired."""

from tests.support.http import ok


def test_points_are_pending_spent_returned_and_expire(shop):
    ok(shop.put("/v1/metrics/points", json={
        "pendingDays": 14, "expiry": {"type": "rolling", "days": 90, "remindDays": 10}, "onReversal": "debt",
    }))  # fmt: skip
    ok(shop.post("/v1/campaigns", json={
        "name": "A point a euro", "triggers": [{"type": "purchase"}],
        "effects": [{"type": "add_points", "config": {"amount": "amount"}}],
    }), 201)  # fmt: skip
    ok(shop.post("/v1/campaigns", json={
        "name": "Reminder", "triggers": [{"type": "metric.expiring"}],
        "effects": [{"type": "add_metric", "config": {"metric": "xp", "amount": 1}}],
    }), 201)  # fmt: skip

    def points():
        return ok(shop.get("/v1/profiles/ann"))["metrics"]["points"]

    def advance(days):
        return ok(shop.post("/v1/clock/advance", json={"seconds": days * 86_400}))

    bought = shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json={
        "userId": "ann", "action": "purchase", "eventId": "ORD-1", "data": {"amount": 100},
    }).json()  # fmt: skip
    (earned,) = bought["outcome"]["transactions"]
    assert {name: points()[name] for name in ("balance", "pending", "available")} == {
        "balance": 100, "pending": 100, "available": 0,
    }  # fmt: skip
    spend = {"userId": "ann", "amount": -60, "reason": "A mug", "eventId": "MUG-1"}
    assert shop.post("/v1/transactions", json=spend).json()["error"]["code"] == "balance_insufficient"
    advance(14)
    assert points()["available"] == 100
    spent = ok(shop.post("/v1/transactions", json=spend), 201)
    assert (spent["amount"], spent["balanceAfter"], spent["lots"][0]["amount"]) == (-60, 40, -60)
    again = ok(shop.post("/v1/transactions", json=spend), 201)
    assert (again["transactionId"], again["duplicate"]) == (spent["transactionId"], True)
    assert ok(shop.get(f"/v1/transactions/{spent['transactionId']}"))["paidBy"] == [
        {"transactionId": earned["transactionId"], "amount": 60}
    ]
    # The goods go back, though most of the points are spent.
    back = ok(shop.post(f"/v1/transactions/{earned['transactionId']}/reverse", json={"amount": 50}), 201)
    assert (back["amount"], back["reverses"], points()["balance"]) == (-50, earned["transactionId"], -10)
    assert shop.post(f"/v1/transactions/{earned['transactionId']}/reverse", json={"amount": 51}).status_code == 409
    ok(shop.post(f"/v1/transactions/{spent['transactionId']}/reverse", json={}), 201)
    assert points()["balance"] == 50
    held = {"holdId": "order-7", "amount": 30}
    ok(shop.post("/v1/profiles/ann/holds", json=held))
    assert points()["available"] == 20
    moved = ok(shop.post("/v1/transfers", json={"userId": "ann", "toUserId": "bob", "amount": 20}), 201)
    assert moved["amount"] == -20
    advance(67)
    assert ok(shop.get("/v1/profiles/ann"))["xp"] == 1
    assert points()["balance"] == 30
    advance(11)
    assert points() == {"balance": 0, "pending": 0, "available": 0, "lifetime": 50, "expiring": []}
    assert ok(shop.get("/v1/profiles/bob"))["points"] == 0
    reasons = [transaction["reason"] for transaction in ok(shop.get("/v1/transactions?userId=ann"))["transactions"]]
    assert reasons[0] == "expired"


def test_only_a_test_organisations_clock_is_moved(http):
    assert http.get("/v1/clock").json()["data"]["test"] is False
    assert http.post("/v1/clock/advance", json={"seconds": 1}).status_code == 403
