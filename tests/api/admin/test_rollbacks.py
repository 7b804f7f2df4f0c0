"""A campaign overpaid: what it led to is undone, for all members or one, once, and the books hold."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.eventually import eventually
from tests.support.http import ok

ACTIONS = "/api/audience/internal/actions"
NOW = {"Prefer": "wait=60"}
MEMBERS = 200
NOTHING = {"transfers": 0, "products": 0, "coupons": 0, "entries": 0, "notifications": 0, "completions": 0, "rungs": 0}


def ago(**time_before):
    return (datetime.now(UTC) - timedelta(**time_before)).isoformat()


def roll_back(shop, campaign="over", **more):
    body = {"from": ago(days=1), "until": ago(hours=-1), **more}
    path, _, query = campaign.partition("?")
    job = ok(shop.post(f"/v1/campaigns/{path}/rollback?{query}", json=body), 202)
    path = f"/v1/bulk/jobs/{job['jobId']}"
    job = eventually(lambda: (current := ok(shop.get(path)))["state"] != "running" and current)
    assert job["state"] == "finished", job
    return job


def what_came_of(job):
    return {name: job["rollback"][name] for name in ("undone", "notRecovered", "members")}


def profile(shop, user):
    return ok(shop.get(f"/v1/profiles/{user}"))


def make(shop, path, **document):
    return ok(shop.post(path, json={"name": "n", **document}), 201)


def points(amount):
    return {"type": "add_points", "config": {"amount": amount}}


def buy(shop, user, **more):
    return ok(shop.post(ACTIONS, json={"action": "buy", "userId": user, **more}, headers=NOW))


@pytest.fixture
def overpaid(shop, server_process):
    """200 members got 100 points, a code, a rung's coins and what listens to a completion; some have spent theirs."""
    make(shop, "/v1/products", productId="mug", sku="MUG", type="merchandise", pointsCost=60)
    make(shop, "/v1/code-pools", poolId="pool", productId="mug")
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": [f"C-{n}" for n in range(MEMBERS + 50)]}), 201)
    rungs = [
        {"rungId": "base", "name": "Base", "threshold": 0},
        {"rungId": "gold", "name": "Gold", "threshold": 150, "effects": [{"type": "add_metric", "config": {"metric": "coins", "amount": 9}}]},
    ]  # fmt: skip
    make(shop, "/v1/ladders", ladderId="status", metric="points", window={"type": "all_time"}, rungs=rungs)
    steps = [{"name": "s", "triggers": [{"type": "buy"}], "goal": {"type": "count", "target": 2}}]
    make(shop, "/v1/campaigns", campaignId="challenge", steps=steps, effects=[points(10)])
    effects = [points(100), {"type": "issue_coupon", "config": {"codePoolId": "pool"}}]
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=effects, limit={"overall": 1000})
    make(shop, "/v1/campaigns", campaignId="xp", triggers=[{"type": "campaign.completed", "conditions": [
        {"field": "data.campaignId", "operator": "equals", "value": "over"}]}],
        effects=[{"type": "add_metric", "config": {"metric": "xp", "amount": 1}}])  # fmt: skip
    users = [f"u{n}" for n in range(MEMBERS)]
    batch = [{"action": "buy", "userId": user, "eventId": str(uuid4())} for user in users[1:]]
    ok(shop.post(f"{ACTIONS}/batch", json=batch), 202)
    buy(shop, "u0")
    buy(shop, "u0")  # the challenge, and gold
    eventually(lambda: ok(shop.get("/v1/campaigns/over/stats"))["completions"], MEMBERS + 1)
    # The ladder is new: looks at its members move them on.
    eventually(lambda: not server_process.sql("SELECT FROM segment_fills WHERE finished_at IS NULL LIMIT 1"))
    eventually(lambda: not server_process.sql("SELECT FROM inbox LIMIT 1"))
    return shop


def test_what_200_members_were_overpaid_comes_back(overpaid, server_process):
    shop = overpaid
    before = profile(shop, "u0")
    assert (before["points"], before["coins"], before["ladders"]["status"]["rung"]) == (210, 9, "gold")
    for user in ("u1", "u2", "u3"):
        ok(shop.post("/v1/products/mug/redeem", json={"userId": user}))
    codes = [
        next(coupon for coupon in profile(shop, user)["coupons"] if coupon["origin"] == "pool")["code"]
        for user in ("u4", "u5")
    ]
    for code in codes:
        ok(shop.post(f"/v1/code-pools/pool/codes/{code}/redeem"))
    dry = roll_back(shop, dryRun=True)
    tried = roll_back(shop, "over?dryRun=true")
    assert (tried["rollback"]["dryRun"], what_came_of(tried)) == (True, what_came_of(dry))
    assert profile(shop, "u0") == before
    done = roll_back(shop)
    assert what_came_of(done) == what_came_of(dry)
    told = done["rollback"]
    assert told["undone"] == NOTHING | {
        "metrics": {"points": 100 * (MEMBERS + 1) - 180, "xp": MEMBERS + 1, "coins": 9},
        "coupons": MEMBERS + 1 - 2, "completions": 2 * (MEMBERS + 1), "rungs": 1,
    }  # fmt: skip
    assert told["notRecovered"] == {
        "metrics": {"points": {"amount": 180, "members": 3}}, "coupons": {"number": 2, "members": 2},
    }  # fmt: skip
    after = profile(shop, "u0")
    assert (after["points"], after["lifetimePoints"], after["coins"]) == (10, 10, 0)
    assert [coupon["status"] for coupon in after["coupons"]] == ["revoked"] * 2
    assert after["ladders"]["status"]["rung"] == "base"
    assert [profile(shop, user)["points"] for user in ("u1", "u4", "u9")] == [0, 0, 0]
    assert [coupon["status"] for coupon in profile(shop, "u4")["coupons"]] == ["redeemed"]
    assert [holding["productId"] for holding in profile(shop, "u1")["inventory"]] == ["mug"]
    stats = ok(shop.get("/v1/campaigns/over/stats"))
    assert (stats["completions"], stats["metrics"]["points"]["amount"]) == (0, 180)
    again = roll_back(shop)
    assert (again["accepted"], again["rollback"]["undone"].get("metrics")) == (2, {})  # whose codes are still used
    server_process.verify()


def test_a_rollback_takes_named_members_and_a_time(overpaid):
    shop = overpaid
    some = roll_back(shop, userIds=["u1", "u2"])
    assert (some["lines"], some["rollback"]["undone"]["metrics"]["points"]) == (2, 200)
    assert [profile(shop, user)["points"] for user in ("u1", "u2", "u3")] == [0, 0, 100]
    early = {"from": ago(days=3), "until": ago(days=2)}
    assert roll_back(shop, **early)["accepted"] == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "until"),
        ({"from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z", "userIds": ["nobody"]}, "userIds[0]"),
        ({"from": "yesterday", "until": "2026-01-02T00:00:00Z"}, "from"),
    ],
)
def test_what_is_no_rollback_is_refused(shop, body, field):
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=[points(1)])
    refused = shop.post("/v1/campaigns/over/rollback", json=body)
    assert refused.status_code == 400, refused.text
    assert field in refused.text
    assert shop.post("/v1/campaigns/missing/rollback", json={**body}).status_code in (400, 404)


def test_a_single_completion_coupon_and_product_are_undone(shop, server_process):
    make(shop, "/v1/products", productId="mug", sku="MUG", type="merchandise")
    make(shop, "/v1/code-pools", poolId="pool", productId="mug")
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": ["A", "B"]}), 201)
    effects = [points(100), {"type": "issue_coupon", "config": {"codePoolId": "pool"}},
               {"type": "award_product", "config": {"productId": "mug", "quantity": 3}}]  # fmt: skip
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=effects[:2])
    make(shop, "/v1/campaigns", campaignId="mugs", triggers=[{"type": "mug"}], effects=effects[2:])
    first, second = str(uuid4()), str(uuid4())
    buy(shop, "ann", eventId=first)
    buy(shop, "ann", eventId=second)
    ok(shop.post(ACTIONS, json={"action": "mug", "userId": "ann"}, headers=NOW))
    undone = ok(shop.post(f"/v1/events/{second}/undo", json={"campaignId": "over"}))
    assert (undone["userId"], undone["changed"], undone["undone"]["metrics"]) == ("ann", True, {"points": 100})
    assert profile(shop, "ann")["points"] == 100
    again = ok(shop.post(f"/v1/events/{second}/undo", json={"campaignId": "over"}))
    assert profile(shop, "ann")["points"] == 100
    assert again["undone"] == undone["undone"]
    (coupon,) = [value for value in profile(shop, "ann")["coupons"] if value["status"] == "allocated"]
    revoked = ok(shop.post(f"/v1/coupons/{coupon['couponId']}/revoke", json={"reason": "wrong"}))
    assert revoked == {"couponId": coupon["couponId"], "userId": "ann", "code": coupon["code"], "status": "revoked"}
    left = ok(shop.delete("/v1/profiles/ann/products/mug?quantity=1"))
    assert left == {"userId": "ann", "productId": "mug", "removed": 1, "quantity": 2}
    assert shop.delete("/v1/profiles/ann/products/mug?quantity=7").status_code == 400
    ok(shop.delete("/v1/profiles/ann/products/mug"))
    assert profile(shop, "ann")["inventory"] == []
    assert shop.delete("/v1/profiles/ann/products/mug").status_code == 404
    server_process.verify()


def test_a_revoked_coupon_is_seen_as_revoked_and_not_taken(shop, server_process):
    make(shop, "/v1/products", productId="mug", sku="MUG", type="merchandise")
    make(shop, "/v1/code-pools", poolId="pool", productId="mug")
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": ["A", "B"]}), 201)
    discount = {"code": "HI10", "discountType": "percentage", "discountValue": 10}
    make(shop, "/v1/rewards", rewardId="hi", rewardType="non_unique_coupon", config=discount)
    make(shop, "/v1/campaigns", campaignId="both", triggers=[{"type": "buy"}], effects=[
        {"type": "issue_coupon", "config": {"codePoolId": "pool"}}, {"type": "grant_reward", "config": {"rewardId": "hi"}}])  # fmt: skip
    buy(shop, "ann")
    coupons = {coupon["origin"]: coupon["couponId"] for coupon in profile(shop, "ann")["coupons"]}
    for coupon_id in coupons.values():
        ok(shop.post(f"/v1/coupons/{coupon_id}/revoke", json={"reason": "wrong"}))
        again = shop.post(f"/v1/coupons/{coupon_id}/revoke", json={})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "coupon_revoked")
    with server_process.member_of(shop, "ann") as ann:
        seen = ok(ann.get("/api/loyalty/me/rewards"))["coupons"]
        gone = ann.get(f"/api/loyalty/coupons/{coupons['hi']}")
    for shown in (seen, profile(shop, "ann")["coupons"]):
        assert {coupon["origin"]: coupon["status"] for coupon in shown} == {"pool": "revoked", "hi": "revoked"}
        assert all(coupon["revokedAt"] for coupon in shown)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "coupon_revoked")
    (listed,) = ok(shop.get("/v1/code-pools/pool/codes?state=revoked"))["codes"]
    assert (listed["code"], listed["status"], listed["userId"]) == ("A", "revoked", "ann")
    assert (listed["couponId"], ok(shop.get("/v1/code-pools/pool/codes/a"))) == (coupons["pool"], listed)
    pool = ok(shop.get("/v1/code-pools/pool"))
    assert [pool[f"{state}Codes"] for state in ("total", "revoked", "expired", "available")] == [2, 1, 0, 1]
    refused = shop.post("/v1/code-pools/pool/codes/A/redeem")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "code_revoked")
    granted = ok(shop.post("/v1/rewards/grant", json={"rewardId": "hi", "userId": "ann"}))["result"]
    with server_process.member_of(shop, "ann") as ann:
        assert ok(ann.get("/api/loyalty/coupons/hi"))["id"] == granted["couponId"]
    server_process.verify()


def test_a_redeemed_coupon_is_not_revoked(shop, server_process):
    make(shop, "/v1/products", productId="mug", sku="MUG", type="merchandise")
    make(shop, "/v1/code-pools", poolId="pool", productId="mug")
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": ["A"]}), 201)
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=[
        {"type": "issue_coupon", "config": {"codePoolId": "pool"}}])  # fmt: skip
    buy(shop, "ann")
    (coupon,) = profile(shop, "ann")["coupons"]
    ok(shop.post("/v1/code-pools/pool/codes/A/redeem"))
    refused = shop.post(f"/v1/coupons/{coupon['couponId']}/revoke", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "coupon_redeemed")
    server_process.verify()


def test_of_an_erased_member_nothing_is_undone(shop):
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=[points(1)])
    ok(shop.post("/v1/transactions", json={"userId": "ann", "metric": "points", "amount": 5}), 201)
    event_id = str(uuid4())
    buy(shop, "ann", eventId=event_id)
    ok(shop.delete("/v1/profiles/ann"))
    refused = shop.post(f"/v1/events/{event_id}/undo", json={"campaignId": "over"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_undone")


def test_who_was_merged_since_is_rolled_back_under_the_id_they_have_now(shop, server_process):
    ok(shop.put("/v1/metrics/points", json={"expiry": {"type": "rolling", "days": 30}}))
    make(shop, "/v1/products", productId="mug", sku="MUG", type="merchandise")
    make(shop, "/v1/code-pools", poolId="pool", productId="mug")
    ok(shop.post("/v1/code-pools/pool/import", json={"codes": ["A", "B", "C"]}), 201)
    make(shop, "/v1/campaigns", campaignId="right", triggers=[{"type": "buy"}], effects=[points(7)])
    effects = [points(100), {"type": "issue_coupon", "config": {"codePoolId": "pool"}},
               {"type": "award_product", "config": {"productId": "pin", "quantity": 1}}]  # fmt: skip
    make(shop, "/v1/products", productId="pin", sku="PIN", type="merchandise")
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=effects)
    first = str(uuid4())
    buy(shop, "guest", eventId=first)
    for user in ("guest", "ann"):
        buy(shop, user)
    ok(shop.post("/v1/profiles/ann/merge", json={"from": "guest"}))
    assert profile(shop, "ann")["points"] == 3 * 107
    undone = ok(shop.post(f"/v1/events/{first}/undo", json={"campaignId": "over"}))
    assert (undone["userId"], undone["undone"]["metrics"], undone["undone"]["coupons"]) == ("ann", {"points": 100}, 1)
    dry = roll_back(shop, dryRun=True, userIds=["guest"])
    done = roll_back(shop, userIds=["guest"])
    assert what_came_of(done) == what_came_of(dry)
    told = done["rollback"]
    assert (told["members"], told["undone"]) == (
        1, NOTHING | {"metrics": {"points": 200}, "coupons": 2, "products": 2, "completions": 2},
    )  # fmt: skip
    after = profile(shop, "ann")
    assert (after["points"], after["lifetimePoints"], after["inventory"]) == (21, 21, [])
    assert {coupon["status"] for coupon in after["coupons"]} == {"revoked"}
    assert ok(shop.get("/v1/campaigns/over/stats"))["completions"] == 0
    assert roll_back(shop)["accepted"] == 0
    server_process.verify()


def test_a_merge_that_was_reversed_since_is_left_to_people(shop):
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=[points(100)])
    for user in ("guest", "ann"):
        buy(shop, user)
    (merged,) = ok(shop.post("/v1/profiles/ann/merge", json={"from": "guest"}))["transactions"]
    ok(shop.post(f"/v1/transactions/{merged['transactionId']}/reverse", json={}), 201)
    done = roll_back(shop)
    assert done["refused"] == 1
    errors = ok(shop.get(f"/v1/bulk/jobs/{done['jobId']}"))["errors"]
    assert "guest was merged into this member and then erased, or the merge was reversed" in str(errors)
    assert profile(shop, "ann")["points"] == 100


def test_points_that_were_sent_on_come_back_from_who_received_them(shop, server_process):
    make(shop, "/v1/products", productId="mug", sku="MUG", type="merchandise", pointsCost=60)
    make(shop, "/v1/campaigns", campaignId="over", triggers=[{"type": "buy"}], effects=[points(100)])
    sent = {}
    for user in ("ann", "bea"):
        buy(shop, user)
        body = {"userId": user, "toUserId": f"{user}s-friend", "amount": 80}
        sent[user] = ok(shop.post("/v1/transfers", json=body), 201)
    ok(shop.post("/v1/products/mug/redeem", json={"userId": "beas-friend"}))
    dry = roll_back(shop, dryRun=True)
    assert profile(shop, "anns-friend")["points"] == 80
    done = roll_back(shop)
    assert what_came_of(done) == what_came_of(dry)
    assert done["rollback"]["undone"] == NOTHING | {"metrics": {"points": 140}, "transfers": 2, "completions": 2}
    assert done["rollback"]["notRecovered"] == {
        "metrics": {"points": {"amount": 60, "members": 1}},
        "sentOn": [{"toUserId": "beas-friend", "metric": "points", "amount": 60, "reason": "balance_insufficient"}],
    }
    assert [profile(shop, name)["points"] for name in ("ann", "bea", "anns-friend", "beas-friend")] == [0, 0, 0, 0]
    for user, left in (("ann", 0), ("bea", 60)):
        back = shop.post(f"/v1/transactions/{sent[user]['transactionId']}/reverse", json={"amount": 80})
        assert back.status_code == 409
        given_back = ok(shop.get(f"/v1/transactions?userId={user}s-friend"))["transactions"][0]
        assert (given_back["amount"], given_back["reason"]) == (left - 80, "Rolled back: sent on")
    assert roll_back(shop)["rollback"]["undone"]["metrics"] == {}
    server_process.verify()
