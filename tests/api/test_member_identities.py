"""A member is the same by user id, e-mail address, phone number or unique field, whatever the way in."""

from uuid import uuid4

from tests.support.http import ok, processed_event

ACTIONS = "/api/audience/internal/actions"
NOW = {"Prefer": "wait=60"}
CLOUD = {"Content-Type": "application/cloudevents+json"}
COMPOSED, DECOMPOSED = "jos\u00e9@example.com", "jose\u0301@example.com"
SCHEMA = {
    "fields": [{"name": "email", "type": "string", "unique": True}, {"name": "crmId", "type": "string", "unique": True}]
}


def people(shop):
    return {profile["userId"] for profile in ok(shop.get("/v1/profiles"))["profiles"]}


def who(shop, event_id):
    return processed_event(shop, event_id)["userId"]


def reported(shop, name, field="userId"):
    """Who an action is about that names its user so, by every way in that takes actions."""
    keys = [f"e-{uuid4()}" for _ in range(5)]
    row = {field: name, "action": "seen"}
    ok(shop.post(ACTIONS, json=row | {"eventId": keys[0]}), 202)
    ok(shop.post(ACTIONS, json=row | {"eventId": keys[1]}, headers=NOW), 200)
    ok(shop.post(f"{ACTIONS}/batch", json=[row | {"eventId": keys[2]}]), 202)
    if field == "userId":
        ok(shop.post("/v1/track", json={"userId": name, "event": "seen", "messageId": keys[3]}))
        event = {"specversion": "1.0", "id": keys[4], "source": "/s", "type": "seen", "subject": name}
        keys[4] = ok(shop.post("/v1/ingest/cloudevents", json=event, headers=CLOUD), 202)["results"][0]["eventId"]
    else:
        keys = keys[:3]
    return {who(shop, key) for key in keys}


def test_any_name_means_the_same_member_at_every_way_in(shop):
    ok(shop.put("/v1/profiles/schema", json=SCHEMA))
    ok(
        shop.post(
            "/v1/profiles",
            json={"userId": "ann", "email": "Ann@Example.com", "phone": "+44 1234 567890", "crmId": "C-7"},
        ),
        201,
    )
    streak = {"streakId": "daily", "name": "Daily", "triggers": [{"type": "seen"}]}
    ok(shop.post("/v1/streaks", json=streak), 201)
    product = {"productId": "mug", "name": "Mug", "type": "merchandise", "sku": "MUG", "pointsCost": 1}
    ok(shop.post("/v1/products", json=product), 201)
    reward = ok(shop.post("/v1/rewards", json={"name": "R", "rewardType": "points", "config": {"amount": 5}}), 201)
    for name in ("ann@example.com", "ANN@EXAMPLE.COM", "+441234567890", "C-7"):
        assert reported(shop, name) == {"ann"}, name
        grant = {"rewardId": reward["reward"]["rewardId"], "userId": name}
        assert ok(shop.post("/v1/rewards/grant", json=grant))["result"]["userId"] == "ann"
        ok(shop.post("/v1/transactions", json={"userId": name, "amount": 10}), 201)
        ok(shop.post("/v1/transfers", json={"userId": name, "toUserId": "bob", "amount": 1}), 201)
        ok(shop.post("/v1/transfers", json={"userId": name, "toUserId": "ann", "amount": 1}), 400)
        assert ok(shop.post("/v1/products/mug/redeem", json={"userId": name}))["result"]
        path = f"/v1/profiles/{name}"
        ok(shop.post(f"{path}/check-in", json={"streakId": "daily"}))
        ok(shop.post(f"{path}/holds", json={"holdId": name.strip("+@").replace("@", "."), "amount": 1}))
        assert ok(shop.get(path))["userId"] == "ann"
        assert ok(shop.get("/v1/transactions", params={"userId": name}))["transactions"]
    assert people(shop) == {"ann", "bob"}


def test_a_user_id_means_the_member_of_that_id(shop):
    ok(shop.put("/v1/profiles/schema", json=SCHEMA))
    ok(shop.post("/v1/profiles", json={"userId": "7", "crmId": "other"}), 201)
    ok(shop.post("/v1/profiles", json={"userId": "bob", "crmId": "7"}), 201)
    assert reported(shop, "7") == {"7"}
    assert reported(shop, "other") == {"7"}


def test_both_forms_of_a_letter_are_the_same_address(shop):
    ok(shop.post("/v1/profiles", json={"userId": "jo", "email": DECOMPOSED}), 201)
    for form in (COMPOSED, DECOMPOSED):
        assert reported(shop, form, "email") == {"jo"}
        assert reported(shop, form) == {"jo"}
        assert ok(shop.get(f"/v1/profiles/{form}"))["userId"] == "jo"
    taken = shop.post("/v1/profiles", json={"userId": "other", "email": COMPOSED})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "identity_taken")


def test_a_guest_is_one_however_the_address_is_written(shop):
    for form in ("Guest@Example.com", "guest@example.com"):
        assert reported(shop, form, "email") == {"guest@example.com"}
    ok(shop.post("/v1/users/enroll", json={"userId": "u1", "email": "guest@example.com"}), 201)
    assert reported(shop, "guest@example.com", "email") == {"u1"}


def test_an_event_of_a_guest_is_the_same_when_the_guest_has_become_somebody(shop):
    event = {"email": "late@example.com", "action": "buy", "eventId": f"late-{uuid4()}"}
    ok(shop.post(ACTIONS, json=event), 202)
    assert who(shop, event["eventId"]) == "late@example.com"
    ok(shop.post("/v1/users/enroll", json={"userId": "u2", "email": "late@example.com"}), 201)
    again = ok(shop.post(f"{ACTIONS}/batch", json=[event | {"email": "Late@example.com"}]), 202)
    assert (again["duplicate"], again["refused"]) == (1, 0)


def test_who_is_named_by_id_and_address_is_the_one_of_that_id(shop):
    ok(shop.post("/v1/profiles", json={"userId": "one", "email": "one@example.com"}), 201)
    both = {"userId": "two", "email": "one@example.com", "action": "seen"}
    keys = [f"b-{uuid4()}" for _ in range(2)]
    ok(shop.post(ACTIONS, json=both | {"eventId": keys[0]}), 202)
    ok(shop.post(f"{ACTIONS}/batch", json=[both | {"eventId": keys[1]}]), 202)
    assert {who(shop, key) for key in keys} == {"two"}


def test_the_names_of_a_member_are_fields_like_any_other(shop):
    ok(shop.put("/v1/profiles/schema", json=SCHEMA))
    work = {"segmentId": "work", "name": "Work", "type": "dynamic",
            "include": [{"field": "email", "operator": "ends_with", "value": "@work.example"}]}  # fmt: skip
    ok(shop.post("/v1/segments", json=work), 201)
    known = [{"field": "user.phone", "operator": "starts_with", "value": "+44"},
             {"field": "user.crmId", "operator": "equals", "value": "C-1"}]  # fmt: skip
    campaign = {
        "name": "Hello", "triggers": [{"type": "visit", "conditions": known}],
        "notification": {"display": "toast", "message": "Mail goes to {{ user.email }}"},
        "effects": [{"type": "add_points", "config": {"amount": 5}}],
    }  # fmt: skip
    ok(shop.post("/v1/campaigns", json=campaign), 201)
    names = {"email": "Ann@Work.example", "phone": "+44 20 7946 0000", "crmId": "C-1"}
    assert ok(shop.post("/v1/profiles", json={"userId": "ann", **names}), 201)["segments"] == ["work"]
    act = {"userId": "ann", "action": "visit"}
    shop.post("/api/audience/internal/actions", json=act, headers={"Prefer": "wait=10"})
    profile = ok(shop.get("/v1/profiles/ann"))
    assert (profile["points"], profile["email"], profile["phone"]) == (5, "ann@work.example", "+442079460000")
    assert profile["updatedAt"] >= profile["createdAt"]
    elsewhere = ok(shop.put("/v1/profiles/ann", json={"email": "ann@home.example"}))
    assert (elsewhere["segments"], elsewhere["email"]) == ([], "ann@home.example")


def test_only_badges_count_as_badges(shop):
    for product, kind in (("star", "badge"), ("mug", "merchandise")):
        body = {"productId": product, "name": product, "sku": product, "type": kind}
        ok(shop.post("/v1/products", json=body), 201)
    owner = {
        "segmentId": "one",
        "name": "One",
        "type": "dynamic",
        "include": [{"field": "badgeCount", "operator": "equals", "value": 1}],
    }
    ok(shop.post("/v1/segments", json=owner), 201)
    give = [{"type": "award_product", "config": {"productId": name}} for name in ("star", "mug")]
    ok(shop.post("/v1/campaigns", json={"name": "Give", "triggers": [{"type": "visit"}], "effects": give}), 201)
    act = {"userId": "ann", "action": "visit"}
    shop.post("/api/audience/internal/actions", json=act, headers={"Prefer": "wait=10"})
    profile = ok(shop.get("/v1/profiles/ann"))
    assert (profile["badges"], profile["badgeCount"], profile["segments"], profile["level"]) == (
        ["star"],
        1,
        ["one"],
        1,
    )
