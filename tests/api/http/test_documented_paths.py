"""Where the documents say that a call is: every base URL, and what they name without showing it."""

import pytest

from tests.support.http import ok


@pytest.mark.parametrize(
    "base", ["/api/audience", "/v1/api/audience", "/loyalty/v1/api/audience", "/loyalty/api/audience"]
)
def test_the_audience_api_is_at_both_of_its_base_urls(shop, server_process, base):
    ok(shop.post("/v1/profiles", json={"userId": "ann", "email": "ann@example.com"}), 201)
    assert ok(shop.get(f"{base}/ann@example.com"))["userId"] == "ann"
    with server_process.member_of(shop, "ann") as ann:
        assert ok(ann.get(f"{base}/transactions", params={"type": "credit", "currency": "points", "limit": 20}))[
            "transactions"
        ] == []  # fmt: skip
        assert ok(ann.get(f"{base}/challenges"))["challenges"] == []


def test_the_description_is_there_under_both_prefixes(http):
    assert http.get("/loyalty/openapi.json").json() == http.get("/openapi.json").json()


def test_rules_are_found_by_id_and_keep_their_versions(shop):
    ok(shop.post("/v1/campaigns", json={"campaignId": "adv", "name": "A", "simplifiedMode": False}), 201)
    rule = {"ruleId": "r", "triggerType": "x", "effects": [{"type": "add_points", "amount": 1}]}
    made = ok(shop.post("/v1/campaigns/adv/rules", json=rule), 201)
    url = "/v1/campaigns/adv/rules/r"
    assert ok(shop.get(url)) == made
    ok(shop.put(url, json={"priority": 9}))
    versions = ok(shop.get(f"{url}/versions"))["versions"]
    assert [(version["version"], version["document"]["priority"]) for version in versions] == [(2, 9), (1, 5)]
    assert shop.get("/v1/campaigns/adv/rules/none").status_code == 404
    simple = {"campaignId": "simple", "name": "S", "triggers": [{"type": "x"}], "effects": rule["effects"]}
    ok(shop.post("/v1/campaigns", json=simple), 201)
    (generated,) = ok(shop.get("/v1/campaigns/simple/rules"))["rules"]
    assert ok(shop.get(f"/v1/campaigns/simple/rules/{generated['ruleId']}")) == generated


@pytest.fixture
def pool(shop):
    """A pool of which one code is in a member's hands."""
    ok(shop.post("/v1/products", json={"productId": "p", "name": "P", "sku": "P", "type": "unique_code_pool"}), 201)
    assert shop.post("/v1/code-pools", json={"poolId": "pool", "name": "Pool", "productId": "p"}).status_code == 201
    assert shop.post("/v1/code-pools/pool/import", json={"codes": ["Ab-1", "Cd-2", "Ef-3"]}).status_code == 201
    config = {"codePoolId": "pool", "discountType": "fixed", "discountValue": 5}
    reward = {"rewardId": "own", "name": "Five off", "rewardType": "unique_coupon", "config": config}
    ok(shop.post("/v1/rewards", json=reward), 201)
    ok(shop.post("/v1/rewards/grant", json={"rewardId": "own", "userId": "ann"}))
    return shop


def test_the_codes_of_a_pool_are_listed_and_looked_up(pool):
    def listed(**query):
        return [coupon["code"] for coupon in pool.get("/v1/code-pools/pool/codes", params=query).json()["codes"]]

    assert listed() == ["Ab-1", "Cd-2", "Ef-3"]
    assert listed(state="available") == ["Cd-2", "Ef-3"]
    assert listed(userId="ann") == listed(state="allocated") == ["Ab-1"]
    assert listed(userId="bob") == []
    first = pool.get("/v1/code-pools/pool/codes", params={"limit": 2}).json()
    assert [coupon["code"] for coupon in first["codes"]] == ["Ab-1", "Cd-2"]
    assert listed(limit=2, cursor=first["cursor"]) == ["Ef-3"]
    code = pool.get("/v1/code-pools/pool/codes/Ab-1").json()
    assert code.items() >= {
        "code": "Ab-1", "status": "allocated", "userId": "ann", "name": "Five off", "discountType": "fixed",
        "discountValue": 5, "redeemedAt": None,
    }.items()  # fmt: skip
    assert pool.get("/v1/code-pools/pool/codes/none").status_code == 404
    assert pool.get("/v1/code-pools/none/codes").status_code == 404


def test_who_has_a_code_is_for_those_who_may_read_members(pool):
    key = ok(pool.post("/v1/api-keys", json={"name": "Till", "scopes": ["admin:read"]}), 201)
    headers = {"Authorization": f"Bearer {key['apiSecret']}"}
    assert pool.get("/v1/code-pools/pool/codes/Ab-1", headers=headers).json()["userId"] is None
    assert pool.get("/v1/code-pools/pool/codes", headers=headers, params={"userId": "ann"}).status_code == 403


def test_codes_are_case_insensitive_unless_their_pool_says_otherwise(pool):
    redeemed = pool.post("/v1/code-pools/pool/codes/aB-1/redeem").json()
    assert (redeemed["code"], redeemed["status"], redeemed["discountValue"]) == ("Ab-1", "redeemed", 5)
    assert pool.post("/v1/code-pools/pool/codes/AB-1/redeem").status_code == 409
    assert pool.put("/v1/code-pools/pool", json={"caseSensitive": True}).status_code == 200
    assert pool.get("/v1/code-pools/pool/codes/ab-1").status_code == 404
    assert pool.get("/v1/code-pools/pool/codes/Ab-1").status_code == 200


def test_code_pools_have_the_betas_envelope_under_the_betas_prefix(pool):
    shown = pool.get("/v1/code-pools/pool").json()
    assert shown["poolId"] == "pool"
    assert pool.get("/api/loyalty/admin/code-pools/pool").json() == {"message": "OK", "data": shown}
    codes = pool.get("/api/loyalty/admin/code-pools/pool/codes").json()
    assert codes["message"] == "OK"
    assert len(codes["data"]["codes"]) == 3


def test_all_that_is_wrong_with_a_document_is_said_at_once(shop):
    """Its shape, its meaning, and what it refers to."""
    campaign = {
        "name": 7,
        "surprise": 1,
        "triggers": [{"type": "x", "conditions": [{"field": "a", "operator": "near", "value": 1}]}],
        "effects": [{"type": "award_product", "productId": "nope"}],
    }
    error = shop.post("/v1/campaigns", json=campaign).json()["error"]
    assert {detail["field"] for detail in error["details"]} == {
        "name", "surprise", "triggers[0].conditions[0].operator", "effects[0].config.productId"
    }  # fmt: skip
    reward = {"name": "R", "rewardType": "points", "config": {}, "surprise": 1}
    error = shop.post("/v1/rewards", json=reward).json()["error"]
    assert {detail["field"] for detail in error["details"]} == {"surprise", "config.amount"}
    ok(shop.post("/v1/campaigns", json={"campaignId": "c", "name": "C", "status": "draft"}), 201)
    error = shop.put("/v1/campaigns/c", json=campaign).json()["error"]
    assert len(error["details"]) == 4


def test_a_mismatch_is_a_422_at_every_way_in(shop):
    def status_of(path, body, **headers):
        return shop.post(path, json=body, headers=headers).status_code

    for number, wanted in ((1, {200, 201, 202}), (2, {422})):
        action = {"userId": "u", "action": "a", "data": {"n": number}}
        assert status_of("/api/audience/internal/actions", action | {"eventId": "one"}) in wanted
        assert status_of("/api/audience/internal/actions", action | {"eventId": "two"}, Prefer="wait=5") in wanted
        assert status_of("/v1/transactions", {"userId": "u", "amount": 50 + number, "eventId": "three"}) in wanted
        assert (
            status_of("/v1/transfers", {"userId": "u", "toUserId": "v", "amount": number, "eventId": "four"}) in wanted
        )
        track = {"type": "track", "userId": "u", "event": "Paid", "messageId": "five", "properties": {"n": number}}
        assert status_of("/v1/track", track) in wanted
        assert status_of("/v1/batch", {"batch": [track | {"messageId": "six"}]}) in wanted
        assert status_of("/v1/identify", {"userId": "u", "messageId": "seven", "traits": {"n": number}}) in wanted
        headers = {"ce-id": "8", "ce-source": "s", "ce-type": "paid", "ce-specversion": "1.0", "ce-subject": "u"}
        assert status_of("/v1/ingest/cloudevents", {"n": number}, **headers) in wanted
