"""Ladders: given these rungs and this window, when points are earned at these times, then the member is there."""

import pytest

from plaudit.core.event import LADDER
from tests.core.test_metrics import reverse
from tests.factories import campaign, document, program
from tests.life import Life

RUNGS = [
    {"rungId": "bronze", "name": "Bronze", "threshold": 0},
    {"rungId": "silver", "name": "Silver", "threshold": 100, "effects": [{"type": "add_metric", "metric": "xp", "amount": 1}]},
    {"rungId": "gold", "name": "Gold", "threshold": 500, "effects": [{"type": "add_metric", "metric": "xp", "amount": 10}], "effectsOnce": False},
]  # fmt: skip


def life(zone="UTC", points=None, **ladder) -> Life:
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])
    told = campaign("camp_2", trigger="user.tier_changed", effects=[{"type": "notify", "message": "{{ direction }}"}])
    made = document("ladder", "club", rungs=RUNGS, **ladder)
    return Life(
        program(pay, told, made, document("settings", "settings", timeZone=zone), points=points or {}), zone=zone
    )


def rung(ann: Life) -> str | None:
    number = ann.member.ladders["club"].effective
    return None if number < 0 else RUNGS[number]["rungId"]


YEAR = {"window": {"type": "calendar_year"}}
ROLLING = {"window": {"type": "rolling", "days": 365}}
MEMBERSHIP = {"window": {"type": "membership_year"}}

LIVES = [
    ("up at once", {}, [("2026-01-01", 99), ("2026-01-02", 1)], "2026-01-02", "silver"),
    ("two rungs at once", {}, [("2026-01-01", 500)], "2026-01-01", "gold"),
    ("all time never falls", {}, [("2026-01-01", 500)], "2036-01-01", "gold"),
    ("kept to the end of the next year", YEAR, [("2026-05-01", 500)], "2027-12-31 23:59", "gold"),
    ("down at the end of a year with too little", YEAR, [("2026-05-01", 500), ("2027-05-01", 100)], "2028-01-01 00:00", "silver"),
    ("all the way down", YEAR, [("2026-05-01", 500)], "2028-01-01 00:00", "bronze"),
    ("a soft landing is one rung", YEAR | {"softLanding": True}, [("2026-05-01", 500)], "2028-01-01 00:00", "silver"),
    ("a rung a year", YEAR | {"softLanding": True}, [("2026-05-01", 500)], "2029-01-01 00:00", "bronze"),
    ("requalified", YEAR, [("2026-05-01", 500), ("2027-12-31", 500)], "2028-12-31", "gold"),
    ("in the grace one is still there", YEAR | {"graceDays": 30}, [("2026-05-01", 500)], "2028-01-30 23:59", "gold"),
    ("the grace is over", YEAR | {"graceDays": 30}, [("2026-05-01", 500)], "2028-01-31 00:00", "bronze"),
    ("made up for in the grace", YEAR | {"graceDays": 30}, [("2026-05-01", 500), ("2027-06-01", 400), ("2028-01-15", 100)], "2028-12-31", "gold"),
    ("a late credit lifts by the year it belongs to", YEAR, [("2027-01-05", 1), ("2026-12-31", 500)], "2027-01-05", "gold"),
    ("rolling: kept for as long again", ROLLING, [("2026-03-01", 500)], "2027-02-28 23:59", "gold"),
    ("rolling: then it is looked at", ROLLING, [("2026-03-01", 500)], "2027-03-01 00:00", "bronze"),
    ("rolling: what was earned since counts", ROLLING, [("2026-03-01", 500), ("2026-12-01", 100)], "2027-03-01 00:00", "silver"),
    ("year of membership, joined on 29 February", MEMBERSHIP, [("2028-02-29", 500)], "2030-02-27 23:59", "gold"),
    ("it ends on the 28th where there is no 29th", MEMBERSHIP, [("2028-02-29", 500)], "2030-02-28 00:00", "bronze"),
]  # fmt: skip


@pytest.mark.parametrize(("ladder", "earned", "then", "wanted"), [c[1:] for c in LIVES], ids=[c[0] for c in LIVES])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
def test_lives(zone, ladder, earned, then, wanted):
    ann = life(zone, **ladder)
    for at, amount in earned:
        ann.do(at, "earn", amount=amount)
    assert rung(ann.until(then)) == wanted


def test_what_is_pending_at_the_end_of_a_window_counts_in_the_next():
    ann = life(points={"pendingDays": 14}, **YEAR)
    ann.do("2026-12-25", "earn", amount=500)
    ann.until("2027-01-01")
    assert rung(ann) == "bronze" if "club" in ann.member.ladders else True
    ann.until("2027-01-08")
    assert rung(ann) == "gold"
    assert rung(ann.until("2028-12-31")) == "gold"
    assert rung(ann.until("2029-01-01")) == "bronze"


def test_effects_once_or_each_time_and_what_is_told():
    ann = life(**YEAR)
    ann.do("2026-05-01", "earn", amount=500)
    ann.do("2029-05-01", "earn", amount=500)
    assert ann.balance("xp") == 21
    assert [n.message for d in ann.decisions for n in d.notifications] == ["up", "down", "up"]


def test_spending_does_not_count_and_a_return_does():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-02", "debit", "transaction", metric="points", amount=-50)
    assert rung(ann) == "silver"
    reverse(ann, "2026-01-03", ann.postings[0], 50)
    ann.do("2026-01-04", "earn", amount=449)
    assert rung(ann) == "silver"
    ann.do("2026-01-05", "earn", amount=1)
    assert rung(ann) == "gold"


def test_a_rung_by_hand_holds_until_its_end():
    ann = life()
    ann.do("2026-01-01", "earn", amount=1)
    ann.do("2026-01-02", "ladder", LADDER, ladderId="club", rung="gold", until="2026-02-01T00:00:00Z")
    assert (rung(ann), ann.balance("xp")) == ("gold", 11)
    assert rung(ann.until("2026-01-31 23:59")) == "gold"
    assert rung(ann.until("2026-02-01 00:00")) == "bronze"
