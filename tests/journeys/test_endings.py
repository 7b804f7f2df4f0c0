"""What is over: rounds of a weekly board that can be looked up, campaigns and competitions that complete themselves."""

from datetime import datetime, timedelta

from tests.support.http import ok

DAY = 86_400
WEEK = 7 * DAY


def act(shop, user, action, at=None, **data):
    body = {"userId": user, "action": action, "data": data} | ({} if at is None else {"timestamp": at.isoformat()})
    response = shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body)
    assert response.json()["processed"], response.text


def advance(shop, seconds):
    return datetime.fromisoformat(ok(shop.post("/v1/clock/advance", json={"seconds": seconds}))["now"])


def week_of(now):
    year, week, _ = now.isocalendar()
    return f"{year:04d}-W{week:02d}"


def test_a_weekly_board_with_prizes_needs_one_division_and_its_rounds_can_be_looked_up(shop):
    prize = [{"type": "add_metric", "metric": "coins", "amount": 5}]
    ok(shop.post("/v1/competitions", json={
        "competitionId": "weekly", "name": "Weekly", "score": {"trigger": "goal", "field": "n"}, "settleAfterMinutes": 0,
        "leagues": {"divisions": ["all"]}, "prizes": [{"fromRank": 1, "toRank": 1, "effects": prize}],
    }), 201)  # fmt: skip
    now = advance(shop, 1)
    if now.isoweekday() == 7:
        now = advance(shop, DAY)
    first = week_of(now)
    for user, n in (("ann", 3), ("bob", 2.5), ("cat", 1)):
        act(shop, user, "goal", n=n)

    def board(**query):
        found = ok(shop.get("/v1/competitions/weekly/leaderboard", params=query))
        return [(standing["rank"], standing["userId"], standing["score"]) for standing in found["leaderboard"]]

    played = [(1, "ann", 3), (2, "bob", 2.5), (3, "cat", 1)]
    assert board() == board(round=first) == played
    second = week_of(advance(shop, WEEK))
    act(shop, "bob", "goal", n=7)
    advance(shop, WEEK)
    assert board() == []
    assert board(round=first) == played
    assert board(round=first, userIds="cat,ann") == [played[0], played[2]]
    assert board(round=first, userId="cat", limit=2) == played[1:]
    assert board(round=second) == [(1, "bob", 7)]

    def winners(**query):
        found = ok(shop.get("/v1/competitions/weekly/winners", params=query))
        return found["round"], [(winner["rank"], winner["userId"], winner["score"]) for winner in found["winners"]]

    assert winners(round=first) == (first, [(1, "ann", 3)])
    assert winners() == winners(round=second) == (second, [(1, "bob", 7)])
    assert [ok(shop.get(f"/v1/profiles/{user}"))["coins"] for user in ("ann", "bob", "cat")] == [5, 5, 0]
    for call in ("leaderboard", "winners"):
        unknown = shop.get(f"/v1/competitions/weekly/{call}", params={"round": "1999-W01"})
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "round_not_found")


def test_what_is_over_completes_itself_and_still_takes_what_is_reported_late(shop):
    now = advance(shop, 1)
    end = (now + timedelta(days=1)).isoformat()
    for campaign_id in ("sale", "by_hand"):
        ok(shop.post("/v1/campaigns", json={
            "campaignId": campaign_id, "name": campaign_id, "endDate": end, "triggers": [{"type": "buy"}],
            "effects": [{"type": "add_points", "config": {"amount": 10}}],
        }), 201)  # fmt: skip
    ok(shop.put("/v1/campaigns/by_hand", json={"status": "completed"}))
    cup = {"competitionId": "cup", "name": "Cup", "score": {"trigger": "buy"}, "endDate": end, "settleAfterMinutes": 60}
    ok(shop.post("/v1/competitions", json=cup), 201)

    def status(of):
        return ok(shop.get(f"/v1/{of}"))["status"]

    written = shop.get("/v1/config", headers={"Accept": "application/yaml"}).text
    late = advance(shop, DAY)
    campaign = ok(shop.get("/v1/campaigns/sale"))
    assert campaign["status"] == "completed"
    assert datetime.fromisoformat(end) <= datetime.fromisoformat(campaign["completedAt"]) <= late + timedelta(minutes=1)
    assert [value["campaignId"] for value in ok(shop.get("/v1/campaigns?status=active"))["campaigns"]] == []
    assert status("competitions/cup") == "active"  # what is late may still come in
    act(shop, "ann", "buy", now)
    act(shop, "ann", "buy")
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 10
    advance(shop, 3_600)
    assert status("competitions/cup") == "completed"
    assert [standing["score"] for standing in ok(shop.get("/v1/competitions/cup/leaderboard"))["leaderboard"]] == [1]

    applied = ok(shop.put("/v1/config", content=written, headers={"Content-Type": "application/yaml"}))
    assert [
        change["id"] for change in applied["changes"] if change["kind"] == "campaign"
    ] == []  # it is over, whoever says active
    later = (late + timedelta(days=9)).isoformat()
    ok(shop.put("/v1/campaigns/sale", json={"status": "active", "endDate": later}))
    act(shop, "ann", "buy")
    assert (ok(shop.get("/v1/profiles/ann"))["points"], status("campaigns/sale")) == (20, "active")
    ok(shop.put("/v1/campaigns/sale", json={"status": "completed"}))
    act(shop, "ann", "buy")
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 20
