"""From one server to another over HTTP: everything that there is of an organisation, exported, taken in, exported again."""

import json
from uuid import UUID

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.http import ok

KINDS = ("organisation", "audit", "events", "transactions", "members")
DAY = 86_400
WAIT = {"Prefer": "wait=10"}


def exported(client, kind, format="ndjson", **query):
    response = client.get("/v1/bulk/export", params={"kind": kind, "format": format, **query})
    assert response.status_code == 200, response.text
    return response.content


def taken_in(client, kind, content, format="ndjson"):
    media = "text/csv" if format == "csv" else "application/x-ndjson"
    query = {"kind": kind, "from": "export"}
    return ok(client.post("/v1/bulk/import", params=query, content=content, headers={"Content-Type": media}))


def counts(job):
    return {name: job[name] for name in ("accepted", "unchanged", "refused")} | {"errors": job["errors"]}


def org_of(client):
    return client.headers["X-Monterosa-Org-ID"]


def advance(client, seconds):
    ok(client.post("/v1/clock/advance", json={"seconds": seconds}))


def programme(client):
    """Every mechanic that there is."""
    add = lambda amount, metric="points": {"type": "add_metric", "config": {"metric": metric, "amount": amount}}  # noqa: E731
    ok(client.put("/v1/settings", json={"timeZone": "Europe/London"}))
    ok(client.put("/v1/metrics/points", json={
        "pendingDays": 2, "expiry": {"type": "rolling", "days": 30, "remindDays": 5}, "onReversal": "debt",
        "earningCaps": [{"period": "day", "amount": 10_000}],
    }))  # fmt: skip
    ok(
        client.post(
            "/v1/products",
            json={"productId": "mug", "name": "Mug", "sku": "MUG", "type": "merchandise", "allocatedStock": 5},
        ),
        201,
    )
    ok(client.post("/v1/products", json={
        "productId": "off", "name": "Ten off", "sku": "OFF", "type": "unique_code_pool",
    }), 201)  # fmt: skip
    ok(client.post("/v1/code-pools", json={"poolId": "pool", "name": "Codes", "productId": "off"}), 201)
    codes = "code\n" + "\n".join(f"CODE-{number}" for number in (3, 1, 2, 5, 4))
    ok(client.post("/v1/code-pools/pool/import", content=codes, headers={"Content-Type": "text/csv"}), 201)
    ok(client.post("/v1/streaks", json={
        "streakId": "daily", "name": "Daily", "triggers": [{"type": "visit"}], "freezes": {"maximum": 2},
        "milestones": [{"length": 2, "effects": [add(5)]}],
    }), 201)  # fmt: skip
    ok(client.post("/v1/ladders", json={"ladderId": "club", "name": "Club", "rungs": [
        {"rungId": "bronze", "name": "Bronze", "threshold": 0}, {"rungId": "silver", "name": "Silver", "threshold": 50},
    ]}), 201)  # fmt: skip
    ok(client.post("/v1/segments", json={
        "segmentId": "lately", "name": "Lately", "include": [
            {"count": {"trigger": "purchase", "withinDays": 20}, "operator": ">=", "value": 1},
        ],
    }), 201)  # fmt: skip
    now = ok(client.get("/v1/clock"))["now"]
    ok(client.post("/v1/competitions", json={
        "competitionId": "cup", "name": "Cup", "startDate": now, "endDate": f"{int(now[:4]) + 1}{now[4:]}",
        "score": {"metric": "points"}, "prizes": [{"fromRank": 1, "toRank": 1, "effects": [add(7, "coins")]}],
    }), 201)  # fmt: skip
    ok(client.post("/v1/rewards", json={
        "rewardId": "ticket", "name": "Ticket", "rewardType": "competition_entry",
        "config": {"competitionId": "cup", "entries": 2},
    }), 201)  # fmt: skip
    ok(client.post("/v1/campaigns", json={
        "campaignId": "a_point_a_pound", "name": "Points", "triggers": [{"type": "purchase"}],
        "effects": [{"type": "add_points", "config": {"amount": "amount"}}],
    }), 201)  # fmt: skip
    ok(client.post("/v1/campaigns", json={
        "campaignId": "mug", "name": "A mug", "triggers": [{"type": "purchase"}], "limit": {"perUser": 1, "overall": 3},
        "effects": [{"type": "award_product", "config": {"productId": "mug"}}], "notification": {"message": "A\nmug!"},
    }), 201)  # fmt: skip
    ok(client.post("/v1/campaigns", json={
        "campaignId": "code", "name": "A code", "triggers": [{"type": "big"}],
        "effects": [{"type": "award_product", "config": {"productId": "off"}}],
    }), 201)  # fmt: skip
    ok(client.post("/v1/campaigns", json={
        "campaignId": "steps", "name": "Steps", "type": "Challenge", "effects": [add(20)], "steps": [
            {"name": "Vote", "trigger": "vote", "goal": {"type": "distinct", "field": "option", "target": 2}},
            {"name": "Spend", "trigger": "purchase", "goal": {"type": "sum", "field": "amount", "target": 500}},
        ],
    }), 201)  # fmt: skip


def act(client, user, action, key=None, **data):
    body = {"userId": user, "action": action, "data": data} | ({"eventId": key} if key else {})
    response = client.post("/api/audience/internal/actions", headers=WAIT, json=body)
    assert response.json()["processed"], response.text
    return response.json()


def lives(client):
    """Members in every awkward state."""
    for user, more in (
        ("ann", {"email": "Ann@Example.com", "displayName": '"Ann", of; the\r\nShop'}),
        ("bob", {}),
        ("ümit", {}),
    ):
        ok(client.post("/v1/profiles", json={"userId": user, **more}), 201)
    ok(client.post("/v1/profiles/ann/consents", json={"purpose": "news", "granted": True, "source": ""}), 201)
    for user in ("ann", "bob", "cat", "dan", "gone", "one", "other"):
        act(client, user, "visit")
        bought = act(client, user, "purchase", f"order-{user}", amount=60, note='a\u2028b,c;d"e')
    advance(client, DAY)
    act(client, "ann", "visit")
    act(client, "ann", "big")
    act(client, "gone", "big")
    act(client, "ann", "vote", option="x")
    advance(client, 2 * DAY)
    ok(client.post("/v1/transactions", json={"userId": "bob", "amount": -50, "reason": "", "eventId": "mug"}), 201)
    (earned,) = [
        campaign for campaign in act_transactions(client, "bob") if campaign["campaignId"] == "a_point_a_pound"
    ]
    ok(client.post(f"/v1/transactions/{earned['transactionId']}/reverse", json={}), 201)  # in debt
    ok(client.post("/v1/profiles/ann/holds", json={"holdId": "basket", "amount": 15, "seconds": 7 * DAY}))
    ok(client.post("/v1/transfers", json={"userId": "cat", "toUserId": "dan", "amount": 20}), 201)
    ok(client.post("/v1/rewards/grant", json={"rewardId": "ticket", "userId": "dan"}))
    ok(client.put("/v1/profiles/dan/ladders/club", json={"rung": "bronze"}))
    ok(client.post("/v1/profiles/dan/streaks/daily", json={"action": "grant_freeze"}))
    ok(client.post("/v1/profiles/one/merge", json={"from": "other"}))
    assert client.delete("/v1/profiles/gone").status_code in (200, 204)
    act(client, "cat", "purchase", amount=11.5)  # pending
    assert bought["processed"]
    eventually(lambda: exported(client, "organisation").count(b'"type":"fill"') == 2)  # of the segment and the ladder


def act_transactions(client, user):
    return ok(client.get("/v1/transactions", params={"userId": user}))["transactions"]


@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_an_organisation_moves_to_another_server_byte_for_byte(server_process, own_server, format):
    with server_process.client_of("Moves", is_test=True) as source:
        programme(source)
        lives(source)
        there = {kind: exported(source, kind, format) for kind in KINDS}
        plain = {kind: exported(source, kind) for kind in KINDS}
        lines = {kind: plain[kind].splitlines() for kind in KINDS}
        target = own_server("--no-demo").start()
        with target.client_of("Moves", is_test=True, org_id=UUID(org_of(source))) as moved:
            advance(moved, 3 * DAY)
            for kind in KINDS:
                if kind == "transactions":  # nobody comes with points that the ledger knows nothing of
                    early = taken_in(moved, "members", plain["members"].splitlines()[0])
                    assert (early["refused"], early["errors"][0]["details"][0]["field"]) == (1, "balances.points")
                job = taken_in(moved, kind, there[kind], format)
                assert counts(job) == {"accepted": len(lines[kind]), "unchanged": 0, "refused": 0, "errors": []}, kind
            for kind in KINDS:
                assert exported(moved, kind, format) == there[kind], kind
                job = taken_in(moved, kind, there[kind], format)
                assert counts(job) == {"accepted": 0, "unchanged": len(lines[kind]), "refused": 0, "errors": []}, kind
            target.verify()

            # What was sent there is not paid here again, and says the same if it is sent with another content.
            points = ok(moved.get("/v1/profiles/ann"))["points"]
            order = {"userId": "ann", "action": "purchase", "eventId": "order-ann"}
            again = moved.post("/api/audience/internal/actions", headers=WAIT, json={
                **order, "data": {"amount": 60, "note": 'a\u2028b,c;d"e'},
            }).json()  # fmt: skip
            assert again["outcome"] == {"state": "duplicate"}
            other = moved.post("/api/audience/internal/actions", headers=WAIT, json={**order, "data": {"amount": 61}})
            assert other.json()["error"]["code"] == "idempotency_mismatch"
            assert ok(moved.get("/v1/profiles/ann"))["points"] == points
            assert ok(moved.get("/v1/events/order-ann/explain"))["campaigns"][0]["fired"]
            assert ok(moved.get("/v1/competitions/cup/leaderboard")) == ok(
                source.get("/v1/competitions/cup/leaderboard")
            )

            # Time goes on there as it would have here.
            for client in (source, moved):
                advance(client, 45 * DAY)
            assert exported(moved, "members", format) == exported(source, "members", format) != there["members"]
            assert timeless(exported(moved, "transactions")) == timeless(exported(source, "transactions"))
            for client in (source, moved):
                act(client, "ann", "purchase", "later", amount=5)
                act(client, "dan", "big", "later-too")
            given = [
                [coupon["code"] for coupon in ok(server.get("/v1/profiles/dan"))["coupons"]]
                for server in (source, moved)
            ]
            assert given == [["CODE-2"], ["CODE-2"]]  # the next of the pool, in its order
            target.verify()


def timeless(content):
    """Transactions without when they were written down, which is the wall clock's."""
    return [
        {name: value for name, value in json.loads(line).items() if name != "createdAt"}
        for line in content.splitlines()
    ]


def read_into(got, client):
    with client.stream("GET", "/v1/bulk/export") as response:
        for part in response.iter_raw():
            got.append(part)


def test_an_export_that_fails_in_the_middle_does_not_end_as_a_whole_one(shop, server_process):
    members = b"".join(
        b'{"userId": "u%d", "enrolledAt": "2020-01-01T00:00:%02dZ", "metrics": {"points": [{"amount": 5, '
        b'"expiresAt": "2030-01-01T00:00:00Z"}]}}\n' % (number, number // 10) for number in range(450)
    )  # fmt: skip
    assert ok(shop.post("/v1/bulk/import", content=members))["accepted"] == 450
    whole = exported(shop, "members").splitlines()
    last = json.loads(whole[-1])["userId"]
    damage = (
        "UPDATE balances SET book = (CASE WHEN $3 THEN '[' || book || ']' ELSE substr(book::text, 2, length(book::text) - 2) END)::json"
        " FROM members AS m WHERE (m.bucket, m.member_id) = (balances.bucket, balances.member_id) AND org_id = $1 AND user_id = $2"
    )
    server_process.sql(damage, org_of(shop), last, True)
    got: list[bytes] = []
    try:
        with pytest.raises(httpx.RemoteProtocolError):
            read_into(got, shop)
    finally:
        server_process.sql(damage, org_of(shop), last, False)
    whole_lines = b"".join(got).rpartition(b"\n")[0]
    lines = whole_lines.splitlines()
    assert 200 <= len(lines) < 450
    rest = exported(shop, "members", cursor=json.loads(lines[-1])["userId"]).splitlines()
    assert lines + rest == whole


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", ["ndjson", "csv"])
def test_an_export_that_was_cut_goes_on_after_any_line(shop, kind, format):
    programme(shop)
    for user in ("ann", "bob"):
        act(shop, user, "purchase", amount=3)
        act(shop, user, "visit")
    eventually(lambda: exported(shop, "organisation").count(b'"type":"fill"') == 2)
    eventually(lambda: b'"contest"' in exported(shop, "organisation"))
    whole = exported(shop, kind, format)
    lines = whole.splitlines(keepends=True)
    rows = [json.loads(line) for line in exported(shop, kind).splitlines()]
    head = lines[: len(lines) - len(rows)]
    assert len(head) == (format == "csv")
    for place, row in enumerate(rows):
        rest = exported(shop, kind, format, cursor=cursor_of(kind, row))
        assert rest == b"".join(lines[len(head) + place + 1 :])


def cursor_of(kind, row):
    match kind:
        case "members":
            return row["userId"]
        case "audit":
            return f"{row['programVersion']}/{row['kind']}/{row['id']}"
        case "organisation":
            return f"{row['type']}/{row['key']}"
    return row["id"]


def test_what_cannot_be_taken_in_is_named_by_its_line(shop, server_process, own_server):
    ok(shop.put("/v1/metrics/points", json={"expiry": {"type": "rolling", "days": 30}}))
    ok(shop.post("/v1/campaigns", json={
        "name": "Points", "triggers": [{"type": "purchase"}], "effects": [{"type": "add_points", "amount": 5}],
    }), 201)  # fmt: skip
    for user in ("ann", "bob"):
        act(shop, user, "purchase", user)
    with server_process.client_of("Elsewhere") as other:
        (error, *_) = taken_in(other, "events", exported(shop, "events"))["errors"]
        assert (error["line"], error["details"][0]["field"]) == (1, "orgId")
        (error, *_) = taken_in(other, "transactions", exported(shop, "transactions"))["errors"]
        assert [value["field"] for value in error["details"]] == ["orgId", "event"]
        (error, *_) = taken_in(other, "members", exported(shop, "members"))["errors"]
        assert error["message"].startswith("The log has 0 of the member's"), error

    first, second = exported(shop, "members").splitlines()
    changed = json.loads(first)
    changed["balances"]["points"]["book"]["lots"][0]["amount"] = "many"
    job = taken_in(shop, "members", b"\n".join([first, b"{", b'{"userId": "cat"}', second]))
    assert (job["unchanged"], job["refused"]) == (2, 2)
    assert [value["line"] for value in job["errors"]] == [2, 3]
    assert {value["field"] for value in job["errors"][1]["details"]} == {"enrolledAt", "latestAt", "sequence"}
    (error,) = taken_in(shop, "members", json.dumps(changed))["errors"]
    assert error["message"] == "The line was already imported with different values"
    header = b"userId,enrolledAt,present,sequence,nonsense\r\n"
    response = shop.post(
        "/v1/bulk/import?kind=members&from=export", content=header, headers={"Content-Type": "text/csv"}
    )
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_header")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=codes", "kind"),
        ("format=xml", "format"),
        ("cursor=nobody", "cursor"),
        ("kind=events&cursor=x", "cursor"),
        ("kind=audit&cursor=1", "cursor"),
        ("kind=organisation&cursor=code/pool/none", "cursor"),
    ],
)
def test_a_wrong_export_is_refused_before_it_begins(shop, query, field):
    response = shop.get(f"/v1/bulk/export?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == field


def test_an_export_takes_the_scopes_of_what_is_in_it(shop):
    def allowed(*scopes):
        key = ok(shop.post("/v1/api-keys", json={"name": "k", "scopes": list(scopes)}), 201)
        headers = dict(shop.headers) | {"authorization": f"Bearer {key['apiSecret']}"}
        found = set()
        for kind in KINDS:
            with httpx.Client(base_url=shop.base_url, headers=headers, verify=False) as client:
                status = client.get(f"/v1/bulk/export?kind={kind}").status_code
                assert status in (200, 403)
                found |= {kind} if status == 200 else set()
        return found

    assert allowed("members:read") == {"members", "events", "transactions"}
    assert allowed("members:read", "admin:read") == {"members", "events", "transactions"}
    assert allowed("members:read", "admin:write") == set(KINDS)
    assert allowed("admin:read", "admin:write") == set()
    key = ok(shop.post("/v1/api-keys", json={"name": "k", "scopes": ["members:write"]}), 201)
    headers = {"authorization": f"Bearer {key['apiSecret']}"}
    assert shop.post("/v1/bulk/import?kind=members&from=export", content=b"", headers=headers).status_code == 403
    response = shop.get("/v1/bulk/export", headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
