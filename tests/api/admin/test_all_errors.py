"""Everything that is wrong with a document is said at once, also of the items of its lists."""

import pytest

from tests.support.http import wrong

POINTS = {"type": "add_points", "config": {"amount": 1}}


def test_all_wrong_items_of_a_list_are_named(http):
    rung = {"rungId": "a", "name": "A", "threshold": 0}
    rungs = [rung, {**rung, "threshold": "x"}, {"name": 5}, {**rung, "perks": [1, "ok", 2], "colour": "red"}]
    assert wrong(http.post("/v1/ladders", json={"name": "L", "rungs": rungs, "graceDays": -1})) == {
        "rungs[1].threshold": "must be a number (got a string)",
        "rungs[2].rungId": "is missing",
        "rungs[2].name": "must be a string (got an integer)",
        "rungs[2].threshold": "is missing",
        "rungs[3].perks[0]": "must be a string (got an integer)",
        "rungs[3].perks[2]": "must be a string (got an integer)",
        "rungs[3].colour": "is not a known field",
        "graceDays": "must be at least 0 (got -1)",
    }


@pytest.mark.parametrize("text", ["yesterday", "02.01.2026", "1767322800", "2026-13-02T00:00:00Z"])
def test_a_time_that_is_none_is_shown_one(http, text):
    body = {"userId": "ann", "action": "visit", "timestamp": text}
    wanted = f"must be an ISO 8601 time, such as 2026-01-31T12:00:00Z (got '{text}')"
    assert wrong(http.post("/api/audience/internal/actions", json=body)) == {"timestamp": wanted}


def test_items_that_are_right_in_themselves_are_looked_at_beside_those_that_are_not(http):
    effects = [
        {"type": "add_points", "config": {"amount": 1}, "segments": {"include": [1]}},
        {"type": "add_points", "config": {"amount": 0}},
        {"type": "award_product", "config": {"productId": "nothing"}},
        {"type": "fly"},
    ]
    triggers = [{"conditions": []}, {"type": "visit", "conditions": [{"field": "metrics.gem", "operator": "exists"}]}]
    found = wrong(http.post("/v1/campaigns", json={"name": "C", "triggers": triggers, "effects": effects}))
    assert [*found] == [
        "triggers[0].type", "effects[0].segments.include[0]", "effects[1].config.amount", "effects[3].type",
        "effects[2].config.productId", "triggers[1].conditions[0].field",
    ]  # fmt: skip


def test_all_wrong_conditions_of_a_tree_are_named(http):
    conditions = {"or": [{"field": "a", "operator": "is"}, {"not": {"operator": "exists"}}, {"expression": "1 +"}]}
    document = {"name": "C", "triggers": [{"type": "visit", "conditions": conditions}], "effects": [POINTS]}
    place = "triggers[0].conditions.or"
    assert [*wrong(http.post("/v1/campaigns", json=document))] == [
        f"{place}[0].operator", f"{place}[1].not.field", f"{place}[2].expression",
    ]  # fmt: skip


def test_fifty_errors_are_named_at_most(http):
    assert len(wrong(http.post("/v1/campaigns", json={"name": "C", "effects": [{}] * 500}))) == 50
