"""A season of a club in fifty lines: challenges, a streak, a ladder, segments, with the clock moved day by day."""

from tests.support.eventually import eventually
from tests.support.http import ok


def test_a_season(shop):
    ok(shop.put("/v1/settings", json={"timeZone": "Europe/London"}))
    assert ok(shop.get("/v1/settings"))["timeZone"] == "Europe/London"
    points = [{"type": "add_points", "config": {"amount": 100}}]
    ok(shop.post("/v1/streaks", json={
        "streakId": "daily", "name": "Daily", "triggers": [{"type": "visit"}],
        "freezes": {"maximum": 1, "price": {"amount": 50}}, "milestones": [{"length": 3, "effects": points}],
    }), 201)  # fmt: skip
    ok(shop.post("/v1/ladders", json={"ladderId": "club", "name": "Club", "rungs": [
        {"rungId": "bronze", "name": "Bronze", "threshold": 0},
        {"rungId": "silver", "name": "Silver", "threshold": 200, "perks": ["Free scarf"]},
    ]}), 201)  # fmt: skip
    ok(shop.post("/v1/campaigns", json={
        "campaignId": "camp_derby", "name": "Derby week", "type": "Challenge", "effects": points, "steps": [
            {"name": "Vote twice", "trigger": "vote", "goal": {"target": 2}},
            {"name": "Spend 50", "trigger": "purchase", "goal": {"type": "sum", "field": "amount", "target": 50}},
        ],
    }), 201)  # fmt: skip

    def act(action, **data):
        response = shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json={
            "userId": "ann", "action": action, "data": data,
        })  # fmt: skip
        assert response.json()["processed"], response.text
        return response.json()

    def ann():
        return ok(shop.get("/v1/profiles/ann"))

    for _ in range(3):
        act("visit")
        ok(shop.post("/v1/clock/advance", json={"seconds": 86_400}))
    assert (ann()["streaks"]["daily"]["current"], ann()["points"]) == (3, 100)
    ok(shop.post("/v1/profiles/ann/streaks/daily", json={"action": "buy_freeze"}))
    assert shop.post("/v1/profiles/ann/streaks/daily", json={"action": "buy_freeze"}).status_code == 409
    ok(shop.post("/v1/clock/advance", json={"seconds": 86_400}))
    assert ann()["streaks"]["daily"] == ann()["streaks"]["daily"] | {"current": 3, "freezes": 0, "alive": True}
    ok(shop.post("/v1/profiles/ann/check-in", json={"streakId": "daily"}))
    assert ann()["streaks"]["daily"]["current"] == 4
    ok(shop.post("/v1/clock/advance", json={"seconds": 3 * 86_400}))
    assert ann()["streaks"]["daily"]["alive"] is False

    act("vote")
    act("purchase", amount=60)
    derby = ann()["campaigns"]["camp_derby"]
    assert [(step["current"], step["target"], step["percent"]) for step in derby["steps"]] == [(1, 2, 50), (0, 50, 0)]
    event = act("vote")["eventId"]
    act("purchase", amount=20.5)
    act("purchase", amount=29.5)
    assert (ann()["points"], ann()["tier"], ann()["ladders"]["club"]["perks"]) == (150, "silver", ["Free scarf"])
    explained = ok(shop.get(f"/v1/events/{event}/explain"))["campaigns"]
    assert explained[0]["step"] == {"number": 0, "name": "Vote twice", "current": 2, "target": 2, "done": True}
    amber = {"rungId": "amber", "name": "Amber", "threshold": 100}
    ladder = ok(shop.get("/v1/ladders/club"))
    ok(shop.put("/v1/ladders/club", json={"rungs": [ladder["rungs"][0], amber, ladder["rungs"][1]]}))
    assert (ann()["tier"], ann()["ladders"]["club"]["name"]) == (
        "silver",
        "Silver",
    )  # at once, though it is another number
    stats = ok(shop.get("/v1/campaigns/camp_derby/stats"))
    assert (stats["participants"], stats["completions"], stats["metrics"]["points"]["amount"]) == (1, 1, 100)
    assert ok(shop.get("/v1/campaigns/camp_derby/leaderboard"))["leaderboard"][0]["userId"] == "ann"
    assert ok(shop.get("/v1/campaigns/camp_derby/participants"))["participants"][0]["percent"] == 100

    # A segment made now is filled with the past, in the background.
    spenders = {"include": [{"sum": {"trigger": "purchase", "field": "amount"}, "operator": ">=", "value": 100}]}
    act("visit")
    assert ok(shop.post("/v1/segments/preview", json=spenders)) == {"lookedAt": 1, "count": 1, "sample": ["ann"]}
    ok(shop.post("/v1/segments", json={"segmentId": "spenders", "name": "Spenders", **spenders}), 201)
    eventually(lambda: ok(shop.get("/v1/segments/spenders/members"))["filling"]["finishedAt"])
    eventually(lambda: "spenders" in ann()["segments"])
    assert [member["userId"] for member in ok(shop.get("/v1/segments/spenders/members"))["members"]] == ["ann"]
    looked = next(value for value in ok(shop.get("/v1/events?userId=ann"))["events"] if value["kind"] == "segment")
    explained = ok(shop.get(f"/v1/events/{looked['eventId']}/explain"))["campaigns"]
    assert (
        explained[0]["conditions"][0]["sentence"]
        == "sum of purchase (amount) >= 100: met (sum of purchase (amount) was 110.0)"
    )
    ok(shop.put("/v1/profiles/ann/ladders/club", json={"rung": "bronze"}))
    assert ann()["tier"] == "bronze"
    assert len(ok(shop.get("/v1/trigger-types"))["triggerTypes"]) > 10
