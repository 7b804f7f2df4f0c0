"""What `explain` says of an event beyond what fired: every condition, multipliers, caps, segments, who was paused."""

from tests.support.http import ok

POINTS = [{"type": "add_points", "config": {"amount": 10}}]
ALSO = {"field": "amount", "operator": ">", "value": 1}
LATE = {"field": "user.points", "operator": ">=", "value": 5}


def campaign(shop, campaign_id, conditions=None, **more):
    more = {"effects": POINTS, **more}
    trigger = {"type": "buy", "conditions": conditions or []}
    body = {"campaignId": campaign_id, "name": campaign_id, "triggers": [trigger], **more}
    ok(shop.post("/v1/campaigns", json=body), 201)


def act(shop, event_id, action="buy", **data):
    body = {"userId": "eve", "action": action, "eventId": event_id, "data": data}
    ok(shop.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=10"}))
    return ok(shop.get(f"/v1/events/{event_id}/explain"))


def by_campaign(explained):
    """What each campaign made of it; other causes in one word."""
    return {
        campaign["campaignId"] or ".".join(filter(None, (campaign["cause"]["kind"], campaign["cause"]["id"]))): campaign
        for campaign in explained["campaigns"]
    }


def test_all_conditions_are_shown_as_the_member_was_then(shop):
    first = {"field": "country", "operator": "equals", "value": "NL"}
    campaign(shop, "pays")
    campaign(shop, "picky", [first, LATE, {"or": [ALSO, first]}])
    act(shop, "x-1", amount=1)
    act(shop, "x-2", amount=5)
    assert ok(shop.get("/v1/profiles/eve"))["points"] == 20
    for event_id, points, held in (("x-1", 10, [False, True, False, False]), ("x-2", 20, [False, True, True, False])):
        picky = by_campaign(ok(shop.get(f"/v1/events/{event_id}/explain")))["picky"]
        assert picky["reason"] == "condition_failed"
        assert [condition["held"] for condition in picky["conditions"]] == held
        assert picky["conditions"][1]["sentence"] == f"user.points >= 5: met (user.points was {points})"


def test_a_campaign_for_others_names_the_segment_and_the_criterion_that_failed(shop):
    criteria = [
        {"count": {"trigger": "buy"}, "operator": ">=", "value": 1},
        {"field": "metrics.points", "operator": ">=", "value": 100},
    ]
    ok(shop.post("/v1/segments", json={"segmentId": "rich", "name": "Rich", "include": criteria}), 201)
    ok(shop.post("/v1/segments", json={"segmentId": "new", "name": "New", "include": criteria[:1]}), 201)
    campaign(shop, "for_rich", [ALSO], segments={"include": ["rich"], "exclude": ["new"]})
    campaign(shop, "partly", effects=[{**POINTS[0], "segments": {"include": ["rich"]}}])
    act(shop, "x-1", amount=1)
    found = by_campaign(act(shop, "x-2", amount=1))
    whole = found["for_rich"]
    assert (whole["reason"], [condition["held"] for condition in whole["conditions"]]) == ("not_in_segment", [False])
    rich, new = whole["segments"]
    assert (rich["segmentId"], rich["wanted"], rich["member"]) == ("rich", True, False)
    assert [(condition["held"], condition["actual"]) for condition in rich["conditions"]] == [(True, 1), (False, 0)]
    assert (new["segmentId"], new["wanted"], new["member"]) == ("new", False, True)
    (effect,) = found["partly"]["effects"]
    assert (effect["reason"], effect["segments"][0]["name"]) == ("not_in_segment", "Rich")


def test_multipliers_and_what_cuts_an_amount_are_named(shop):
    twice = {"name": "Double", "factor": 2}
    caps = [{"period": "day", "amount": 25}]
    ok(shop.put("/v1/metrics/points", json={"multipliers": [twice], "earningCaps": caps, "maximum": 30}))
    campaign(shop, "pays")
    amounts = [by_campaign(act(shop, f"x-{number}"))["pays"]["effects"][0] for number in range(3)]
    boosted = {"before": 10, "factor": 2, "multipliers": [twice]}
    cap = {"limit": "earning_cap", "period": "day", "amount": 25}
    assert amounts[0]["amount"] == boosted
    assert (amounts[1]["outcome"], amounts[1]["amount"]) == (5, {**boosted, "uncut": 20, "limits": [cap]})
    assert (amounts[2]["reason"], amounts[2]["amount"]["limits"]) == ("earning_cap_reached", [cap])
    ok(shop.put("/v1/metrics/points", json={"earningCaps": [], "multipliers": []}))
    maximum = {"limit": "maximum", "amount": 30}
    cut, full = (by_campaign(act(shop, f"y-{number}"))["pays"]["effects"][0] for number in range(2))
    assert (cut["outcome"], cut["amount"]) == (5, {"uncut": 10, "limits": [maximum]})
    assert (full["reason"], full["amount"]) == ("balance_at_maximum", {"uncut": 10, "limits": [maximum]})


def test_paused_and_draft_campaigns_that_would_have_listened_are_marked(shop):
    campaign(shop, "paused", [ALSO], status="paused")
    campaign(shop, "draft", status="draft")
    campaign(shop, "elsewhere", status="paused")
    ok(shop.put("/v1/campaigns/elsewhere", json={"triggers": [{"type": "other"}]}))
    found = by_campaign(act(shop, "x-1", amount=5))
    assert {value: (trace["reason"], trace["fired"]) for value, trace in found.items()} == {
        "paused": ("campaign_paused", False),
        "draft": ("campaign_in_draft", False),
    }
    assert found["paused"]["conditions"][0]["sentence"] == "amount > 1: met (amount was 5)"


def test_an_event_that_nothing_listens_to_says_so(shop):
    campaign(shop, "pays")
    assert act(shop, "x-1", "nobody_cares")["note"].endswith("listens to 'nobody_cares'")
    assert "note" not in act(shop, "x-2")


def test_of_an_erased_members_event_what_was_posted_is_all_that_is_known(shop):
    campaign(shop, "pays")
    ok(shop.post("/v1/transactions", json={"userId": "eve", "metric": "points", "amount": 5}), 201)
    act(shop, "x-1", amount=1)
    ok(shop.delete("/v1/profiles/eve"))
    explained = ok(shop.get("/v1/events/x-1/explain"))
    assert explained["campaigns"] == []
    assert [transaction["amount"] for transaction in explained["transactions"]] == [10]


def test_a_campaign_is_explained_as_one_whatever_its_id(shop):
    """Rewards granted by hand are shown as `manual_grant`, streaks had ids like `streak.daily`: campaigns may be called so."""
    body = {"streakId": "daily", "name": "Daily", "triggers": [{"type": "buy"}]}
    ok(shop.post("/v1/streaks", json=body), 201)
    names = ("manual_grant", "manual", "opening")
    for name in names:
        campaign(shop, name, [ALSO], limit={"perUser": 1})
    explained = act(shop, "x-1", amount=5)["campaigns"]
    ours = {campaign["campaignId"]: campaign for campaign in explained if campaign["cause"]["kind"] == "campaign"}
    assert set(ours) == set(names)
    for name in names:
        assert (ours[name]["name"], ours[name]["cause"]["id"], ours[name]["fired"]) == (name, name, True)
        assert [condition["held"] for condition in ours[name]["conditions"]] == [True]
        assert [effect["type"] for effect in ours[name]["effects"]] == ["add_points"]
    (streak,) = (campaign for campaign in explained if campaign["campaignId"] is None)
    assert (streak["cause"], streak["streakId"]) == ({"kind": "streak", "id": "daily"}, "daily")

    reward = {"rewardId": "five", "name": "Five", "rewardType": "points", "config": {"amount": 5}}
    ok(shop.post("/v1/rewards", json=reward), 201)
    granted = ok(shop.post("/v1/rewards/grant", json={"rewardId": "five", "userId": "eve"}))["result"]
    (grant,) = ok(shop.get(f"/v1/events/{granted['eventId']}/explain"))["campaigns"]
    assert (grant["campaignId"], grant["cause"]) == ("manual_grant", {"kind": "manual_grant", "id": None})
    assert [effect["type"] for effect in grant["effects"]] == ["grant_reward"]

    def kinds(**query):
        found = ok(shop.get("/v1/transactions", params=query))["transactions"]
        return [(transaction["campaignId"], transaction["cause"]["kind"]) for transaction in found]

    both = [("manual_grant", "manual_grant"), ("manual_grant", "campaign")]
    assert kinds(campaignId="manual_grant") == both
    assert kinds(cause="manual_grant") == both[:1]
    assert kinds(cause="campaign.manual_grant") == both[1:]
    assert ok(shop.get("/v1/campaigns/manual_grant/stats"))["metrics"]["points"]["amount"] == 10
    seen = ok(shop.get("/v1/events", params={"campaignId": "manual"}))["events"]
    assert [event["eventId"] for event in seen] == ["x-1"]
    assert ok(shop.get("/v1/events", params={"cause": "manual"}))["events"] == []


def test_the_outcome_says_that_a_product_came_without_its_code(shop):
    ok(shop.post("/v1/products", json={"productId": "cup", "name": "Cup", "sku": "CUP", "type": "badge"}), 201)
    ok(shop.post("/v1/code-pools", json={"poolId": "empty", "name": "Empty", "productId": "cup"}), 201)
    award = {"type": "award_product", "config": {"productId": "cup"}}
    ok(shop.post("/v1/campaigns", json={"name": "C", "triggers": [{"type": "buy"}], "effects": [award]}), 201)
    body = {"userId": "ann", "action": "buy"}
    outcome = ok(shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body))["outcome"]
    assert [(refusal["effect"], refusal["reason"]) for refusal in outcome["refusals"]] == [(0, "pool_empty")]
