"""Whoever has the response to a write reads what it has led to, at all members that it is about."""

import pytest

from tests.support.http import ok

WRITES = {
    "a profile": (lambda shop: shop.post("/v1/profiles", json={"userId": "ann", "city": "Bath"}), "ann", {"city": "Bath"}),
    "an enrolment": (
        lambda shop: shop.post("/v1/users/enroll", json={"userId": "ann", "email": "ann@x.org"}),
        "ann", {"email": "ann@x.org", "points": 100, "coins": 50},
    ),
    "an enrolment by a referral": (
        lambda shop: shop.post("/v1/users/enroll", json={"userId": "ann", "email": "ann@x.org", "referredBy": "eve"}),
        "eve", {"referralCount": 1, "xp": 7},
    ),
    "a credit": (lambda shop: shop.post("/v1/transactions", json={"userId": "ann", "amount": 5}), "ann", {"points": 5}),
    "a transfer, here": (
        lambda shop: shop.post("/v1/transfers", json={"userId": "eve", "toUserId": "ann", "amount": 5}),
        "eve", {"points": 95},
    ),
    "a transfer, there": (
        lambda shop: shop.post("/v1/transfers", json={"userId": "eve", "toUserId": "ann", "amount": 5}),
        "ann", {"points": 5},
    ),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
def test_a_profile_read_right_after_a_201_has_what_was_written(shop, write):
    fields = [{"name": "city", "type": "string"}]
    ok(shop.put("/v1/profiles/schema", json={"fields": fields}))
    effects = [{"type": "add_metric", "metric": "xp", "amount": 7}]
    ok(shop.post("/v1/campaigns", json={"name": "R", "triggers": [{"type": "user.referred"}], "effects": effects}), 201)
    ok(shop.post("/v1/transactions", json={"userId": "eve", "amount": 100}), 201)
    send, user_id, wanted = WRITES[write]
    ok(send(shop), 201)
    profile = ok(shop.get(f"/v1/profiles/{user_id}"))
    assert {name: profile.get(name) for name in wanted} == wanted
