"""Two members who are the same person become one, with all that they have."""

from uuid import uuid4

import pytest

from tests.support.eventually import eventually
from tests.support.http import ok

ACTIONS = "/api/audience/internal/actions"
NOW = {"Prefer": "wait=60"}
GUEST = "guest@example.com"


def buy(shop, headers=NOW, **who):
    return shop.post(ACTIONS, json={"action": "buy", **who}, headers=headers)


def merge(shop, into="u1", former: object = GUEST, **more):
    return shop.post(f"/v1/profiles/{into}/merge", json={"from": former, **more})


def profile(shop, user="u1"):
    return ok(shop.get(f"/v1/profiles/{user}"))


def wait_for_points(shop, points, user="u1"):
    eventually(lambda: profile(shop, user)["points"], points)


@pytest.fixture
def club(shop):
    """A guest with 100 points who has registered as u1, and has bought something since."""
    effects = [{"type": "add_points", "config": {"amount": 100}}]
    ok(shop.post("/v1/campaigns", json={"name": "c", "triggers": [{"type": "buy"}], "effects": effects}), 201)
    ok(buy(shop, email=GUEST))
    enrolment = {"userId": "u1", "email": GUEST, "welcomeBonus": {"points": 0, "coins": 0}}
    assert shop.post("/v1/users/enroll", json=enrolment).is_success
    ok(buy(shop, email=GUEST))
    return shop


def test_a_guest_who_registers_is_one_member_with_everything(club, server_process):
    assert [profile(club, user)["points"] for user in (GUEST, "u1")] == [100, 100]
    done = ok(merge(club))
    assert (done["userId"], done["from"], done["duplicate"]) == ("u1", GUEST, False)
    assert [(transaction["amount"], transaction["reason"]) for transaction in done["transactions"]] == [(100, "merged")]
    listed = ok(club.get("/v1/profiles"))["profiles"]
    assert [(row["userId"], row["points"], row["lifetimePoints"]) for row in listed] == [("u1", 200, 200)]
    server_process.verify()


def test_the_old_id_means_the_same_member_from_then_on(club, server_process):
    ok(merge(club))
    assert profile(club, GUEST)["userId"] == "u1"
    assert ok(club.get(f"/api/audience/{GUEST}"))["userId"] == "u1"
    ok(club.post("/v1/transactions", json={"userId": GUEST, "amount": 1}), 201)
    ok(buy(club, userId=GUEST))  # decided when the response is sent
    wait_for_points(club, 301)
    key = str(uuid4())
    ok(buy(club, headers={}, userId=GUEST, eventId=key), 202)
    wait_for_points(club, 401)
    told = ok(club.get(f"/v1/events/{key}"))
    assert (told["userId"], told["processed"]) == (GUEST, True)
    (passed,) = ok(club.get(f"/v1/events/{key}/explain"))["campaigns"]
    assert (passed["reason"], passed["merge"]["into"]) == ("member_merged", "u1")
    assert ok(club.get(f"/v1/events/evt_{passed['merge']['eventId']}"))["userId"] == "u1"
    with server_process.member_of(club, GUEST) as guest, server_process.member_of(club, "u1") as member:
        assert guest.get("/api/loyalty/profile").json() == member.get("/api/loyalty/profile").json()
    server_process.verify()


def test_coupons_and_products_go_along_and_can_be_used(club, server_process):
    mug = {"productId": "mug", "name": "Mug", "sku": "MUG", "type": "merchandise", "pointsCost": 60}
    ok(club.post("/v1/products", json=mug), 201)
    ok(club.post("/v1/code-pools", json={"poolId": "pool", "name": "P", "productId": "mug"}), 201)
    ok(club.post("/v1/code-pools/pool/import", json={"codes": ["A-1"]}), 201)
    ok(club.post("/v1/products/mug/redeem", json={"userId": GUEST}))
    ok(merge(club))
    (had,) = profile(club)["coupons"]
    assert (had["code"], had["status"]) == ("A-1", "allocated")
    assert [(holding["productId"], holding["quantity"]) for holding in profile(club)["inventory"]] == [("mug", 1)]
    server_process.verify()
    ok(club.post("/v1/code-pools/pool/codes/A-1/redeem"))
    assert profile(club)["coupons"][0]["status"] == "redeemed"
    server_process.verify()


def test_names_go_along_unless_the_member_has_such_a_name(club):
    ok(club.put(f"/v1/profiles/{GUEST}", json={"phone": "+441234567890", "email": "old@example.com"}))
    ok(merge(club))
    assert (profile(club)["phone"], profile(club)["email"]) == ("+441234567890", GUEST)
    for name in ("+441234567890", "old@example.com"):
        assert profile(club, name)["userId"] == "u1"


def test_a_merge_counts_once(club, server_process):
    key = str(uuid4())
    first = ok(merge(club, eventId=key))
    again = ok(merge(club, eventId=key))
    assert again == {**first, "duplicate": True}
    refused = merge(club)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_merged")
    assert profile(club)["points"] == 200
    server_process.verify()


def test_what_is_no_merge_is_refused(club, server_process):
    for into, former, status, code in (
        ("u1", "u1", 400, "invalid"),
        ("u1", "stranger", 404, "user_not_found"),
        ("stranger", "u1", 404, "user_not_found"),
        ("u1", 7, 404, "user_not_found"),
        ("u1", "", 400, "invalid"),
    ):
        refused = merge(club, into, former)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code), refused.text
    ok(merge(club))
    assert merge(club, GUEST, "u1").status_code == 400  # the old id is u1's own
    server_process.verify()


def test_a_balance_that_would_be_too_high_refuses_the_merge_and_nothing_happens(club, server_process):
    ok(club.put("/v1/metrics/points", json={"maximum": 150}))
    refused = merge(club)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "balance_at_maximum")
    assert [profile(club, user)["points"] for user in (GUEST, "u1")] == [100, 100]
    server_process.verify()


def test_who_was_merged_into_somebody_goes_on_as_whoever_that_becomes(club, server_process):
    ok(merge(club))
    ok(club.post("/v1/profiles", json={"userId": "u2"}), 201)
    ok(merge(club, "u2", "u1"))
    assert [profile(club, user)["userId"] for user in (GUEST, "u1", "u2")] == ["u2"] * 3
    ok(buy(club, headers={}, userId=GUEST), 202)
    wait_for_points(club, 300, "u2")
    server_process.verify()


def test_a_merge_is_reversed_like_any_transaction(club, server_process):
    (made,) = ok(merge(club))["transactions"]
    ok(club.post(f"/v1/transactions/{made['transactionId']}/reverse", json={}), 201)
    assert [profile(club, user)["points"] for user in (GUEST, "u1")] == [100, 100]
    server_process.verify()
    ok(merge(club))
    assert profile(club, GUEST)["points"] == 200
    server_process.verify()


def test_what_was_booked_before_is_reversed_where_the_points_are_now(club, server_process):
    (earned,) = ok(club.get(f"/v1/transactions?userId={GUEST}"))["transactions"]
    ok(merge(club))
    back = ok(club.post(f"/v1/transactions/{earned['transactionId']}/reverse", json={}), 201)
    assert (profile(club)["points"], profile(club)["lifetimePoints"]) == (100, 100)
    again = club.post(f"/v1/transactions/{earned['transactionId']}/reverse", json={})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "reversal_too_large")
    ok(club.post(f"/v1/transactions/{back['transactionId']}/reverse", json={}), 201)
    assert (profile(club)["points"], profile(club)["lifetimePoints"]) == (200, 200)
    server_process.verify()


@pytest.mark.parametrize(("chain", "taken"), [(["u1"], [-60, -5]), (["u1", "u2"], [-60, 0])], ids=["once", "twice"])
def test_what_has_expired_after_a_merge_is_not_taken_a_second_time(shop, server_process, chain, taken):
    ok(shop.put("/v1/metrics/points", json={"expiry": {"type": "rolling", "days": 30}}))
    earned = [
        ok(shop.post("/v1/transactions", json={"userId": GUEST, "amount": amount}), 201)["transactionId"]
        for amount in (60, 40)
    ]
    for former, user in zip([GUEST, *chain], chain, strict=False):
        ok(shop.post("/v1/transactions", json={"userId": user, "amount": 5}), 201)
        ok(merge(shop, user, former))
    ok(shop.post("/v1/transactions", json={"userId": chain[-1], "amount": -70}), 201)
    ok(shop.post("/v1/clock/advance", json={"seconds": 32 * 86_400}))
    ok(shop.post("/v1/transactions", json={"userId": chain[-1], "amount": 200}), 201)
    back = [ok(shop.post(f"/v1/transactions/{value}/reverse", json={}), 201)["amount"] for value in earned]
    assert back == taken  # of the second, what is left of the 70 beside the first and the 5 of each was spent
    server_process.verify()


def test_boards_show_the_member_once(club, server_process):
    cup = {"competitionId": f"cup-{uuid4()}", "name": "Cup", "score": {"metric": "points"}}
    ok(club.post("/v1/competitions", json=cup), 201)
    for user in (GUEST, "u1"):
        ok(buy(club, userId=user))
    path = f"/v1/competitions/{cup['competitionId']}/leaderboard"
    assert len(ok(club.get(path))["leaderboard"]) == 2
    ok(merge(club))
    eventually(
        lambda: [(standing["userId"], standing["score"]) for standing in ok(club.get(path))["leaderboard"]],
        [("u1", 200)],
    )
    server_process.verify()


def test_the_whole_person_is_exported_and_erased(club, server_process):
    ok(merge(club))
    (merged,) = ok(club.get("/v1/profiles/u1/export"))["merged"]
    assert (merged["userId"], [transaction["amount"] for transaction in merged["transactions"]]) == (GUEST, [100, -100])
    ok(club.delete("/v1/profiles/u1"))
    for user in ("u1", GUEST):
        assert club.get(f"/v1/profiles/{user}").status_code == 404
    assert GUEST not in club.get("/v1/transactions").text
    server_process.verify()


def test_what_is_given_back_in_parts_after_a_merge_goes_to_each_lot_once(shop, server_process):
    for amount, month in ((60, "01"), (40, "06")):
        body = {"userId": "g", "amount": amount, "expiresAt": f"2099-{month}-01T00:00:00Z"}
        ok(shop.post("/v1/transactions", json=body), 201)
    spent = ok(shop.post("/v1/transactions", json={"userId": "g", "amount": -100}), 201)["transactionId"]
    ok(shop.post("/v1/profiles", json={"userId": "u"}), 201)
    ok(merge(shop, "u", "g"))
    given = [ok(shop.post(f"/v1/transactions/{spent}/reverse", json={"amount": 50}), 201)["lots"] for _ in range(2)]
    assert [[(lot["amount"], lot["expiresAt"][5:7]) for lot in value] for value in given] == [
        [(40, "06"), (10, "01")], [(50, "01")],
    ]  # fmt: skip
    server_process.verify()
