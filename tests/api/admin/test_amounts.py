"""Wherever a number stands for an amount of a metric, it is one that the metric can hold; else the field is named."""

from typing import cast

import msgspec
import pytest
from msgspec.inspect import StructType

from plaudit.documents.effect import EffectSpec
from plaudit.documents.kinds import KINDS

WHOLE, CENTS = "points", "a_cents"
PAY = {"type": "add_metric", "config": {"metric": CENTS, "amount": 1.005}}
FINE = {"type": "add_metric", "config": {"metric": CENTS, "amount": 1.05}}
HALF = {"type": "add_points", "config": {"amount": 2.5}}
ON = [{"type": "visit"}]
RUNGS = [{"rungId": "a", "name": "A", "threshold": 0}]
SCORE = {"name": "C", "score": {"metric": "xp"}, "endDate": "2099-01-01T00:00:00Z"}

WRONG = [
    ("/v1/campaigns", {"name": "C", "triggers": ON, "effects": [FINE, PAY]}, "effects[1].config.amount", 2),
    ("/v1/campaigns", {"name": "C", "triggers": ON, "effects": [HALF]}, "effects[0].config.amount", 0),
    ("/v1/campaigns", {"name": "C", "steps": [{"name": "s", "triggers": ON, "effects": [PAY]}]}, "steps[0].effects[0].config.amount", 2),
    ("/v1/campaigns/a_shell/rules", {"triggerType": "visit", "effects": [PAY]}, "effects[0].config.amount", 2),
    ("/v1/rewards", {"name": "R", "rewardType": "points", "config": {"amount": 2.5}}, "config.amount", 0),
    ("/v1/ladders", {"name": "L", "rungs": [*RUNGS, {"rungId": "b", "name": "B", "threshold": 99.5}]}, "rungs[1].threshold", 0),
    ("/v1/ladders", {"name": "L", "rungs": [RUNGS[0] | {"effects": [PAY]}]}, "rungs[0].effects[0].config.amount", 2),
    ("/v1/streaks", {"name": "S", "freezes": {"maximum": 1, "price": {"amount": 0.5}}}, "freezes.price.amount", 0),
    ("/v1/streaks", {"name": "S", "repair": {"days": 1, "price": {"metric": CENTS, "amount": 0.001}}}, "repair.price.amount", 2),
    ("/v1/streaks", {"name": "S", "milestones": [{"length": 7, "effects": [PAY]}]}, "milestones[0].effects[0].config.amount", 2),
    ("/v1/competitions", SCORE | {"prizes": [{"fromRank": 1, "toRank": 1, "effects": [PAY]}]}, "prizes[0].effects[0].config.amount", 2),
    ("/v1/metrics", {"name": "M", "decimals": 1, "maximum": 9.99}, "maximum", 1),
    ("/v1/metrics", {"name": "M", "decimals": 1, "earningCaps": [{"period": "day", "amount": 0.25}]}, "earningCaps[0].amount", 1),
    ("/v1/transactions", {"userId": "ann", "amount": 2.5}, "amount", 0),
    ("/v1/transactions", {"userId": "ann", "metric": CENTS, "amount": -1.005}, "amount", 2),
    ("/v1/transfers", {"userId": "ann", "toUserId": "bob", "amount": 2.5}, "amount", 0),
    ("/v1/profiles/ann/holds", {"holdId": "h", "amount": 2.5}, "amount", 0),
]  # fmt: skip


@pytest.fixture
def metrics(http):
    http.put(f"/v1/metrics/{CENTS}", json={"name": "Cents", "decimals": 2})
    http.post("/v1/metrics", json={"metricId": CENTS, "name": "Cents", "decimals": 2})
    http.post("/v1/campaigns", json={"campaignId": "a_shell", "name": "C", "status": "draft", "simplifiedMode": False})
    return http


@pytest.mark.parametrize(("path", "body", "field", "places"), WRONG, ids=[f"{case[0]} {case[2]}" for case in WRONG])
def test_an_amount_with_too_many_decimal_places_is_refused(metrics, path, body, field, places):
    response = metrics.post(path, json=body)
    assert response.status_code == 400, response.text
    found = {error["field"]: error["message"] for error in response.json()["error"]["details"]}
    assert list(found) == [field]
    assert found[field].startswith(f"must have at most {places} decimal places (got ")


BEYOND = [
    ("/v1/campaigns", {"name": "C", "triggers": ON, "effects": [{"type": "add_metric", "metric": CENTS, "amount": 10**14}]}, "effects[0].config.amount"),
    ("/v1/metrics", {"name": "M", "decimals": 6, "default": 10**10, "maximum": None}, "default"),
    ("/v1/transactions", {"userId": "ann", "metric": CENTS, "amount": 10**14}, "amount"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), BEYOND, ids=[case[0] for case in BEYOND])
def test_an_amount_that_no_balance_can_come_to_is_refused(metrics, path, body, field):
    response = metrics.post(path, json=body)
    assert response.status_code == 400, response.text
    (found,) = response.json()["error"]["details"]
    assert (found["field"], found["message"][:17]) == (field, "must be between -")


def test_what_fits_is_taken(metrics):
    body = {"name": "C", "triggers": ON, "effects": [FINE, {"type": "add_points", "config": {"amount": 2.0}}]}
    assert metrics.post("/v1/campaigns", json=body | {"status": "draft"}).status_code == 201
    credit = {"userId": "amounts-ann", "metric": CENTS, "amount": 1.05}
    assert metrics.post("/v1/transactions", json=credit).json()["data"]["amount"] == 1.05


def test_a_change_is_refused_too_and_so_is_a_simulated_one(metrics):
    made = metrics.post(
        "/v1/campaigns", json={"name": "C", "triggers": ON, "effects": [FINE], "status": "draft"}
    ).json()
    path = f"/v1/campaigns/{made['data']['campaignId']}"
    for response in (
        metrics.put(path, json={"effects": [PAY]}),
        metrics.post(f"{path}/simulate", json={"changes": {"effects": [PAY]}}),
    ):
        assert response.status_code == 400, response.text
        assert [error["field"] for error in response.json()["error"]["details"]] == ["effects[0].config.amount"]


def test_decimals_do_not_change_under_what_is_counted_in_them(metrics):
    response = metrics.put(f"/v1/metrics/{CENTS}", json={"decimals": 0})
    assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (400, "decimals")


def test_every_kind_of_document_with_effects_tells_their_amounts():
    without = KINDS["trigger"].amounts
    having = [kind.name for kind in KINDS.values() if _has_effects(msgspec.inspect.type_info(kind.type))]
    assert {"campaign", "rule", "streak", "ladder", "competition"} <= set(having)
    assert [name for name in having if KINDS[name].amounts is without] == []


def _has_effects(of: object) -> bool:
    if isinstance(of, StructType):
        return of.cls is EffectSpec or any(_has_effects(field.type) for field in of.fields)
    inner = [getattr(of, name, None) for name in ("type", "item_type", "value_type")]
    return any(
        _has_effects(value) for value in (*inner, *cast("tuple[object, ...]", getattr(of, "types", ()))) if value
    )
