"""Events that are reported in another order than they happened in."""

from datetime import UTC, datetime, timedelta

from tests.support.http import ok


def test_a_step_whose_event_was_reported_too_early_counts_once_it_is_open(shop):
    ok(shop.post("/v1/campaigns", json={
        "campaignId": "seq", "name": "seq", "type": "Challenge",
        "steps": [{"name": "created", "trigger": "o.created"}, {"name": "paid", "trigger": "o.paid"}],
        "effects": [{"type": "add_points", "amount": 3}],
    }), 201)  # fmt: skip
    now = datetime.now(UTC)
    for action, seconds in (("o.paid", 1), ("o.created", 2)):
        body = {
            "userId": "o",
            "action": action,
            "eventId": action,
            "timestamp": (now - timedelta(seconds=seconds)).isoformat(),
        }
        ok(shop.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=10"}))
    profile = ok(shop.get("/v1/profiles/o"))
    assert profile["points"] == 3
    assert [step["done"] for step in profile["campaigns"]["seq"]["steps"]] == [True, True]
    explained = ok(shop.get("/v1/events/o.created/explain"))["campaigns"]
    assert {occurrence["step"]["name"]: occurrence["fired"] for occurrence in explained} == {
        "created": True,
        "paid": True,
    }
