"""Scores follow what they count: a reversal counts where its credit did."""

from tests.support.http import ok


def score(shop):
    (place,) = ok(shop.get("/v1/competitions/cup/leaderboard"))["leaderboard"]
    return place["score"]


def credit(shop, amount):
    return ok(shop.post("/v1/transactions", json={"userId": "ann", "amount": amount}), 201)["transactionId"]


def reverse(shop, transaction_id):
    return ok(shop.post(f"/v1/transactions/{transaction_id}/reverse", json={}), 201)["transactionId"]


def test_a_competition_counts_the_reversals_of_what_it_has_counted(shop, server_process):
    before = credit(shop, 100)
    cup = {"competitionId": "cup", "name": "Cup", "score": {"metric": "points"}}
    ok(shop.post("/v1/competitions", json=cup), 201)
    counted = credit(shop, 30)
    reverse(shop, before)
    assert score(shop) == 30
    back = reverse(shop, counted)
    assert score(shop) == 0
    reverse(shop, back)
    assert score(shop) == 30
    server_process.verify()


def test_points_given_back_count_where_they_would_have_been_released(shop, server_process):
    ok(shop.put("/v1/metrics/points", json={"pendingDays": 14}))
    back = reverse(shop, credit(shop, 100))
    cup = {"competitionId": "cup", "name": "Cup", "score": {"metric": "points"}}
    ok(shop.post("/v1/competitions", json=cup), 201)
    ok(shop.post("/v1/clock/advance", json={"seconds": 15 * 86_400}))
    ok(shop.post("/v1/competitions", json=cup | {"competitionId": "late"}), 201)
    reverse(shop, back)
    assert score(shop) == 100
    assert ok(shop.get("/v1/competitions/late/leaderboard"))["leaderboard"] == []
    server_process.verify()
