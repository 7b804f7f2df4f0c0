"""Members' own calls: the three generations agree, redemption, and nobody can be somebody else."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from plaudit.api.app import OPERATIONS
from tests.api.first_generation.test_first_generation import put_up, settle, watch
from tests.support.http import data_of, ok

OWN = [operation for operation in OPERATIONS if operation.member]


@pytest.fixture(scope="module")
def club(server_process):
    with server_process.client_of("Own calls", is_test=True) as client:
        put_up(client)
        ok(
            client.post(
                "/v1/streaks", json={"streakId": "daily", "name": "Daily", "triggers": [{"type": "film_watched"}]}
            ),
            201,
        )
        ok(client.post("/v1/segments", json={"segmentId": "fans", "name": "Fans", "type": "dynamic",
                                             "include": [{"field": "metrics.points", "operator": ">=", "value": 30}]}), 201)  # fmt: skip
        ok(
            client.post(
                "/v1/competitions", json={"competitionId": "race", "name": "Race", "score": {"metric": "points"}}
            ),
            201,
        )
        ok(client.post("/v1/custom-fields", json={"name": "Team", "key": "team", "type": "string"}), 201)
        ticket = {
            "productId": "ticket",
            "name": "Ticket",
            "sku": "T",
            "type": "ticket",
            "pointsCost": 20,
            "limitPerUser": 1,
        }
        ok(client.post("/v1/products", json=ticket), 201)
        yield client


@pytest.fixture(scope="module")
def ann(server_process, club):
    with server_process.member_of(club, "ann") as client:
        for _ in range(3):
            watch(client, club)
        yield client


def test_the_three_generations_tell_the_same(club, ann):
    first = data_of(ann.get("/api/loyalty/profile"))
    me = data_of(ann.get("/api/loyalty/me"))
    audience = ok(ann.get("/api/audience/profile"))
    admin = ok(club.get("/v1/profiles/ann"))
    beta = data_of(club.get("/api/loyalty/admin/users/ann"))
    for name, value in first["metrics"].items():
        assert me["metrics"][name]["balance"] == audience["metrics"][name]["balance"] == admin[name] == value
    assert (
        first["inventory"]["Badges"]
        == me["badges"]
        == audience["badges"]
        == admin["badges"]
        == beta["badges"]
        == ["cinephile"]
    )
    for profile in (me, audience, beta):
        assert {name: profile[name] for name in admin} == admin
    (challenge,) = audience["challenges"]
    assert challenge == data_of(ann.get("/api/loyalty/me/campaigns"))["campaigns"][0]
    assert challenge == ok(ann.get("/api/audience/challenges"))["challenges"][0]
    assert challenge["completed"] is first["challenges"][challenge["campaignId"]]["isCompleted"] is True
    assert [step["done"] for step in challenge["steps"]] == [True, True]
    unread = data_of(ann.get("/api/loyalty/notifications"))
    pages = data_of(ann.get("/api/loyalty/me/notifications"))
    assert pages == ok(ann.get("/api/audience/notifications"))
    assert [notification["id"] for notification in unread] == [
        notification["notificationId"] for notification in reversed(pages["notifications"])
    ]
    assert me["unreadNotifications"] == pages["unread"] == len(unread) == 2
    own = data_of(ann.get("/api/loyalty/me/transactions"))["transactions"]
    assert own == ok(club.get("/v1/transactions?userId=ann"))["transactions"]
    moved = [
        change
        for entry in data_of(ann.get("/api/loyalty/history"))
        for change in entry["payload"]["metricChanges"].values()
    ]
    assert [change["newValue"] for change in moved] == [change["balanceAfter"] for change in reversed(own)]


def test_the_own_views(club, ann):
    def view(name):
        return data_of(ann.get(f"/api/loyalty/me/{name}"))[name]

    points = next(metric for metric in view("metrics") if metric["metricId"] == "points")
    assert (points["balance"], points["available"], points["name"]) == (35, 35, "Points")
    assert view("segments") == [{"segmentId": "fans", "name": "Fans"}]
    (ladder,) = view("ladders")
    assert (ladder["ladderId"], ladder["rung"], ladder["next"]) == ("status", "silver", None)
    (streak,) = view("streaks")
    assert (streak["streakId"], streak["current"], streak["alive"]) == ("daily", 1, True)
    (race,) = view("competitions")
    board = ok(club.get("/v1/competitions/race/leaderboard"))  # others may have joined by now
    rank = next(standing["rank"] for standing in board["leaderboard"] if standing["userId"] == "ann")
    assert (race["rank"], race["score"], race["of"]) == (rank, 35, board["count"])
    rewards = data_of(ann.get("/api/loyalty/me/rewards"))
    assert [product["productId"] for product in rewards["inventory"]] == ["cinephile"]
    assert [(product["productId"], product["costs"], product["redeemable"]) for product in rewards["available"]] == [
        ("ticket", {"points": 20}, True)
    ]
    profile = data_of(ann.get("/api/loyalty/me/profile"))
    assert profile["userId"] == "ann"
    assert "points" not in profile


def test_members_change_only_what_is_theirs_to_change(club, ann):
    changed = ok(ann.patch("/api/audience/profile", json={"displayName": "Ann", "preferences": {"dark": True},
                                                          "customFields": {"team": "Reds"}}))  # fmt: skip
    assert (changed["displayName"], changed["preferences"], changed["customFields"]) == (
        "Ann",
        {"dark": True},
        {"team": "Reds"},
    )
    for body, field in (
        ({"email": "x@x.org"}, "email"),
        ({"points": 1_000_000}, "points"),
        ({"userId": "bob"}, "userId"),
        ({"customFields": {"rank": 1}}, "customFields.rank"),
        ({"team": 7}, "customFields.team"),
    ):
        response = ann.patch("/api/audience/profile", json=body)
        assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (400, field), response.text
    assert ok(club.get("/v1/profiles/ann"))["displayName"] == "Ann"


def test_transactions_of_the_audience_api(ann):
    first = ok(ann.get("/api/audience/transactions?type=credit&currency=points&limit=1"))
    (newest,) = first["transactions"]
    assert (newest["type"], newest["currency"], newest["amount"]) == ("credit", "points", 25)
    rest = ok(ann.get(f"/api/audience/transactions?limit=1&lastEvaluatedKey={first['lastEvaluatedKey']}"))
    assert [transaction["amount"] for transaction in rest["transactions"]] == [10]
    assert rest["lastEvaluatedKey"] is None
    assert ok(ann.get("/api/audience/transactions?type=debit"))["transactions"] == []
    for wrong in ("type=both", "currency=gold", "lastEvaluatedKey=%21"):
        assert ann.get(f"/api/audience/transactions?{wrong}").status_code == 400


def test_servers_read_and_write_many_profiles_at_once(club, ann):
    put = club.put(
        "/api/audience/profile", json=[{"user_id": "ann", "data": {"country": "AT"}}, {"user_id": "ben", "data": {}}]
    )
    assert put.json()["message"] == "OK"
    assert [user["user_id"] for user in put.json()["users"]] == ["ann", "ben"]
    got = club.get("/api/audience/profile?user_ids=ben,ann,nobody").json()
    assert [(user["user_id"], user["data"].get("country")) for user in got["users"]] == [
        ("ben", None),
        ("ann", "AT"),
    ]
    wrong = club.put(
        "/api/audience/profile",
        json=[{"user_id": "ann", "data": {"country": "DE"}}, {"user_id": "", "data": {"points": 1}}, 7],
    )
    assert wrong.status_code == 400
    assert ok(club.get("/v1/profiles/ann"))["country"] == "AT"
    taken = [{"user_id": "ann", "data": {"email": "a@x.org"}}, {"user_id": "ben", "data": {"email": "a@x.org"}}]
    assert [user.get("error", {}).get("code") for user in club.put("/api/audience/profile", json=taken).json()["users"]] == [
        None, "identity_taken",
    ]  # fmt: skip
    assert club.get("/api/audience/profile").status_code == 400


def test_redeeming_is_refused_with_a_clear_reason(club, server_process):
    def product(name, **more):
        ok(club.post("/v1/products", json={"productId": name, "name": name, "sku": name, "type": "merchandise", "pointsCost": 5, **more}), 201)  # fmt: skip

    product("early", startDate="2098-01-01T00:00:00Z")
    product("late", endDate="2001-01-01T00:00:00Z")
    product("fans-only", segments={"include": ["fans"]})
    product("gone", allocatedStock=0)
    product("dear", pointsCost=1_000)
    product("once", limitPerUser=1)
    product("closed", status="inactive")
    with server_process.member_of(club, "rita") as rita:
        data_of(rita.get("/api/loyalty/profile"))
        ok(club.post("/v1/transactions", json={"userId": "rita", "metric": "points", "amount": 20}), 201)
        for name, reason in (
            ("early", "product_not_available_yet"), ("late", "product_no_longer_available"), ("fans-only", "not_in_segment"), ("gone", "stock_empty"),
            ("dear", "balance_insufficient"), ("closed", "product_inactive"),
        ):  # fmt: skip
            response = rita.post(f"/api/audience/products/{name}/redeem", json={})
            assert (response.status_code, response.json()["error"]["code"]) == (409, reason), response.text
        first = rita.post("/api/audience/products/once/redeem", json={}, headers={"Idempotency-Key": "k"})
        again = rita.post("/api/audience/products/once/redeem", json={}, headers={"Idempotency-Key": "k"})
        assert (ok(first)["result"]["userId"], again.headers["Idempotent-Replayed"]) == ("rita", "true")
        assert (
            rita.post("/api/audience/products/once/redeem", json={}).json()["error"]["code"] == "product_limit_reached"
        )
        assert rita.post("/api/audience/products/nothing/redeem", json={}).status_code == 404
        assert rita.post("/api/audience/products/once/redeem", json={"userId": "ann"}).status_code == 400
        assert data_of(rita.get("/api/loyalty/profile"))["metrics"]["points"] == 15
        reasons = {
            reward["productId"]: reward["reason"]
            for reward in data_of(rita.get("/api/loyalty/me/rewards"))["available"]
        }
        assert reasons == {"early": "product_not_available_yet", "late": "product_no_longer_available", "gone": None, "dear": "balance_insufficient",
                           "once": "product_limit_reached", "ticket": "balance_insufficient"}  # fmt: skip


def test_who_opts_out_earns_nothing_until_they_are_back(club, server_process):
    with server_process.member_of(club, "olga") as olga:
        watch(olga, club)
        assert ok(olga.post("/api/audience/opt-out")) == {"optedOut": True}
        watch(olga, club)
        assert data_of(olga.get("/api/loyalty/me/profile"))["optedOut"] is True
        assert data_of(olga.get("/api/loyalty/profile"))["metrics"]["points"] == 10
        events = ok(club.get("/v1/events?userId=olga"))["events"]
        assert [event["status"] for event in events if event["action"] == "film_watched"] == [
            "rejected",
            "processed",
        ], events
        assert ok(olga.post("/api/audience/opt-in")) == {"optedOut": False}
        ok(club.put("/v1/profiles/olga", json={"optedOut": False}))  # said, it is the same as not said
        watch(olga, club)
        watch(olga, club)
        assert data_of(olga.get("/api/loyalty/profile"))["metrics"]["points"] == 35


def test_what_is_ones_own_is_kept_by_nobody_between(ann):
    assert ann.get("/api/loyalty/me").headers["Cache-Control"] == "private, no-store"
    assert ann.get("/api/loyalty/config").headers["Cache-Control"] == "private, max-age=30"


def test_two_hundred_redeem_the_last_ten(club, server_process):
    ok(club.post("/v1/products", json={"productId": "last", "name": "Last", "sku": "L", "type": "ticket", "pointsCost": 3,
                                       "allocatedStock": 10}), 201)  # fmt: skip
    ok(club.post("/v1/code-pools", json={"poolId": "lasts", "name": "Lasts", "productId": "last"}), 201)
    ok(club.post("/v1/code-pools/lasts/generate", json={"quantity": 10}), 201)
    names = [f"rush_{i}" for i in range(200)]
    lines = "\n".join(json.dumps({"userId": key, "metrics": {"points": 5}}) for key in names)
    job = ok(club.post("/v1/bulk/import", content=lines))
    assert job["accepted"] == 200, job

    def redeem(name):
        with server_process.member_of(club, name) as member:
            return member.post("/api/audience/products/last/redeem", json={})

    with ThreadPoolExecutor(40) as crowd:
        responses = list(crowd.map(redeem, names))
    won = [ok(response) for response in responses if response.status_code == 200]
    lost = [response.json()["error"]["code"] for response in responses if response.status_code != 200]
    assert (len(won), len(lost)) == (10, 190)
    assert set(lost) <= {"stock_empty", "pool_empty"}
    assert len({value["result"]["code"] for value in won}) == 10
    assert ok(club.get("/v1/products/last"))["redeemedStock"] == 10
    balances = [ok(club.get(f"/v1/profiles/{key}"))["points"] for key in names]
    assert (balances.count(2), balances.count(5)) == (10, 190)
    assert server_process.verify() == 0


# ------------------------------------------------------------------------------------------------ nobody but oneself


@pytest.fixture(scope="module")
def mallory(server_process, club, ann):
    """A member of Ann's organisation, who knows Ann's ids."""
    with server_process.member_of(club, "mallory") as client:
        yield client


def test_ids_and_cursors_of_others_lead_nowhere(club, ann, mallory):
    coupon = ok(club.get("/v1/profiles/ann"))["coupons"][0]["couponId"]
    assert ann.get(f"/api/loyalty/coupons/{coupon}").status_code == 200
    stolen, absent = (
        mallory.get(f"/api/loyalty/coupons/{coupon}"),
        mallory.get(f"/api/loyalty/coupons/{coupon[:-4]}0000"),
    )
    assert (stolen.status_code, stolen.json()) == (404, absent.json())

    notes = [notification["id"] for notification in data_of(ann.get("/api/loyalty/notifications"))]
    assert data_of(mallory.post("/api/loyalty/notifications/read", json={"ids": notes}))["read"] == 0
    assert data_of(mallory.post("/api/loyalty/notifications/read", json={"upTo": notes[-1]}))["read"] == 0
    assert [notification["id"] for notification in data_of(ann.get("/api/loyalty/notifications"))] == notes

    cursor = ok(ann.get("/api/audience/transactions?limit=1"))["lastEvaluatedKey"]
    assert ok(mallory.get(f"/api/audience/transactions?lastEvaluatedKey={cursor}"))["transactions"] == []
    cursor = data_of(ann.get("/api/loyalty/me/notifications?limit=1"))["cursor"]
    assert data_of(mallory.get(f"/api/loyalty/me/notifications?cursor={cursor}"))["notifications"] == []


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OWN if operation.method == "GET" and not operation.path.endswith("/stream")],
    ids=lambda operation: operation.name,
)
def test_naming_somebody_else_changes_nothing(mallory, ann, operation):
    """By query and header: what comes back is one's own, or a refusal."""
    path = operation.path.replace("{couponId}", "x")
    named = {"userId": "ann", "user_id": "ann", "sub": "ann", "user_ids": "ann"}
    headers = {"X-User-ID": "ann", "X-Monterosa-User-ID": "ann", "X-Forwarded-User": "ann"}
    for query in [{key: value} for key, value in named.items()]:
        response = mallory.get(path, params=query, headers=headers)
        assert response.status_code in (200, 400, 403, 404), response.text
        assert "cinephile" not in response.text or path == "/api/loyalty/config" or "/campaigns" in path
        assert '"ann"' not in response.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/loyalty/action", {"action": "film_watched", "userId": "ann"}),
        ("POST", "/api/loyalty/action", {"action": "film_watched", "user_id": "ann"}),
        ("PATCH", "/api/audience/profile", {"userId": "ann", "displayName": "Mallory"}),
        ("PUT", "/api/audience/profile", [{"user_id": "ann", "data": {"displayName": "Mallory"}}]),
        ("POST", "/api/audience/products/ticket/redeem", {"userId": "ann"}),
        ("POST", "/v1/products/ticket/redeem", {"userId": "ann"}),
        ("POST", "/api/audience/internal/actions", {"userId": "ann", "action": "film_watched"}),
        ("GET", "/v1/profiles/ann", None),
        ("GET", "/api/audience/ann", None),
    ],
)
def test_bodies_and_paths_of_others_are_refused(club, ann, mallory, method, path, body):
    before = ok(club.get("/v1/profiles/ann"))
    response = mallory.request(method, path, json=body)
    assert response.status_code in (400, 403), response.text
    settle(club)
    after = ok(club.get("/v1/profiles/ann"))
    assert {**after, "lastActiveAt": None} == {**before, "lastActiveAt": None}


@pytest.fixture(scope="module")
def other_ann(server_process):
    """Ann of another organisation."""
    with server_process.client_of("Strangers") as strangers, server_process.member_of(strangers, "ann") as client:
        yield client


@pytest.mark.parametrize("operation", OWN, ids=lambda operation: operation.name)
def test_without_a_token_there_is_no_access(other_ann, club, operation):
    path = operation.path.replace("{couponId}", "x").replace("{productId}", "ticket").replace("{subscriptionId}", "x")
    nobody = other_ann.request(operation.method, path, headers={"Authorization": ""}, json={})
    assert nobody.status_code == (400 if operation.anonymous else 401), nobody.text
    org = {"X-Monterosa-Org-ID": club.headers["X-Monterosa-Org-ID"]}
    crossed = other_ann.request(operation.method, path, headers=org, json={})
    assert crossed.status_code == 401, crossed.text


def test_members_share_no_idempotency_keys(club, ann, mallory, server_process):
    for name in ("kim", "lee"):
        ok(club.post("/v1/transactions", json={"userId": name, "metric": "points", "amount": 30}), 201)
        with server_process.member_of(club, name) as member:
            for _ in range(2):  # each has one, however often it is sent
                response = member.post(
                    "/api/audience/products/ticket/redeem", json={}, headers={"Idempotency-Key": "buy"}
                )
                assert ok(response)["result"]["userId"] == name
    headers = {"Idempotency-Key": "the-same"}
    mine = ann.patch("/api/audience/profile", json={"displayName": "Ann"}, headers=headers)
    theirs = mallory.patch("/api/audience/profile", json={"displayName": "Ann"}, headers=headers)
    assert (ok(mine)["userId"], ok(theirs)["userId"]) == ("ann", "mallory")
    for client in (ann, mallory):
        assert (
            client.post("/api/loyalty/notifications/read", json={}, headers=headers).headers.get("Idempotent-Replayed")
            is None
        )
