"""Coupons: what they are worth reaches the member and the shop, by every way on which they are given."""

import pytest

from tests.support.http import ok

WORTH = {"name": "Ten off", "link": "https://shop.example/ten", "discountType": "percentage", "discountValue": 10}
DISCOUNT = {"discountType": "percentage", "discountValue": 10}


@pytest.fixture
def rewards(shop):
    """A reward with a shared code, and one with unique codes."""
    ok(shop.post("/v1/products", json={"productId": "p", "name": "P", "sku": "P", "type": "unique_code_pool"}), 201)
    assert shop.post("/v1/code-pools", json={"poolId": "pool", "name": "Pool", "productId": "p"}).status_code == 201
    assert shop.post("/v1/code-pools/pool/import", json={"codes": ["Ab-1", "Ab-2"]}).status_code == 201
    for reward_id, kind, config in (
        ("shared", "non_unique_coupon", {"code": "TEN", **DISCOUNT}),
        ("own", "unique_coupon", {"codePoolId": "pool", **DISCOUNT}),
    ):
        body = {"rewardId": reward_id, "name": "Ten off", "link": WORTH["link"], "rewardType": kind, "config": config}
        ok(shop.post("/v1/rewards", json=body), 201)
    return shop


@pytest.mark.parametrize(("reward_id", "code"), [("shared", "TEN"), ("own", "Ab-1")])
def test_a_coupon_tells_what_it_is_worth(rewards, server_process, reward_id, code):
    given = ok(rewards.post("/v1/rewards/grant", json={"rewardId": reward_id, "userId": "ann"}))["result"]
    assert given["code"] == code
    assert given.items() >= WORTH.items()
    (coupon,) = ok(rewards.get("/v1/profiles/ann"))["coupons"]
    assert coupon.items() >= {"couponId": given["couponId"], "code": code, **WORTH}.items()
    with server_process.member_of(rewards, "ann") as ann:
        (own,) = ann.get("/api/loyalty/me/rewards").json()["data"]["coupons"]
        assert own.items() >= WORTH.items()


def test_a_coupon_keeps_what_it_was_issued_with(rewards):
    ok(rewards.post("/v1/rewards/grant", json={"rewardId": "shared", "userId": "ann"}))
    changed = {"code": "TEN", "discountType": "fixed", "discountValue": 3}
    ok(rewards.put("/v1/rewards/shared", json={"config": changed}))
    (coupon,) = ok(rewards.get("/v1/profiles/ann"))["coupons"]
    assert (coupon["discountType"], coupon["discountValue"]) == ("percentage", 10)


def test_a_reward_of_unique_coupons_needs_a_pool_with_codes(rewards):
    assert rewards.post("/v1/code-pools", json={"poolId": "empty", "name": "E", "productId": "p"}).status_code == 201
    body = {"rewardId": "none", "name": "N", "rewardType": "unique_coupon", "config": {"codePoolId": "empty"}}
    refused = rewards.post("/v1/rewards", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["details"] == [
        {
            "field": "config.codePoolId",
            "message": "must reference a code pool with available codes (got 'empty', which has none)",
        }
    ]
    assert rewards.put("/v1/rewards/own", json={"config": {"codePoolId": "empty"}}).status_code == 400
    for user in ("ann", "bob"):
        ok(rewards.post("/v1/rewards/grant", json={"rewardId": "own", "userId": user}))
    ok(rewards.put("/v1/rewards/own", json={"name": "Sold out"}))  # its own pool may run out


def test_a_grant_of_any_type_tells_what_was_given_and_has_the_reason(shop):
    ok(shop.post("/v1/products", json={"productId": "p", "name": "P", "sku": "P", "type": "merchandise"}), 201)
    ok(shop.post("/v1/competitions", json={"competitionId": "cup", "name": "Cup"}), 201)
    wanted = {
        "points": ({"amount": 5}, {"amount": 5}),
        "product": ({"productId": "p", "quantity": 2}, {"amount": 2, "productId": "p", "quantity": 2}),
        "competition_entry": ({"competitionId": "cup"}, {"amount": 1, "competitionId": "cup", "entries": 1}),
    }
    for kind, (config, told) in wanted.items():
        ok(shop.post("/v1/rewards", json={"rewardId": kind, "name": "R", "rewardType": kind, "config": config}), 201)
        body = {"rewardId": kind, "userId": "ann", "metadata": {"reason": "A late parcel", "ticketId": "T-1"}}
        given = ok(shop.post("/v1/rewards/grant", json=body))["result"]
        assert given.items() >= told.items()
        assert ("transactionId" in given) == (kind == "points")
    (transaction,) = ok(shop.get("/v1/transactions"))["transactions"]
    assert transaction["reason"] == "A late parcel"
    ok(shop.post("/v1/rewards/grant", json={"rewardId": "points", "userId": "ann"}))
    assert ok(shop.get("/v1/transactions"))["transactions"][0]["reason"] == "R"


def test_all_rewards_are_listed_unless_a_limit_is_given(shop):
    points = {"name": "R", "rewardType": "points", "config": {"amount": 1}}
    rewards = {f"r{number}": {**points} for number in range(120)}
    ok(shop.put("/v1/config", json={"rewards": rewards}))
    found = ok(shop.get("/v1/rewards"))
    assert (found["count"], len(found["rewards"]), found["cursor"]) == (120, 120, None)
    page = ok(shop.get("/v1/rewards", params={"limit": 100}))
    assert len(page["rewards"]) == 100
    rest = ok(shop.get("/v1/rewards", params={"limit": 100, "cursor": page["cursor"]}))
    assert len(rest["rewards"]) == 20
