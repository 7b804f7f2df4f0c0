"""What the engine knows of a member: schema, reference, profile, conditions, segments, formulas, templates agree on it."""

from datetime import datetime

import pytest

from plaudit.core.profile_fields import IN_SCOPES, KEPT_BY_ENGINE, ONLY_SHOWN, USABLE
from tests.support.http import saved, wrong

POINTS = {"type": "add_points", "config": {"amount": 1}}


@pytest.fixture(scope="module")
def club(server_process):
    """An organisation with a member who has something of everything, as the member's own events find it."""
    with server_process.client_of("Club", is_test=True) as client:
        saved(client.post("/v1/streaks", json={"streakId": "daily", "name": "D", "triggers": [{"type": "visit"}]}))
        rungs = [{"rungId": "base", "name": "Base", "threshold": 0}, {"rungId": "top", "name": "Top", "threshold": 20}]
        saved(
            client.post("/v1/ladders", json={"ladderId": "tiers", "name": "Tiers", "metric": "points", "rungs": rungs})
        )
        saved(client.post("/v1/products", json={"productId": "hero", "name": "Hero", "sku": "H", "type": "badge"}))
        effects = [
            {"type": "add_points", "config": {"amount": 25}},
            {"type": "add_metric", "config": {"metric": "xp", "amount": 1_500}},
            {"type": "award_product", "config": {"productId": "hero"}},
        ]
        campaign(client, effects=effects, campaignId="gives")
        include = [{"field": "points", "operator": ">=", "value": 1}]
        saved(client.post("/v1/segments", json={"segmentId": "them", "name": "T", "include": include}))
        saved(client.post("/v1/users/enroll", json={"userId": "ann", "email": "ann@example.com"}))
        saved(client.post("/v1/users/enroll", json={"userId": "bob", "email": "bob@example.com", "referredBy": "ann"}))
        act(client, "visit")
        yield client


def campaign(client, conditions=(), effects=(POINTS,), trigger="visit", **more):
    document = {"name": "C", "triggers": [{"type": trigger, "conditions": [*conditions]}], "effects": [*effects]} | more
    return saved(client.post("/v1/campaigns", json=document))


def act(client, action):
    body = {"userId": "ann", "action": action}
    taken = client.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=10"})
    assert taken.json()["processed"], taken.text
    return taken.json()["eventId"]


def comparable(value):
    """Return a value as it can be compared, whichever of the places it comes from: profiles show whole milliseconds."""
    try:
        return datetime.fromisoformat(str(value)).isoformat(timespec="milliseconds")
    except ValueError:
        return value


@pytest.mark.parametrize("name", sorted(USABLE))
def test_what_is_usable_is_offered_shown_and_the_same_wherever_it_is_used(club, server_process, name):
    offered = {field["field"]: field for field in saved(club.get("/v1/users/schema"))["properties"]}
    assert "exists" in offered[name]["operators"]
    criterion = {"field": name, "operator": "exists"}
    saved(club.post("/v1/segments?dryRun=true", json={"name": "S", "include": [criterion]}))
    assert saved(club.post("/v1/segments/preview", json={"include": [criterion]}))["count"] == 2

    looks = [{"field": f"user.{name}", "operator": "exists"}, {"expression": f"user.{name} != null"}]
    told = {"type": "notify", "config": {"title": name, "message": f"{{{{ user.{name} }}}}"}}
    made = campaign(club, looks, [told], trigger=f"look.{name}", campaignId=f"looks-{name}")
    explained = saved(club.get(f"/v1/events/{act(club, f'look.{name}')}/explain"))
    (found,) = [value for value in explained["campaigns"] if value["campaignId"] == made["campaignId"]]
    assert [condition["held"] for condition in found["conditions"]] == [True, True]

    shown = saved(club.get("/v1/profiles/ann"))[name]
    assert comparable(found["conditions"][0]["actual"]) == comparable(shown)
    with server_process.member_of(club, "ann") as own:
        notes = own.get("/api/loyalty/notifications").json()["data"]
    (note,) = [notification for notification in notes if notification["title"] == name]
    if isinstance(shown, list):
        assert all(text in note["message"] for text in shown)
    else:
        assert comparable(note["message"]) == comparable(str(shown))


@pytest.mark.parametrize("name", sorted(KEPT_BY_ENGINE - USABLE))
def test_what_is_only_shown_is_refused_wherever_it_would_be_used(club, name):
    assert name in ONLY_SHOWN or name in IN_SCOPES
    assert name in saved(club.get("/v1/profiles/ann"))
    offered = {field["field"]: field for field in saved(club.get("/v1/users/schema"))["properties"]}
    assert offered.get(name, {"operators": []})["operators"] == []

    why = "is only shown in profiles, and cannot be compared or used in formulas"
    told = why if name in ONLY_SHOWN else f"must be written {name}.<id>"
    field = f"user.{name}"
    exists = {"field": field, "operator": "exists"}
    document = {"name": "C", "triggers": [{"type": "visit", "conditions": [exists, {"expression": f"{field} > 1"}]}]}
    note = {"type": "notify", "config": {"message": f"You have {{{{ {field} }}}}"}}
    pay = {"type": "add_points", "config": {"amount": f"{field} * 2"}}
    assert wrong(club.post("/v1/campaigns", json=document | {"effects": [note, pay]})) == dict.fromkeys(
        [
            "triggers[0].conditions[0].field", "triggers[0].conditions[1].expression",
            "effects[0].config.message", "effects[1].config.amount",
        ],
        f"{told} (got {field!r})",
    )  # fmt: skip
    texts = {"name": "T", "texts": {"en": {"message": f"{{{{ {field} }}}}"}}}
    assert wrong(club.post("/v1/templates", json=texts)) == {"texts.en.message": f"{told} (got {field!r})"}
    for criterion in (name, field):
        segment = {"name": "S", "include": [{"field": criterion, "operator": "exists"}]}
        assert wrong(club.post("/v1/segments", json=segment)) == {"include[0].field": f"{told} (got {criterion!r})"}


def test_a_profile_counts_what_the_ledger_has(club):
    listed = saved(club.get("/v1/transactions?userId=ann"))["transactions"]
    assert saved(club.get("/v1/profiles/ann"))["transactionCount"] == len(listed) >= 4


def test_a_segment_finds_who_was_updated_since(shop):
    saved(shop.post("/v1/profiles", json={"userId": "ann"}))
    saved(shop.post("/v1/profiles", json={"userId": "bob"}))
    saved(shop.post("/v1/clock/advance", json={"seconds": 86_400}))
    now = saved(shop.get("/v1/clock"))["now"]
    act(shop, "visit")
    criterion = {"field": "updatedAt", "operator": "after", "value": now}
    preview = saved(shop.post("/v1/segments/preview", json={"include": [criterion]}))
    assert preview == preview | {"count": 1, "sample": ["ann"]}


def test_an_effect_fires_no_trigger_of_the_engines(club):
    for trigger in ("metric.changed", "user.tier_changed", "user.enrolled"):
        effect = {"type": "emit", "config": {"trigger": trigger}}
        document = {"name": "C", "triggers": [{"type": "visit"}], "effects": [POINTS, effect]}
        assert wrong(club.post("/v1/campaigns", json=document)) == {
            "effects[1].config.trigger": f"is reserved for the engine's own triggers (got {trigger!r})"
        }


@pytest.mark.parametrize(("config", "place", "told"), [
    ({"name": "points", "value": 1}, "name", "is computed and cannot be set (got 'points')"),
    ({"name": "userId", "value": "eve"}, "name", "is computed and cannot be set (got 'userId')"),
    ({"name": "email", "value": "a@b.co"}, "name", "is an identity field, which no effect can set (got 'email')"),
    ({"name": "timezone", "value": "Mars/Base"}, "value", "must be an IANA time zone such as Europe/Berlin (got 'Mars/Base')"),
    ({"name": "card", "value": "1"}, "value", "sets an identity field, which no effect can set"),
    ({"name": "plan", "value": "gold"}, "value", "must be one of free, paid"),
    ({"name": "age", "value": "old"}, "value", "must be a number"),
    ({"name": "plan"}, "value", "cannot be null: the field is required"),
])  # fmt: skip
def test_an_effect_sets_only_what_a_profile_can_have(server_process, config, place, told):
    with server_process.client_of("Rules", is_test=True) as client:
        fields = [
            {"name": "plan", "enum": ["free", "paid"], "required": True, "default": "free"},
            {"name": "card", "unique": True},
        ]
        saved(client.put("/v1/profiles/schema", json={"fields": fields}))
        saved(client.post("/v1/custom-fields", json={"name": "Age", "key": "age", "type": "number"}))
        effects = [{"type": "set_attribute", "config": config}]
        document = {"name": "C", "triggers": [{"type": "visit"}], "effects": effects}
        assert wrong(client.post("/v1/campaigns", json=document)) == {f"effects[0].config.{place}": told}
        for right in (
            {"name": "plan", "value": "paid"},
            {"name": "timezone", "value": None},
            {"name": "wave", "value": 1},
        ):
            document["effects"] = [{"type": "set_attribute", "config": right}]
            saved(client.post("/v1/campaigns", json=document))
