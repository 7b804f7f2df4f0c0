"""The first generation's calls, field by field and type by type as its document shows them."""

import re

import pytest

from tests.support.eventually import eventually
from tests.support.http import data_of, ok

CHALLENGE = "123e4567-e89b-12d3-a456-426614174000"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def put_up(client) -> None:
    """A programme with everything that the document shows."""
    ok(client.post("/v1/triggers", json={"key": "film_watched", "name": "Film watched", "openToMembers": True}), 201)
    ok(client.post("/v1/triggers", json={"key": "secret", "name": "Not for members"}), 201)
    badge = {"productId": "cinephile", "name": "Cinephile", "sku": "CINE", "type": "badge", "inventorySet": "Badges",
             "media": "https://cdn.example.com/cine.png"}  # fmt: skip
    ok(client.post("/v1/products", json=badge), 201)
    shared = {"code": "FILM10", "discountType": "percentage", "discountValue": 10}
    reward = {"rewardId": "ten-off", "name": "Ten off", "rewardType": "non_unique_coupon", "config": shared,
              "link": "https://shop.example.com"}  # fmt: skip
    ok(client.post("/v1/rewards", json=reward), 201)
    rungs = [
        {"rungId": "bronze", "name": "Bronze", "threshold": 0},
        {"rungId": "silver", "name": "Silver", "threshold": 30},
    ]
    ok(
        client.post("/v1/ladders", json={"ladderId": "status", "name": "Status", "metric": "points", "rungs": rungs}),
        201,
    )
    challenge = {
        "campaignId": CHALLENGE,
        "name": "Film week",
        "subtitle": "Watch, then watch again",
        "type": "Challenge",
        "mode": "time-bound",
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2099-01-01T00:00:00Z",
        "notification": {"display": "toast", "title": "Done!", "message": "You have {{ metrics.points }} points"},
        "steps": [
            {
                "name": "The first film",
                "trigger": "film_watched",
                "notification": {"display": "none", "message": "One down"},
                "effects": [{"type": "add_points", "amount": 10}],
            },
            {"name": "Two more", "trigger": "film_watched", "goal": {"target": 2}},
        ],
        "effects": [
            {"type": "add_points", "amount": 25},
            {"type": "award_product", "productId": "cinephile"},
            {"type": "grant_reward", "rewardId": "ten-off"},
        ],
    }
    ok(client.post("/v1/campaigns", json=challenge), 201)


@pytest.fixture(scope="module")
def servers(server_process):
    with server_process.client_of("First generation", is_test=True) as client:
        put_up(client)
        yield client


@pytest.fixture(scope="module")
def ann(server_process, servers):
    """A member who has been through all of it."""
    with server_process.member_of(servers, "ann") as client:
        yield client


def watch(client, servers) -> None:
    """Watch a film, and wait until it has been processed."""
    response = client.post(
        "/api/loyalty/action", json={"action": "film_watched", "data": {"title": "Ran", "minutes": 162}}
    )
    assert (response.status_code, response.content) == (200, b"")
    settle(servers)


def settle(servers) -> None:
    """Until everything that came has been decided. (An action that is waited for may overtake one that is not.)"""
    eventually(lambda: ok(servers.get("/v1/events?status=queued"))["events"], [])


def test_config_is_as_documented(servers, ann):
    for client in (ann, servers):
        headers = {"Authorization": ""} if client is servers else {}
        config = data_of(client.get("/api/loyalty/config", headers=headers))
        assert config.keys() == {"metrics", "inventory", "challenges"}
        points = next(metric for metric in config["metrics"] if metric["id"] == "points")
        assert points == {"id": "points", "title": "Points", "media": "", "defaultValue": 0, "minimumValue": 0,
                          "maximumValue": 2**53 - 1}  # fmt: skip
        item = {"id": "cinephile", "title": "Cinephile", "media": "https://cdn.example.com/cine.png"}
        assert config["inventory"] == [{"id": "Badges", "title": "Badges", "items": [item]}]
        (challenge,) = config["challenges"]
        missions = challenge.pop("missions")
        assert challenge == {
            "id": CHALLENGE,
            "title": "Film week",
            "subtitle": "Watch, then watch again",
            "notification": {"display": "toast", "title": "Done!", "message": "You have {{ metrics.points }} points"},
            "showInProfile": True,
            "showInRail": True,
            "time": {"showInUI": True, "from": 1767225600, "to": 4070908800},
            "rewards": [
                {"type": "metric", "metricId": "points", "metricQuantity": 10},
                {"type": "metric", "metricId": "points", "metricQuantity": 25},
                {"type": "inventory", "inventorySetId": "Badges", "inventoryItemId": "cinephile"},
                {"type": "coupon", "couponId": "ten-off"},
            ],
        }
        assert [mission["title"] for mission in missions] == ["The first film", "Two more"]
        for mission in missions:
            assert mission.keys() == {"id", "title", "type", "notification"}
            assert UUID.fullmatch(mission["id"])
            assert mission["type"] == "film_watched"
        assert missions[0]["notification"] == {"display": "none", "title": "The first film", "message": "One down"}


def test_config_is_kept_by_clients_until_it_changes(servers):
    headers = {"Authorization": ""}
    first = servers.get("/api/loyalty/config", headers=headers)
    assert first.headers["Cache-Control"] == "public, max-age=30"
    again = servers.get("/api/loyalty/config", headers={**headers, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert servers.get("/api/loyalty/config", headers={**headers, "If-None-Match": '"other"'}).status_code == 200


def test_a_first_call_creates_an_empty_profile(server_process, servers):
    with server_process.member_of(servers, "newcomer") as newcomer:
        profile = data_of(newcomer.get("/api/loyalty/profile"))
        assert profile == {"metrics": {"points": 0, "xp": 0, "coins": 0}, "inventory": {}, "challenges": {}}
        assert ok(servers.get("/v1/profiles/newcomer"))["userId"] == "newcomer"
        assert data_of(newcomer.get("/api/loyalty/notifications")) == []
        assert data_of(newcomer.get("/api/loyalty/history")) == []
        ok(servers.delete("/v1/profiles/newcomer"))
        assert data_of(newcomer.get("/api/loyalty/profile")) == profile  # somebody new by the same name


def test_the_way_through_a_challenge(servers, ann):
    first, second = (mission["id"] for mission in data_of(ann.get("/api/loyalty/config"))["challenges"][0]["missions"])
    watch(ann, servers)
    profile = data_of(ann.get("/api/loyalty/profile"))
    assert profile["metrics"]["points"] == 10
    assert profile["challenges"] == {CHALLENGE: {"isCompleted": False, "missionsCompleted": [first]}}
    watch(ann, servers)
    watch(ann, servers)
    profile = data_of(ann.get("/api/loyalty/profile"))
    assert profile == {
        "metrics": {"points": 35, "xp": 0, "coins": 0},
        "inventory": {"Badges": ["cinephile"]},
        "challenges": {CHALLENGE: {"isCompleted": True, "missionsCompleted": [first, second]}},
    }

    step, whole = data_of(ann.get("/api/loyalty/notifications"))
    assert step.keys() == whole.keys() == {"id", "timestamp", "type", "display", "title", "message", "payload"}
    assert isinstance(step["timestamp"], int)
    assert (step["type"], step["display"], step["title"], step["message"]) == (
        "missionCompleted",
        "none",
        "",
        "One down",
    )
    assert step["payload"] == {
        "challengeId": CHALLENGE,
        "missionId": first,
        "metricChanges": {"points": {"oldValue": 0, "newValue": 10}},
        "inventoryChanges": {"received": [], "lost": []},
        "milestoneChanges": {},
    }
    assert (whole["type"], whole["display"], whole["title"]) == ("challengeCompleted", "toast", "Done!")
    assert whole["message"] == "You have 35 points"
    assert whole["payload"] == {
        "challengeId": CHALLENGE,
        "missionId": second,
        "couponId": whole["payload"]["couponId"],
        "metricChanges": {"points": {"oldValue": 10, "newValue": 35}},
        "inventoryChanges": {"received": [{"setId": "Badges", "itemId": "cinephile"}], "lost": []},
        "milestoneChanges": {"status": {"oldValue": "bronze", "newValue": "silver"}},
    }

    entries = data_of(ann.get("/api/loyalty/history"))
    assert [entry["type"] for entry in entries] == ["missionCompleted", "challengeCompleted"]
    assert [entry.keys() for entry in entries] == [{"id", "timestamp", "type", "payload"}] * 2
    assert entries[0]["payload"] == step["payload"]
    assert entries[1]["payload"] == whole["payload"]
    at = entries[1]["timestamp"]
    assert [entry_["id"] for entry_ in data_of(ann.get(f"/api/loyalty/history?from={at}&to={at}"))][-1] == entries[1][
        "id"
    ]
    assert data_of(ann.get(f"/api/loyalty/history?from={at + 1}")) == []
    assert data_of(ann.get("/api/loyalty/history?to=1")) == []

    # Reading does not consume; marking does.
    marked = data_of(ann.post("/api/loyalty/notifications/read", json={"upTo": step["id"]}))
    assert marked == {"read": 1, "unread": 1}
    assert [notification["id"] for notification in data_of(ann.get("/api/loyalty/notifications"))] == [whole["id"]]
    assert data_of(ann.post("/api/loyalty/notifications/read", json={"ids": [whole["id"], whole["id"]]}))["unread"] == 0

    coupon = ok(servers.get("/v1/profiles/ann"))["coupons"][0]
    assert data_of(ann.get(f"/api/loyalty/coupons/{coupon['couponId']}")) == {
        "id": coupon["couponId"],
        "title": "Ten off",
        "link": "https://shop.example.com",
        "coupon_id": "ten-off",
        "coupon_type": "non_unique_coupon",
        "coupon_code": "FILM10",
        "showOnNotification": True,
    }


def test_the_history_leaves_out_what_changed_nothing_to_show(servers, server_process):
    """A streak that grows, a place on a new ladder: nothing of it is an achievement, or has a field in an entry."""
    ok(
        servers.post(
            "/v1/streaks",
            json={"streakId": "walks", "name": "Walks", "cadence": "daily", "triggers": [{"type": "walked"}]},
        ),
        201,
    )
    wait = {"Prefer": "wait=20"}
    action = {"userId": "dora", "action": "walked"}
    assert servers.post("/api/audience/internal/actions", json=action, headers=wait).status_code == 200
    ok(servers.post("/v1/transactions", json={"userId": "dora", "metric": "xp", "amount": 5}), 201)
    rungs = [{"rungId": "low", "name": "Low", "threshold": 0}, {"rungId": "high", "name": "High", "threshold": 5}]
    ok(servers.post("/v1/ladders", json={"ladderId": "late", "name": "Late", "metric": "xp", "rungs": rungs}), 201)
    eventually(lambda: ok(servers.get("/v1/profiles/dora"))["ladders"].get("late", {}).get("rung"), "high")
    with server_process.member_of(servers, "dora") as dora:
        (entry,) = data_of(dora.get("/api/loyalty/history"))
        assert entry["type"] == "metricChanged"
        assert entry["payload"]["metricChanges"] == {"xp": {"oldValue": 0, "newValue": 5}}


def test_what_is_lost_is_told(servers, server_process):
    campaign = {"name": "Gone", "triggers": [{"type": "cheated"}], "effects": [{"type": "remove_product", "productId": "cinephile"}],
                "notification": {"message": "It is gone"}}  # fmt: skip
    ok(servers.post("/v1/campaigns", json={"campaignId": "gone", **campaign}), 201)
    ok(servers.post("/v1/rewards", json={"rewardId": "badge", "name": "B", "rewardType": "product",
                                         "config": {"productId": "cinephile"}}), 201)  # fmt: skip
    ok(servers.post("/v1/profiles", json={"userId": "carl"}), 201)
    ok(servers.post("/v1/rewards/grant", json={"rewardId": "badge", "userId": "carl"}))
    servers.post(
        "/api/audience/internal/actions", json={"userId": "carl", "action": "cheated"}, headers={"Prefer": "wait=20"}
    )
    with server_process.member_of(servers, "carl") as carl:
        received, lost = data_of(carl.get("/api/loyalty/history"))
        assert received["type"] == "inventoryChanged"
        assert received["payload"]["inventoryChanges"]["received"] == [{"setId": "Badges", "itemId": "cinephile"}]
        assert lost["payload"]["inventoryChanges"] == {
            "received": [],
            "lost": [{"setId": "Badges", "itemId": "cinephile"}],
        }
        (note,) = data_of(carl.get("/api/loyalty/notifications"))
        assert note["payload"]["inventoryChanges"] == lost["payload"]["inventoryChanges"]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"action": "film_watched", "data": {"a": "x" * 1025}}, 400, "data.a"),
        ({"action": "film_watched", "data": {"a": {"b": 1}}}, 400, "data.a"),
        ({"action": "film_watched", "data": {"a": None}}, 400, "data.a"),
        ({"action": "film_watched", "user_id": "bob"}, 400, "user_id"),
        ({"action": "secret"}, 403, None),
        ({"action": "unheard_of"}, 403, None),
    ],
)
def test_an_action_that_cannot_be_taken(ann, body, status, field):
    response = ann.post("/api/loyalty/action", json=body)
    assert response.status_code == status, response.text
    error = response.json()
    assert error.keys() == {"message", "error"}
    if field is not None:
        assert field in [detail["field"] for detail in error["error"]["details"]], error


def test_challenges_have_uuids_that_stay_and_are_understood_everywhere(server_process):
    with server_process.client_of("Ids", is_test=True) as client, server_process.member_of(client, "ann") as ann:
        own = "0b6f9d3e-5a4c-4f0e-9d8a-2f1f6f1c7a10"
        for campaign_id in ("plain", f"camp_{own}"):
            body = {"campaignId": campaign_id, "name": campaign_id, "triggers": [{"type": "seen"}],
                    "effects": [{"type": "add_points", "amount": 1}]}  # fmt: skip
            ok(client.post("/v1/campaigns", json=body), 201)
        first, second = data_of(ann.get("/api/loyalty/config"))["challenges"]
        assert (first["title"], second["id"]) == ("plain", own)
        assert UUID.fullmatch(first["id"])
        assert (first["time"], first["id"]) == ({"showInUI": False, "from": 0, "to": 253402300799}, first["id"])
        assert ok(client.get(f"/v1/campaigns/{first['id']}"))["campaignId"] == "plain"
        assert ok(client.get(f"/v1/campaigns/{own}"))["campaignId"] == f"camp_{own}"
        action = {"userId": "ann", "action": "seen"}
        client.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"})
        found = ok(client.get("/v1/transactions", params={"campaignId": first["id"]}))["transactions"]
        assert [campaign["campaignId"] for campaign in found] == ["plain"]
        entries = data_of(ann.get("/api/loyalty/history"))
        assert {entry["payload"]["challengeId"] for entry in entries} == {first["id"], own}
        assert all("missionId" in entry["payload"] for entry in entries)


def test_a_coupon_can_be_found_and_sets_have_titles_for_people(server_process):
    with server_process.client_of("Coupons", is_test=True) as client, server_process.member_of(client, "ann") as ann:
        config = {"code": "TEN", "discountType": "fixed", "discountValue": 10}
        reward = {"rewardId": "ten", "name": "Ten off", "rewardType": "non_unique_coupon", "config": config}
        ok(client.post("/v1/rewards", json=reward | {"link": "https://shop.example"}), 201)
        effects = [{"type": "grant_reward", "rewardId": "ten"}]
        ok(client.post("/v1/campaigns", json={"name": "C", "triggers": [{"type": "seen"}], "effects": effects}), 201)
        ok(client.post("/v1/products", json={"name": "Cup", "sku": "C", "type": "unique_code_pool"}), 201)
        ok(
            client.post("/v1/products", json={"name": "Pin", "sku": "P", "type": "badge", "inventorySet": "fan-pins"}),
            201,
        )
        told = data_of(ann.get("/api/loyalty/config"))
        assert [holding["title"] for holding in told["inventory"]] == ["Coupons", "Fan pins"]
        assert told["challenges"][0]["rewards"] == [{"type": "coupon", "couponId": "ten"}]
        action = {"userId": "ann", "action": "seen"}
        client.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"})
        (entry,) = [entry_ for entry_ in data_of(ann.get("/api/loyalty/history")) if "couponId" in entry_["payload"]]
        coupon = data_of(ann.get(f"/api/loyalty/coupons/{entry['payload']['couponId']}"))
        assert coupon == {
            "id": entry["payload"]["couponId"], "title": "Ten off", "link": "https://shop.example", "coupon_id": "ten",
            "coupon_type": "non_unique_coupon", "coupon_code": "TEN", "showOnNotification": True,
        }  # fmt: skip
        assert data_of(ann.get("/api/loyalty/coupons/ten")) == coupon


def test_an_action_without_a_name_is_taken_and_counts_for_nothing(server_process, servers):
    with server_process.member_of(servers, "nora") as nora:
        response = nora.post("/api/loyalty/action", json={"data": {"a": 1}})
        assert (response.status_code, response.content) == (200, b"")


def test_an_action_with_a_key_counts_once(server_process, servers):
    with server_process.member_of(servers, "dora") as dora:
        for _ in range(3):
            headers = {"Idempotency-Key": "film-1"}
            assert dora.post("/api/loyalty/action", json={"action": "film_watched"}, headers=headers).status_code == 200
        settle(servers)
        assert data_of(dora.get("/api/loyalty/profile"))["metrics"]["points"] == 10


def test_every_view_shows_progress_as_it_is_now(server_process):
    daily = {"campaignId": "daily", "name": "Daily", "type": "Challenge", "mode": "recurring", "startDate": "2026-01-01T00:00:00Z",
             "recurrence": {"rule": "FREQ=DAILY"}, "steps": [{"name": "Visit", "trigger": "visit"}], "effects": []}  # fmt: skip
    window = {"campaignId": "soon", "name": "Soon", "steps": [
        {"name": "Three within a day", "trigger": "visit", "goal": {"target": 3, "window": {"days": 1}}}]}  # fmt: skip
    with server_process.client_of("Views", is_test=True) as client, server_process.member_of(client, "ann") as ann:
        ok(client.post("/v1/clock/advance", json={"to": "2030-01-01T12:00:00Z"}))  # far from any midnight
        for campaign in (daily, window):
            ok(client.post("/v1/campaigns", json=campaign), 201)

        listed = data_of(ann.get("/api/loyalty/config"))["challenges"]
        daily_id = next(campaign["id"] for campaign in listed if campaign["title"] == "Daily")

        def views() -> list[tuple]:
            """Whether the daily one is completed, how many steps it has done, and how far the other is, in each view."""
            first = data_of(ann.get("/api/loyalty/profile"))["challenges"][daily_id]
            own = {
                campaign["campaignId"]: campaign
                for campaign in data_of(ann.get("/api/loyalty/me/campaigns"))["campaigns"]
            }
            profile = ok(client.get("/v1/profiles/ann"))["campaigns"]
            listed = {
                campaign_id: ok(client.get(f"/v1/campaigns/{campaign_id}/participants"))["participants"][0]
                for campaign_id in own
            }
            return [
                (first["isCompleted"], len(first["missionsCompleted"])),
                (own["daily"]["completed"], own["daily"]["done"], own["soon"]["steps"][0]["current"]),
                *((row["daily"]["done"], row["soon"]["steps"][0]["current"]) for row in (own, profile, listed)),
            ]

        act = {"userId": "ann", "action": "visit"}
        for _ in range(2):
            client.post("/api/audience/internal/actions", json=act, headers={"Prefer": "wait=10"})
        assert views() == [(True, 1), (True, 1, 2), (1, 2), (1, 2), (1, 2)]
        ok(client.post("/v1/clock/advance", json={"seconds": 86_400}))
        assert views() == [(False, 0), (False, 0, 0), (0, 0), (0, 0), (0, 0)]
