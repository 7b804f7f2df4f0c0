"""Ladders: given these rungs and this window, when points are earned at these times, then the member is there."""

from typing import Any

import msgspec
import pytest

from plaudit.core.event import IMPORT
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.ladders.compiled import ladders_in
from plaudit.mechanics.ladders.placing import placed
from plaudit.mechanics.ladders.state import ladders_of
from tests.core.test_metrics import reverse
from tests.support.existing import existing
from tests.support.factories import campaign, document, program
from tests.support.life import Life

RUNGS = [
    {"rungId": "bronze", "name": "Bronze", "threshold": 0},
    {"rungId": "silver", "name": "Silver", "threshold": 100, "effects": [{"type": "add_metric", "metric": "xp", "amount": 1}]},
    {"rungId": "gold", "name": "Gold", "threshold": 500, "effects": [{"type": "add_metric", "metric": "xp", "amount": 10}], "effectsOnce": False},
]  # fmt: skip


def life(zone="UTC", points=None, **ladder) -> Life:
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])
    told = campaign("camp_2", trigger="user.tier_changed", effects=[{"type": "notify", "message": "{{ direction }}"}])
    made = document("ladder", "club", **{"rungs": RUNGS, **ladder})
    return Life(
        program(pay, told, made, document("settings", "settings", timeZone=zone), points=points or {}), zone=zone
    )


def rung(ann: Life) -> str | None:
    number = ladders_of(ann.member)["club"].effective
    return None if number < 0 else RUNGS[number]["rungId"]


YEAR: dict[str, Any] = {"window": {"type": "calendar_year"}}
ROLLING = {"window": {"type": "rolling", "days": 365}}
MONTH = {"window": {"type": "rolling", "days": 30}, "graceDays": 30}
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
    ("a grace as long as the window: what was earned in it counts", MONTH, [("2026-03-01", 100), ("2026-03-31", 100)], "2026-04-30", "silver"),
    ("with what was earned in the window", MONTH, [("2026-03-01", 100), ("2026-03-02", 50), ("2026-03-31", 50)], "2026-04-30", "silver"),
    ("not with what reached the rung", MONTH, [("2026-03-01", 100), ("2026-03-31", 99)], "2026-04-30", "bronze"),
    ("a grace longer than the window counts from its beginning", MONTH | {"graceDays": 60}, [("2026-03-01", 100), ("2026-04-01", 100)], "2026-05-30", "silver"),
    ("a grace of a year counts to its end", YEAR | {"graceDays": 365}, [("2026-05-01", 500), ("2028-02-01", 250), ("2028-11-01", 250)], "2029-06-01", "gold"),
    ("the grace ends at midnight, though the clocks went back in it", MONTH, [("2026-03-01", 100)], "2026-04-29 23:59", "silver"),
    ("… no sooner and no later", MONTH, [("2026-03-01", 100)], "2026-04-30 00:00", "bronze"),
    ("… though they went forward in it", MONTH, [("2026-08-16", 100)], "2026-10-15 00:00", "bronze"),
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


@pytest.mark.parametrize(("ladder", "earned", "then", "wanted"), [c[1:] for c in LIVES], ids=[c[0] for c in LIVES])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
def test_a_ladder_that_is_filled_stands_as_if_it_had_always_been_there(zone, ladder, earned, then, wanted):
    ann = life(zone, **ladder)
    history = sorted((ann.at(at), amount) for at, amount in earned)
    for at, amount in sorted(earned):
        ann.do(at, "earn", amount=amount)
    ann.until(then)
    state = existing(placed(ann.program, ann.member, ladders_in(ann.program)["club"], history, ann.at(then)))
    assert RUNGS[state.rung]["rungId"] == wanted
    assert state == ladders_of(ann.member)["club"]


PLACED = [
    ("nobody has been on it", None, 500, "gold", "2026-01-01"),
    ("nothing was earned", None, 0, None, None),
    ("a lower rung was reached", 100, 500, "gold", "2026-01-01"),
    ("a higher rung was reached, and stays", 500, 100, "gold", "2026-06-01"),
    ("the rung is the same, since when it was", 100, 100, "silver", "2026-06-01"),
]


@pytest.mark.parametrize(("before", "earned", "wanted", "since"), [c[1:] for c in PLACED], ids=[c[0] for c in PLACED])
def test_placing_is_quiet_and_nobody_goes_down_by_it(before, earned, wanted, since):
    ann = life()
    if before is not None:
        ann.do("2026-06-01", "earn", amount=before)
    had, told = ann.balance("xp"), sum(len(decision.notifications) for decision in ann.decisions)
    ladder = ladders_in(ann.program)["club"]
    history = [(ann.at("2026-01-01"), earned)] if earned else []
    state = placed(ann.program, ann.member, ladder, history, ann.at("2026-07-01"))
    order = {"ladderId": "club", "fill": True, "state": msgspec.to_builtins(state), "sequence": ann.member.sequence}
    done = ann.do("2026-07-01", LADDER, LADDER, **order)
    assert (done.refusal, done.follow_ups, done.transactions, done.moves) == (None, [], [], [])
    assert (ann.balance("xp"), sum(len(decision.notifications) for decision in ann.decisions)) == (had, told)
    if wanted is None:
        assert "club" not in ladders_of(ann.member)
        return
    assert (rung(ann), ladders_of(ann.member)["club"].since) == (wanted, ann.at(since))
    assert ladders_of(ann.member)["club"].earned == {"": earned}


def rungs(**thresholds):
    return [{"rungId": rung, "name": rung, "threshold": threshold} for rung, threshold in thresholds.items()]


# What a ladder's rungs become, and where those are then who were on gold, on silver by hand, and on bronze.
CHANGED = [
    ("one is put in between", rungs(bronze=0, silver=100, amber=300, gold=500), ["gold", "silver", "bronze"]),
    ("one is put in below all", rungs(tin=0, bronze=10, silver=100, gold=500), ["gold", "silver", "bronze"]),
    ("one is put in above all", rungs(bronze=0, silver=100, gold=500, opal=900), ["gold", "silver", "bronze"]),
    ("one is taken out", rungs(bronze=0, gold=500), ["gold", "bronze", "bronze"]),
    ("the highest is taken out", rungs(bronze=0, silver=100), ["silver", "silver", "bronze"]),
    ("the lowest is taken out", rungs(silver=100, gold=500), ["gold", "silver", None]),
    ("the lowest is another", rungs(tin=0, silver=100, gold=500), ["gold", "silver", "tin"]),
    ("their order changes", rungs(gold=0, silver=100, bronze=500), ["gold", "silver", "bronze"]),
    ("they need more", rungs(bronze=0, silver=1000, gold=5000), ["gold", "silver", "bronze"]),
    ("all are others", rungs(one=0, two=100, three=500), ["one", "one", "one"]),
]


@pytest.mark.parametrize(("after", "wanted"), [c[1:] for c in CHANGED], ids=[c[0] for c in CHANGED])
def test_members_stay_on_their_rungs_when_others_are_put_in_or_taken_out(after, wanted):
    lives = [life(), life(), life()]
    lives[0].do("2026-01-01", "earn", amount=500)
    lives[1].do("2026-01-01", LADDER, LADDER, ladderId="club", rung="silver")
    lives[2].do("2026-01-01", "earn", amount=1)
    for ann in lives:
        ann.program = program(document("ladder", "club", rungs=after))
        assert ann.do("2026-01-02", "look").moves == []
    numbers = [ladders_of(ann.member)["club"].effective for ann in lives]
    assert [after[number]["rungId"] if number >= 0 else None for number in numbers] == wanted


def test_a_rung_that_was_put_in_brings_what_it_brings_once_and_the_others_nothing_again():
    ann = life(**YEAR)
    ann.do("2026-01-01", "earn", amount=100)  # silver, and its 1 xp
    amber = {"rungId": "amber", "name": "Amber", "threshold": 50, "effects": [{"type": "add_metric", "metric": "xp", "amount": 5}]}  # fmt: skip
    before, ann.program = ann.program, life(**YEAR, rungs=[RUNGS[0], amber, *RUNGS[1:]]).program
    assert ladders_in(ann.program)["club"].rungs[1].rung_id == "amber"
    for year in ("2028-06-01", "2030-06-01"):
        ann.do(year, "earn", amount=100)
    assert ladders_of(ann.member)["club"].rung_ids == ("bronze", "amber", "silver")
    assert ann.balance("xp") == 1 + 5
    ann.program = before
    ann.do("2030-06-02", "earn", amount=1)
    assert rung(ann) == "silver"


def test_what_a_rung_brings_for_the_first_time_is_not_paid_after_placing():
    ann = life(**YEAR)
    ladder = ladders_in(ann.program)["club"]
    state = placed(ann.program, ann.member, ladder, [(ann.at("2026-01-01"), 100)], ann.at("2026-06-01"))
    order = {"ladderId": "club", "fill": True, "state": msgspec.to_builtins(state), "sequence": 0}
    ann.do("2026-06-01", LADDER, LADDER, **order)
    ann.until("2028-01-01")
    assert rung(ann) == "bronze"
    ann.do("2028-06-01", "earn", amount=500)
    assert (rung(ann), ann.balance("xp")) == ("gold", 10)  # gold's, which is for each time


def test_a_look_at_a_member_who_has_gone_on_meanwhile_is_made_again():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    order = {"ladderId": "club", "fill": True, "state": None, "sequence": ann.member.sequence - 1}
    done = ann.do("2026-01-02", LADDER, LADDER, **order)
    assert rung(ann) == "silver"
    assert [(follow_up.user_id, follow_up.kind, follow_up.data) for follow_up in done.follow_ups] == [
        ("ann", LADDER, {"ladderId": "club", "fill": True})
    ]


def test_what_is_pending_at_the_end_of_a_window_counts_in_the_next():
    ann = life(points={"pendingDays": 14}, **YEAR)
    ann.do("2026-12-25", "earn", amount=500)
    ann.until("2027-01-01")
    assert rung(ann) == "bronze" if "club" in ladders_of(ann.member) else True
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
    reverse(ann, "2026-01-03", ann.transactions[0], 50)
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


# When these amounts are earned, and then the first is taken back (so much of it) at a time, the rung is this.
REVERSED = [
    ("what the rung rested on", {}, [("2026-01-01", 500)], "2026-01-02", 500, "bronze"),
    ("a part of it", {}, [("2026-01-01", 500)], "2026-01-02", 100, "silver"),
    ("what the rung does not need", {}, [("2026-01-01", 500), ("2026-01-02", 500)], "2026-01-03", 500, "gold"),
    ("within the year that keeps the rung", YEAR, [("2026-05-01", 500)], "2027-06-01", 500, "bronze"),
    ("of last year, but this year is enough", YEAR, [("2026-05-01", 500), ("2027-05-01", 500)], "2027-06-01", 500, "gold"),
    ("of last year, and this year is enough for less", YEAR, [("2026-05-01", 500), ("2027-05-01", 100)], "2027-06-01", 500, "silver"),
    ("of a year that no longer matters", YEAR, [("2025-05-01", 500), ("2026-05-01", 500), ("2027-05-01", 500)], "2027-06-01", 500, "gold"),
    ("in the grace, of the year that the rung was kept for", YEAR | {"graceDays": 60}, [("2026-05-01", 500), ("2027-05-01", 100)], "2028-01-15", 500, "silver"),
    ("after a soft landing, which rests on nothing", YEAR | {"softLanding": True}, [("2026-05-01", 500)], "2028-01-15", 500, "silver"),
    ("rolling: long after it was earned", ROLLING, [("2026-03-01", 500)], "2027-02-27", 500, "bronze"),
    ("rolling: what was earned since then reaches as far", ROLLING, [("2026-03-01", 500), ("2026-09-01", 500)], "2027-02-27", 500, "gold"),
    ("rolling: what kept the rung once", MONTH, [("2026-03-15", 100), ("2026-03-01", 100), ("2026-03-20", 100)], "2026-04-25", 100, "silver"),
    ("rolling, earning every day", MONTH, [("2026-03-01", 100), *((f"2026-03-{day:02}", 1) for day in range(2, 31))], "2026-03-30", 100, "bronze"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ladder", "earned", "then", "take", "wanted"), [c[1:] for c in REVERSED], ids=[c[0] for c in REVERSED]
)
def test_a_rung_does_not_outlast_the_points_that_it_rests_on(ladder, earned, then, take, wanted):
    ann = life(points={"minimum": None}, **ladder)
    for at, amount in earned:
        ann.do(at, "earn", amount=amount)
    first = ann.transactions[0]
    reverse(ann, then, first, take, earned=True, countedAt=first.occurred_at.isoformat())
    assert rung(ann) == wanted


def test_stepping_down_is_told_and_what_getting_there_brought_stays():
    ann = life()
    ann.do("2026-01-01", "earn", amount=500)
    reverse(ann, "2026-01-02", ann.transactions[0], 500)
    assert (rung(ann), ann.balance("xp")) == ("bronze", 11)
    assert [move.after for move in ann.decisions[-1].moves] == ["bronze"]
    assert [n.message for d in ann.decisions for n in d.notifications] == ["up", "down"]
    ann.do("2026-01-03", "earn", amount=500)
    assert (rung(ann), ann.balance("xp")) == ("gold", 21)  # silver's is for the first time only


def test_reversing_the_reversal_leads_up_again():
    ann = life()
    ann.do("2026-01-01", "earn", amount=500)
    reverse(ann, "2026-01-02", ann.transactions[0], 500)
    reverse(ann, "2026-01-03", ann.transactions[-1], 500, earned=True)
    assert rung(ann) == "gold"


@pytest.mark.parametrize(("then", "wanted"), [("2026-12-31", "gold"), ("2027-12-31", "gold"), ("2028-01-01", "bronze")])
def test_reversing_a_reversal_leads_up_by_this_year_or_the_one_before(then, wanted):
    ann = life(**YEAR)
    ann.do("2026-01-01", "earn", amount=500)
    reverse(ann, "2026-01-02", ann.transactions[0], 500, earned=True, countedAt="2026-01-01T00:00:00Z")
    reverse(ann, then, ann.transactions[-1], 500, earned=True, countedAt="2026-01-01T00:00:00Z")
    assert rung(ann) == wanted


def test_a_rung_by_hand_outlasts_a_reversal_and_not_longer_than_it_was_given_for():
    ann = life()
    ann.do("2026-01-01", "earn", amount=500)
    ann.do("2026-01-02", "ladder", LADDER, ladderId="club", rung="silver", until="2026-02-01T00:00:00Z")
    first = next(transaction for transaction in ann.transactions if transaction.metric == "points")
    reverse(ann, "2026-01-03", first, 500)
    assert (rung(ann), ann.decisions[-1].moves) == ("silver", [])
    assert rung(ann.until("2026-02-01 00:00")) == "bronze"


def test_a_rung_that_a_member_came_with_rests_on_no_points_of_here():
    ann = life()
    ann.do("2026-01-01", "import", IMPORT, rungs={"club": {"rung": "gold"}})
    ann.do("2026-01-02", "earn", amount=500)
    reverse(
        ann, "2026-01-03", next(transaction for transaction in ann.transactions if transaction.metric == "points"), 500
    )
    assert rung(ann) == "gold"


def test_who_stays_on_a_rung_has_been_there_since_they_reached_it():
    ann = life(**YEAR)
    ann.do("2026-01-01", "earn", amount=150)
    reverse(ann, "2026-01-05", ann.transactions[0], 40, earned=True, countedAt=ann.at("2026-01-01").isoformat())
    state = ladders_of(ann.member)["club"]
    assert (rung(ann), state.since) == ("silver", ann.at("2026-01-01"))


def test_what_a_rung_pays_has_the_ladder_as_its_cause():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    assert [(transaction.metric, transaction.cause.text) for transaction in ann.transactions] == [
        ("points", "camp_1"),
        ("xp", "ladder.club"),
    ]
