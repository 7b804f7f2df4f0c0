"""Members as administrators keep them: the schema, custom fields, enrolment, consents, and what the GDPR asks for."""

import asyncio

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from plaudit.storage.embedded import running_url
from tests.support.eventually import eventually
from tests.support.http import ok
from tests.support.push_browser import subscription_at

FIELDS = [
    {"name": "email", "type": "string", "required": True, "unique": True},
    {"name": "membership", "type": "string", "unique": True},
    {"name": "firstName", "type": "string"},
    {"name": "born", "type": "date"},
    {"name": "size", "type": "string", "enum": ["S", "M", "L"], "default": "M"},
]


def test_each_change_of_the_schema_is_a_version(shop):
    first = ok(shop.get("/v1/profiles/schema"))
    assert (first["version"], first["isActive"]) == ("v1.0.0", True)
    assert ok(shop.put("/v1/profiles/schema", json={"fields": FIELDS}))["version"] == "v1.0.0"
    more = [*FIELDS, {"name": "nickname"}]
    assert ok(shop.put("/v1/profiles/schema", json={"schema": {"fields": more}}))["version"] == "v1.1.0"
    assert ok(shop.put("/v1/profiles/schema", json={"fields": FIELDS}))["version"] == "v2.0.0"
    old = ok(shop.get("/v1/profiles/schema?version=v1.1.0"))
    assert (len(old["schema"]["fields"]), old["isActive"]) == (6, False)
    history = ok(shop.get("/v1/profiles/schema/history"))["versions"]
    assert [version["version"] for version in history] == ["v2.0.0", "v1.1.0", "v1.0.0"]
    assert [version["isActive"] for version in history] == [True, False, False]
    assert shop.get("/v1/profiles/schema?version=v9.0.0").status_code == 404


def test_profiles_are_judged_by_the_schema(shop):
    ok(shop.put("/v1/profiles/schema", json={"fields": FIELDS}))
    wrong = shop.post("/v1/profiles", json={"userId": "ann", "born": "soon", "size": "XXL", "hat": 1})
    assert wrong.status_code == 400
    assert {error["field"] for error in wrong.json()["error"]["details"]} == {"email", "born", "size", "hat"}
    body = {"userId": "ann", "email": "Ann@Example.com", "membership": "M-1", "born": "1990-02-28"}
    profile = ok(shop.post("/v1/profiles", json=body), 201)
    assert (profile["size"], profile["email"], profile["membership"]) == ("M", "ann@example.com", "M-1")
    assert shop.get("/api/audience/M-1").json()["userId"] == "ann"
    taken = shop.post("/v1/profiles", json={"userId": "bob", "email": "bob@example.com", "membership": "M-1"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "identity_taken")
    assert taken.json()["error"]["details"] == [{"field": "membership", "message": "already belongs to another user"}]
    gone = shop.put("/v1/profiles/ann", json={"email": None})
    assert gone.json()["error"]["details"] == [{"field": "email", "message": "cannot be removed: it is required"}]


def test_profiles_are_found_by_any_field(shop):
    for name, country in (("ann", "GB"), ("bob", "FR"), ("cy", "GB")):
        ok(shop.post("/v1/profiles", json={"userId": name, "country": country, "email": f"{name}@x.org"}), 201)
    found = ok(shop.get("/v1/profiles?country=GB"))["profiles"]
    assert [row["userId"] for row in found] == ["ann", "cy"]
    assert [profile["userId"] for profile in ok(shop.get("/v1/profiles?email=BOB@x.org"))["profiles"]] == ["bob"]


def test_custom_fields_are_kept_checked_and_looked_at(shop):
    team = {"name": "Favorite Team", "key": "favorite_team", "type": "select", "options": ["Lakers", "Heat"]}
    made = ok(shop.post("/v1/custom-fields", json=team), 201)
    assert made["fieldId"].startswith("field_")
    assert (made["status"], made["required"], made["validation"], made["defaultValue"]) == ("active", False, None, None)
    assert shop.post("/v1/custom-fields", json=team).json()["error"]["message"] == (
        "Custom field with this key already exists"
    )
    wrong = shop.post("/v1/profiles", json={"userId": "ann", "customFields": {"favorite_team": "Reds"}})
    assert wrong.json()["error"]["details"][0]["field"] == "customFields.favorite_team"
    profile = ok(shop.post("/v1/profiles", json={"userId": "ann", "customFields": {"favorite_team": "Heat"}}), 201)
    assert profile["customFields"] == {"favorite_team": "Heat"}
    criterion = {"field": "custom.favorite_team", "operator": "equals", "value": "Heat"}
    preview = ok(shop.post("/v1/segments/preview", json={"name": "Heat", "include": [criterion]}))
    assert preview["count"] == 1
    schema = ok(shop.get("/v1/users/schema"))["properties"]
    assert {"field": "custom.favorite_team", "options": ["Lakers", "Heat"]}.items() <= schema[-1].items()
    assert len([field for field in schema if field["source"] == "standard"]) == 23
    ok(shop.delete(f"/v1/custom-fields/{made['fieldId']}"))
    assert ok(shop.get(f"/v1/custom-fields/{made['fieldId']}"))["status"] == "deleted"
    assert ok(shop.get("/v1/custom-fields?status=active"))["customFields"] == []
    assert ok(shop.get("/v1/users/schema?includeInactive=true"))["properties"][-1]["status"] == "deleted"


def test_enrolling_pays_once_and_tells_the_referrer(shop):
    ok(shop.post("/v1/profiles", json={"userId": "ann"}), 201)
    hello = {
        "name": "Hello", "triggers": [{"type": "user_enrolled", "conditions": [
            {"field": "user.channel", "operator": "equals", "value": "organic"}]}],
        "effects": [{"type": "add_points", "config": {"amount": 7}}],
    }  # fmt: skip
    ok(shop.post("/v1/campaigns", json=hello), 201)
    referral = {
        "name": "Thanks", "triggers": [{"type": "user.referred"}],
        "effects": [{"type": "add_points", "config": {"amount": 30}}],
    }  # fmt: skip
    ok(shop.post("/v1/campaigns", json=referral), 201)
    body = {"userId": "bob", "email": "bob@example.com", "channel": "organic", "referredBy": "ann"}
    first = ok(shop.post("/v1/users/enroll", json=body), 201)
    assert (first["enrolled"], first["welcomeBonus"]) == (True, {"points": 100, "coins": 50, "xp": 0})
    assert (first["profile"]["points"], first["profile"]["coins"], first["profile"]["name"]) == (107, 50, "bob")
    again = ok(shop.post("/v1/users/enroll", json=body | {"source": "web"}))
    assert (again["enrolled"], again["profile"]["points"]) == (False, 107)
    ann = ok(shop.get("/v1/profiles/ann"))
    assert (ann["points"], ann["referralCount"]) == (30, 1)
    own = {"userId": "cy", "email": "cy@example.com", "welcomeBonus": {"points": 150, "coins": 75, "xp": 50}}
    cy = ok(shop.post("/v1/users/enroll", json=own), 201)["profile"]
    assert (cy["points"], cy["coins"], cy["xp"]) == (150, 75, 50)
    wrong = shop.post("/v1/users/enroll", json={"userId": "dan", "email": "nope", "referredBy": "nobody"})
    assert {error["field"] for error in wrong.json()["error"]["details"]} == {"email", "referredBy"}


def test_whom_an_action_had_enrolled_gets_the_bonus_all_the_same(shop):
    ok(shop.post("/v1/profiles", json={"userId": "eve"}), 201)
    assert (
        ok(shop.post("/v1/users/enroll", json={"userId": "eve", "email": "e@x.org"}), 201)["profile"]["points"] == 100
    )


def test_consents_have_a_time_and_a_source(shop):
    ok(shop.post("/v1/profiles", json={"userId": "ann"}), 201)
    consent = {"purpose": "newsletter", "granted": True, "source": "web form", "givenAt": "2026-01-02T03:04:05Z"}
    ok(shop.post("/v1/profiles/ann/consents", json=consent), 201)
    now = ok(shop.post("/v1/profiles/ann/consents", json={"purpose": "newsletter", "granted": False}), 201)
    assert now["consents"] == {"newsletter": False}
    assert now["history"][0]["givenAt"] == "2026-01-02T03:04:05.000Z"
    assert shop.post("/v1/profiles/bob/consents", json=consent).status_code == 404


@pytest.fixture
def everything(server_process):
    """All rows of all tables that belong to members or keep words of theirs, as text."""

    def read() -> str:
        async def run():
            connection = await asyncpg.connect(running_url(server_process.folder / "postgres"))
            tables = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
                " AND NOT relispartition"
            )
            found = []
            for (table,) in tables:
                found += [str(row[0]) for row in await connection.fetch(f"SELECT t::text FROM {table} AS t")]
            found += [
                str(row[0]) for row in await connection.fetch("SELECT encode(content, 'escape') FROM idempotency_keys")
            ]
            await connection.close()
            return "\n".join(found)

        return asyncio.run(run())

    return read


def test_the_person_is_gone_and_the_books_still_balance(shop, everything, server_process):
    ok(shop.post("/v1/competitions", json={"competitionId": "cup", "name": "Cup", "score": {"metric": "points"}}), 201)
    ok(
        shop.post(
            "/v1/segments", json={"segmentId": "vip", "name": "VIP", "type": "static", "userIds": ["zoe-7", "ann"]}
        ),
        201,
    )
    body = {"userId": "zoe-7", "email": "zoe.7@example.com", "name": "Zoë Seven"}
    ok(shop.post("/v1/users/enroll", json=body, headers={"Idempotency-Key": "zoe"}), 201)
    ok(shop.post("/v1/users/enroll", json={"userId": "ann", "email": "ann.7@x.org", "referredBy": "zoe-7"}), 201)
    ok(shop.post("/v1/transfers", json={"userId": "zoe-7", "toUserId": "ann", "metric": "points", "amount": 5}), 201)
    action = {"userId": "zoe-7", "action": "buy", "data": {"note": "for Zoë Seven"}, "eventId": "order-of-zoe-7"}
    shop.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"})
    ok(shop.post("/v1/profiles/zoe-7/consents", json={"purpose": "mail", "granted": True}), 201)
    ok(shop.put("/v1/settings", json={"push": {"contact": "mailto:ops@example.com"}}))
    with server_process.member_of(shop, "zoe-7") as zoe:
        changed = {"displayName": "Z. Seven"}
        ok(zoe.patch("/api/audience/profile", json=changed))
        ok(zoe.post("/api/audience/opt-in", headers={"Idempotency-Key": "hers"}))
        ok(
            zoe.post(
                "/api/loyalty/me/push/subscriptions",
                json=subscription_at(
                    "https://push.example.com/zoe-7", ec.generate_private_key(ec.SECP256R1()), b"1" * 16
                ),
            ),
            201,
        )
    export = ok(shop.get("/v1/profiles/zoe-7/export"))
    assert [subscription["endpoint"] for subscription in export["pushSubscriptions"]] == [
        "https://push.example.com/zoe-7"
    ]
    assert export["profile"]["email"] == "zoe.7@example.com"
    assert {event["trigger"] for event in export["events"]} >= {"buy", "registration"}
    assert len(export["consents"]) == 1
    assert len(ok(shop.get("/v1/competitions/cup/leaderboard"))["leaderboard"]) == 2
    before = ok(shop.get("/v1/analytics"))["metrics"]

    ok(shop.delete("/v1/profiles/zoe-7"))

    left = everything()
    assert "\nhers" not in left
    assert [line[:300] for line in left.splitlines() if "zoe-7" in line or "zoe.7" in line or "Seven" in line] == []
    assert shop.get("/v1/profiles/zoe-7").status_code == 404
    assert shop.get("/api/audience/zoe.7@example.com").status_code == 404
    board = ok(shop.get("/v1/competitions/cup/leaderboard"))["leaderboard"]
    assert [(standing["rank"], standing["userId"]) for standing in board] == [(1, "ann")]
    assert ok(shop.get("/v1/analytics"))["metrics"] == before
    again = shop.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"}).json()
    assert again["message"] == "Action had been processed before"
    assert shop.delete("/v1/profiles/zoe-7").status_code == 404
    assert server_process.verify() == 0


def test_points_that_come_back_or_are_sent_are_not_earned_again(shop):
    def book(path, **body):
        return ok(shop.post(path, json=body), 201)["transactionId"]

    ok(shop.post("/v1/segments", json={
        "segmentId": "vip", "name": "VIP", "include": [{"field": "lifetimePoints", "operator": ">=", "value": 300}],
    }), 201)  # fmt: skip
    book("/v1/transactions", userId="bob", amount=500)
    earned = book("/v1/transactions", userId="eve", amount=100)
    for _ in range(3):
        spent = book("/v1/transactions", userId="eve", amount=-100)
        book(f"/v1/transactions/{spent}/reverse")
    ok(shop.post("/v1/transfers", json={"userId": "bob", "toUserId": "eve", "amount": 400}), 201)

    def eve():
        found = ok(shop.get("/v1/profiles/eve"))
        return found["points"], found["lifetimePoints"], list(found["segments"])

    eventually(eve, (500, 100, []))
    received = ok(shop.get("/v1/transactions?userId=eve"))["transactions"][0]["transactionId"]
    book(f"/v1/transactions/{received}/reverse", amount=300)
    assert eve() == (200, 100, [])
    taken = book(f"/v1/transactions/{earned}/reverse", amount=40)
    assert eve() == (160, 60, [])
    book(f"/v1/transactions/{taken}/reverse")
    assert eve() == (200, 100, [])


def test_whoever_is_erased_is_on_no_board_wins_nothing_and_is_in_no_segment(shop, server_process):
    ends = "2031-01-01T00:00:00Z"
    pay = [{"type": "add_points", "amount": 1_000}]
    cup = {"score": {"trigger": "goal"}, "prizes": [{"fromRank": 1, "toRank": 1, "effects": pay}], "endDate": ends}
    ok(shop.post("/v1/competitions", json={"competitionId": "cup", "name": "Cup", **cup}), 201)
    ok(shop.post("/v1/competitions", json={"competitionId": "draw", "name": "Draw", "endDate": ends}), 201)
    enter = {"type": "add_entries", "config": {"competitionId": "draw", "entries": 1_000}}
    ok(shop.post("/v1/campaigns", json={
        "campaignId": "en", "name": "en", "triggers": [{"type": "goal"}], "effects": [enter],
    }), 201)  # fmt: skip
    ok(shop.post("/v1/segments", json={
        "segmentId": "new", "name": "N", "include": [{"field": "points", "operator": "==", "value": 0}],
    }), 201)  # fmt: skip
    for user in ("first", "first", "second"):
        action = {"userId": user, "action": "goal"}
        ok(shop.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"}))

    def board():
        return [standing["userId"] for standing in ok(shop.get("/v1/competitions/cup/leaderboard"))["leaderboard"]]

    def members(segment):
        return sorted(member["userId"] for member in ok(shop.get(f"/v1/segments/{segment}/members"))["members"])

    assert board() == ["first", "second"]
    eventually(lambda: members("new") == ["first", "second"])
    ok(shop.delete("/v1/profiles/first"))
    assert (board(), members("new")) == (["second"], ["second"])
    ok(shop.post("/v1/segments", json={
        "segmentId": "late", "name": "L", "include": [{"field": "points", "operator": ">=", "value": 0}],
    }), 201)  # fmt: skip
    eventually(lambda: ok(shop.get("/v1/segments/late/members"))["filling"]["percent"] == 100)
    assert members("late") == ["second"]

    while ok(shop.post("/v1/clock/advance", json={"seconds": 366 * 86_400}))["now"] < ends:
        pass
    ok(shop.post("/v1/clock/advance", json={"seconds": 600}))
    eventually(lambda: ok(shop.get("/v1/profiles/second"))["points"] == 1_000)
    winners = ok(shop.get("/v1/competitions/cup/winners"))["winners"]
    assert [(winner["rank"], winner["userId"]) for winner in winners] == [(1, "second")]
    drawn = ok(shop.post("/v1/competitions/draw/draw", json={"winners": 2}))
    assert [winner["userId"] for winner in drawn["winners"]] == ["second"]
    assert shop.get("/v1/profiles/first").status_code == 404
    assert server_process.verify() == 0


SCHEMA = {
    "fields": [
        {"name": "email", "type": "string", "required": True, "unique": True},
        {"name": "firstName", "type": "string", "default": "Friend"},
        {"name": "tier", "type": "string", "enum": ["bronze", "silver"], "default": "bronze"},
        {"name": "points", "type": "number", "default": 0},
    ]
}
ENROLMENT = {
    "userId": "user_1", "email": "one@example.com", "name": "One", "source": "web", "channel": "organic",
    "customFields": {"marketingConsent": True, "language": "en", "country": "US"},
}  # fmt: skip


@pytest.mark.parametrize("more", [[], [{"name": "customFields", "type": "object"}]])
def test_the_documented_enrolment_works_where_a_schema_is_and_gets_its_defaults(shop, more):
    ok(shop.put("/v1/profiles/schema", json={"schema": {"fields": [*SCHEMA["fields"], *more]}}))
    profile = ok(shop.post("/v1/users/enroll", json=ENROLMENT), 201)["profile"]
    assert (profile["name"], profile["source"], profile["channel"]) == ("One", "web", "organic")
    assert (profile["firstName"], profile["points"]) == ("Friend", 100)
    assert profile["customFields"] == ENROLMENT["customFields"]
    assert ok(shop.get("/v1/profiles/user_1"))["customFields"] == ENROLMENT["customFields"]
    short = ok(shop.post("/v1/users/enroll", json={"userId": "two", "email": "two@example.com"}), 201)["profile"]
    assert (short["name"], short["source"], short["channel"]) == ("two", "api", "direct")


def test_custom_fields_are_returned_where_they_were_sent_without_a_schema_too(shop):
    profile = ok(shop.post("/v1/users/enroll", json=ENROLMENT), 201)["profile"]
    assert profile["customFields"] == ENROLMENT["customFields"]


def test_declared_custom_fields_are_the_only_ones_and_books_cannot_be_written_by_them(shop):
    ok(shop.put("/v1/profiles/schema", json={"schema": SCHEMA}))
    ok(shop.post("/v1/custom-fields", json={"name": "Team", "key": "team", "type": "string"}), 201)
    body = ENROLMENT | {"customFields": {"team": "Reds", "other": 1}}
    refused = shop.post("/v1/users/enroll", json=body).json()["error"]["details"]
    assert refused == [{"field": "customFields.other", "message": "must be one of the custom fields team"}]
    body = ENROLMENT | {"customFields": {"points": 1_000}}
    refused = shop.post("/v1/users/enroll", json=body).json()["error"]["details"]
    assert "customFields.points" in {error["field"] for error in refused}
