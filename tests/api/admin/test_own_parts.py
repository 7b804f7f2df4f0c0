"""A campaign's own streak and competition: under the campaign's id, which no other has, and named like any other."""

import pytest

from tests.support.http import saved, wrong

VISIT = {"name": "C", "triggers": [{"type": "visit"}], "effects": [{"type": "add_points", "config": {"amount": 1}}]}
STREAK = VISIT | {"type": "Streak"}
CUP = {"name": "C", "type": "Competition", "competition": {"score": {"metric": "xp"}}}


@pytest.mark.parametrize(("kind", "own", "document"), [
    ("streak", STREAK, {"name": "S", "triggers": [{"type": "visit"}]}),
    ("competition", CUP, {"name": "S", "score": {"metric": "xp"}}),
])  # fmt: skip
def test_no_two_have_one_id_whichever_is_saved_first(shop, kind, own, document):
    name, collection = f"{kind}Id", f"{kind}s"
    saved(shop.post("/v1/campaigns", json=own | {"campaignId": "a"}))
    refused = f"must be another: campaign 'a' has a {kind} of its own, with its id"
    assert wrong(shop.post(f"/v1/{collection}", json=document | {name: "a"})) == {name: refused}
    assert wrong(shop.put("/v1/config", json={collection: {"a": document}})) == {f"{collection}.a.{name}": refused}

    saved(shop.post(f"/v1/{collection}", json=document | {name: "b"}))
    refused = f"must be absent: there is a {kind} 'b' already, and a campaign's own has its id"
    assert wrong(shop.post("/v1/campaigns", json=own | {"campaignId": "b"})) == {kind: refused}
    saved(shop.post("/v1/campaigns", json=VISIT | {"campaignId": "b"}))
    assert wrong(shop.put("/v1/campaigns/b", json=own)) == {kind: refused}
    both = {collection: {"c": document}, "campaigns": {"c": own}}
    assert f"campaigns.c.{kind}" in wrong(shop.put("/v1/config", json=both))


def test_effects_check_in_to_a_campaigns_own_streak_and_give_freezes_of_it(shop):
    saved(shop.post("/v1/campaigns", json=STREAK | {"campaignId": "daily", "streak": {"freezes": {"maximum": 2}}}))
    effects = [{"type": name, "config": {"streakId": "daily"}} for name in ("check_in", "grant_freeze")]
    orders = VISIT | {"triggers": [{"type": "order"}], "effects": effects}
    saved(shop.post("/v1/campaigns", json=orders | {"campaignId": "orders"}))
    shop.post("/api/audience/internal/actions", json={"userId": "ann", "action": "order"}, headers={"Prefer": "wait=9"})
    found = saved(shop.get("/v1/profiles/ann"))["streaks"]["daily"]
    assert (found["current"], found["freezes"]) == (1, 1)

    assert shop.delete("/v1/campaigns/daily").status_code == 409
    assert shop.put("/v1/campaigns/daily", json={"type": "Reward", "streak": None}).status_code == 409
    saved(shop.put("/v1/config", json={"campaigns": {"orders": orders}}))
    refused = shop.put("/v1/config", json={"campaigns": {"daily": VISIT}})
    assert (refused.status_code, "streak daily (by campaign orders)" in refused.text) == (409, True)
