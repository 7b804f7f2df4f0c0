"""A cup over HTTP: a board with ties, friends, a scope; prizes paid once at the end; a draw that can be checked."""

from datetime import datetime, timedelta
from hashlib import sha256

from tests.support.eventually import eventually
from tests.support.http import ok


def test_a_cup_and_a_draw(shop):
    now = ok(shop.get("/v1/clock"))["now"]
    week = 7 * 86_400
    end = ok(shop.post("/v1/clock/advance", json={"seconds": 1}))["now"]
    end = end.replace(end[:4], str(int(end[:4]) + 1), 1)
    ok(shop.post("/v1/campaigns", json={
        "name": "Points", "triggers": [{"type": "earn"}], "effects": [{"type": "add_points", "amount": "amount"}],
    }), 201)  # fmt: skip
    ok(shop.post("/v1/competitions", json={
        "competitionId": "cup", "name": "Cup", "startDate": now, "endDate": end, "score": {"metric": "points"},
        "scopeField": "club", "settleAfterMinutes": 0, "prizes": [
            {"fromRank": 1, "toRank": 1, "effects": [{"type": "add_metric", "metric": "coins", "amount": 100}]},
            {"fromRank": 2, "toRank": 3, "effects": [{"type": "add_metric", "metric": "coins", "amount": 10}]},
        ],
    }), 201)  # fmt: skip
    ok(shop.post("/v1/competitions", json={"competitionId": "raffle", "name": "Raffle", "endDate": end}), 201)
    ok(shop.post("/v1/rewards", json={
        "rewardId": "ticket", "name": "Ticket", "rewardType": "competition_entry",
        "config": {"competitionId": "raffle", "entries": 2},
    }), 201)  # fmt: skip
    for number, user in enumerate(("ann", "bob", "cat", "dan")):
        ok(shop.post("/v1/profiles", json={"userId": user, "club": "Reds" if number % 2 else "Blues"}), 201)
        ok(shop.post("/v1/rewards/grant", json={"rewardId": "ticket", "userId": user}))

    def earn(user, amount):
        body = {"userId": user, "action": "earn", "data": {"amount": amount}}
        assert shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body).json()["processed"]

    for user, amount in (("ann", 5), ("bob", 20), ("cat", 20), ("dan", 1), ("ann", 25)):
        earn(user, amount)

    def board(**query):
        found = ok(shop.get("/v1/competitions/cup/leaderboard", params=query))["leaderboard"]
        return [(standing["rank"], standing["userId"], standing["score"]) for standing in found]

    assert board() == [(1, "ann", 30), (2, "bob", 20), (3, "cat", 20), (4, "dan", 1)]
    assert board(userIds="dan,ann,nobody") == [(1, "ann", 30), (4, "dan", 1)]
    assert board(userId="cat", limit=3) == [(2, "bob", 20), (3, "cat", 20), (4, "dan", 1)]
    assert board(scope="Reds") == [(1, "bob", 20), (2, "dan", 1)]
    first = ok(shop.get("/v1/competitions/cup/leaderboard", params={"limit": 3}))
    assert board(limit=3, cursor=first["cursor"]) == [(4, "dan", 1)]
    earn("dan", 100)
    assert board()[0] == (1, "dan", 101)

    published = ok(shop.get("/v1/competitions/raffle/draw"))["seedHash"]
    assert shop.post("/v1/competitions/raffle/draw", json={"winners": 2}).json()["error"]["code"] == "competition_open"
    ok(shop.post("/v1/clock/advance", json={"seconds": 53 * week}))
    eventually(
        lambda: {user: ok(shop.get(f"/v1/profiles/{user}"))["coins"] for user in ("ann", "bob", "cat", "dan")},
        {"dan": 100, "ann": 10, "bob": 10, "cat": 0},
    )
    winners = ok(shop.get("/v1/competitions/cup/winners"))["winners"]
    assert [(standing["rank"], standing["userId"], standing["score"]) for standing in winners] == [
        (1, "dan", 101),
        (2, "ann", 30),
        (3, "bob", 20),
    ]
    drawn = ok(shop.post("/v1/competitions/raffle/draw", json={"winners": 2}))
    assert sha256(bytes.fromhex(drawn["seed"])).hexdigest() == published
    lines = "".join(f"{user}\t2\n" for user in ("ann", "bob", "cat", "dan"))
    assert drawn["entriesDigest"] == sha256(lines.encode()).hexdigest()
    assert len({winner["userId"] for winner in drawn["winners"]}) == 2
    assert ok(shop.post("/v1/competitions/raffle/draw", json={"winners": 4})) == drawn
    assert [entry["userId"] for entry in ok(shop.get("/v1/competitions/raffle/entries"))["entries"]] != []


def test_a_league_promotes_and_relegates_after_each_week(shop):
    week = 7 * 86_400
    ok(shop.post("/v1/competitions", json={
        "competitionId": "league", "name": "League", "score": {"trigger": "goal", "field": "n"},
        "leagues": {"divisions": ["bronze", "silver", "gold"], "promote": 1, "relegate": 1}, "settleAfterMinutes": 0,
        "prizes": [{"fromRank": 1, "toRank": 1, "effects": [{"type": "add_metric", "metric": "coins", "amount": 5}]}],
    }), 201)  # fmt: skip

    def play(**goals):
        for user, n in goals.items():
            body = {"userId": user, "action": "goal", "data": {"n": n}}
            response = shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body)
            assert response.json()["processed"]

    def board(division):
        response = shop.get("/v1/competitions/league/leaderboard", params={"scope": division})
        return [(standing["userId"], standing["score"]) for standing in ok(response)["leaderboard"]]

    def next_week():
        ok(shop.post("/v1/clock/advance", json={"seconds": week}))

    play(ann=3, bob=2, cat=1)
    assert board("bronze") == [("ann", 3), ("bob", 2), ("cat", 1)]
    next_week()
    assert ok(shop.get("/v1/profiles/ann"))["coins"] == 5
    play(ann=1, bob=7, cat=2)
    assert (board("silver"), board("bronze")) == ([("ann", 1)], [("bob", 7), ("cat", 2)])
    next_week()
    play(ann=1, bob=5, cat=1)
    assert (board("gold"), board("silver"), board("bronze")) == ([("ann", 1)], [("bob", 5)], [("cat", 1)])
    next_week()
    next_week()
    play(ann=1)
    assert board("gold") == [("ann", 1)]  # the only one, first and last: the first stays


def past_board(shop, of_round, division):
    query = {"round": of_round, "scope": division}
    response = shop.get("/v1/competitions/league/leaderboard", params=query)
    return [(standing["userId"], standing["score"]) for standing in ok(response)["leaderboard"]]


def test_rounds_that_are_over_at_once_are_settled_one_after_the_other(shop):
    """Who moves by one plays the next in another division, also when the clock is moved over all of them."""
    ok(shop.put("/v1/metrics/points", json={"pendingDays": 10}))
    ok(shop.post("/v1/competitions", json={
        "competitionId": "league", "name": "League", "score": {"metric": "points"}, "settleAfterMinutes": 0,
        "leagues": {"period": "day", "divisions": ["bronze", "silver", "gold"], "promote": 1, "relegate": 1},
    }), 201)  # fmt: skip
    ok(shop.post("/v1/campaigns", json={
        "name": "c", "triggers": [{"type": "buy"}], "effects": [{"type": "add_points", "config": {"amount": "data.n"}}],
    }), 201)  # fmt: skip
    day, rounds = 86_400, []
    for ann, bob in ((30, 20), (10, 40), (10, 5)):  # released ten days later: three rounds, one after the other
        for user, n in (("ann", ann), ("bob", bob)):
            body = {"userId": user, "action": "buy", "data": {"n": n}}
            response = shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body)
            assert response.json()["processed"]
        now = datetime.fromisoformat(ok(shop.post("/v1/clock/advance", json={"seconds": day}))["now"])
        rounds.append((now + timedelta(days=9)).date().isoformat())
    ok(shop.post("/v1/clock/advance", json={"seconds": 30 * day}))
    divisions = ("bronze", "silver", "gold")
    assert [[past_board(shop, round_, division) for division in divisions] for round_ in rounds] == [
        [[("ann", 30), ("bob", 20)], [], []],
        [[("bob", 40)], [("ann", 10)], []],
        [[], [("bob", 5)], [("ann", 10)]],
    ]


def test_late_rounds_are_settled_one_after_the_other(shop):
    ok(shop.post("/v1/competitions", json={
        "competitionId": "league", "name": "League", "score": {"trigger": "goal", "field": "n"}, "settleAfterMinutes": 3 * 24 * 60,
        "leagues": {"period": "day", "divisions": ["bronze", "silver"], "promote": 1, "relegate": 1},
    }), 201)  # fmt: skip
    now = datetime.fromisoformat(ok(shop.get("/v1/clock"))["now"])
    rounds = [now - timedelta(days=3), now - timedelta(days=2)]
    for at, ann, bob in zip(rounds, (30, 10), (20, 40), strict=True):
        for user, n in (("ann", ann), ("bob", bob)):
            body = {"userId": user, "action": "goal", "data": {"n": n}, "timestamp": at.isoformat()}
            response = shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body)
            assert response.json()["processed"]
    ok(shop.post("/v1/clock/advance", json={"seconds": 2 * 86_400}))
    boards = [
        [past_board(shop, instant.date().isoformat(), name) for name in ("bronze", "silver")] for instant in rounds
    ]
    assert boards == [[[("ann", 30), ("bob", 20)], []], [[("bob", 40)], [("ann", 10)]]]


def test_a_competition_that_is_a_part_of_a_campaign_gives_its_prizes(shop):
    now = ok(shop.post("/v1/clock/advance", json={"seconds": 1}))["now"]
    end = f"{int(now[:4]) + 2}-01-01T00:00:00Z"
    prizes = [{"fromRank": 1, "toRank": 1, "effects": [{"type": "add_points", "amount": 500}]}]
    made = ok(shop.post("/v1/campaigns", json={
        "campaignId": "scorers", "name": "Scorers", "type": "Competition", "endDate": end,
        "triggers": [{"type": "goal"}], "competition": {"prizes": prizes, "settleAfterMinutes": 0},
    }), 201)  # fmt: skip
    assert made["competition"]["score"]["trigger"] == "goal"
    for user in ("eve", "fay", "fay"):
        body = {"userId": user, "action": "goal"}
        assert shop.post("/api/audience/internal/actions", headers={"Prefer": "wait=10"}, json=body).json()["processed"]
    refused = shop.put("/v1/campaigns/scorers", json={"competition": {"score": {"metric": "xp"}, "prizes": prizes}})
    assert [error["field"] for error in refused.json()["error"]["details"]] == ["competition.score"]
    assert [standing["userId"] for standing in ok(shop.get("/v1/campaigns/scorers/leaderboard"))["leaderboard"]] == [
        "fay",
        "eve",
    ]
    ok(shop.post("/v1/clock/advance", json={"to": end.replace("-01T", "-02T")}))
    eventually(lambda: ok(shop.get("/v1/profiles/fay"))["points"], 500)
    winners = ok(shop.get("/v1/competitions/scorers/winners"))["winners"]
    assert winners == [{"rank": 1, "userId": "fay", "score": 2}]
    assert ok(shop.get("/v1/profiles/eve"))["points"] == 0
