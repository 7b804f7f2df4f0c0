"""Points that live: lots, expiry, pending, caps, multipliers, reversals. Given this metric, when …, then …."""

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec import structs

from plaudit.core.decision import Refusal
from plaudit.core.event import EXTENSION, HOLD, RECEIPT, REVERSAL, TRANSACTION, TRANSFER
from plaudit.core.ledger.lots import Book, Lot
from plaudit.core.ledger.post import available
from plaudit.core.member import Balance
from plaudit.mechanics.competitions.state import standings_of
from plaudit.mechanics.ladders.state import ladders_of
from tests.support.existing import existing
from tests.support.factories import campaign, document, program
from tests.support.life import Life

EARN = campaign(trigger="earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])
SPEND = campaign("camp_2", trigger="spend", effects=[{"type": "add_points", "config": {"amount": "-amount"}}])


def life(zone: str = "UTC", amount="amount", **points) -> Life:
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "config": {"amount": amount}}])
    told = campaign("camp_3", trigger="metric.expiring", effects=[{"type": "notify", "message": "{{ amount }} expire"}])
    settings = document("settings", "settings", timeZone=zone)
    return Life(program(pay, SPEND, told, settings, points=points), zone=zone)


ROLLING: dict[str, Any] = {"expiry": {"type": "rolling", "days": 30}}

EXPIRIES = [
    ("rolling: the last day still counts", ROLLING, "2026-01-01", "2026-01-31 23:59", 100),
    ("rolling: the next does not", ROLLING, "2026-01-01", "2026-02-01 00:00", 0),
    ("end of month", {"expiry": {"type": "end_of_month"}}, "2026-02-10", "2026-03-01 00:00", 0),
    ("end of month, a moment before", {"expiry": {"type": "end_of_month"}}, "2026-02-10", "2026-02-28 23:59", 100),
    ("end of a leap February", {"expiry": {"type": "end_of_month"}}, "2028-02-10", "2028-02-29 23:59", 100),
    ("end of quarter", {"expiry": {"type": "end_of_quarter"}}, "2026-05-05", "2026-07-01 00:00", 0),
    ("end of year", {"expiry": {"type": "end_of_year"}}, "2026-05-05", "2026-12-31 23:59", 100),
    ("end of year, over", {"expiry": {"type": "end_of_year"}}, "2026-05-05", "2027-01-01 00:00", 0),
    ("never", {"expiry": {"type": "never"}}, "2026-01-01", "2036-01-01 00:00", 100),
]


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize(("metric", "earned", "then", "left"), [c[1:] for c in EXPIRIES], ids=[c[0] for c in EXPIRIES])
def test_points_expire_by_the_local_calendar(zone, metric, earned, then, left):
    ann = life(zone, **metric)
    ann.do(earned, "earn", amount=100)
    assert ann.until(then).balance() == left


def test_the_soonest_to_expire_is_spent_first():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-10", "earn", amount=50)
    ann.do("2026-01-11", "spend", amount=120)
    assert ann.lots() == [30]
    assert [(part.lot, part.amount) for part in existing(ann.transactions[-1].postings)] == [(1, -100), (2, -20)]
    assert ann.until("2026-02-01").balance() == 30
    assert ann.until("2026-02-11").balance() == 0


def test_the_soonest_to_expire_is_spent_before_what_was_earned_earlier_and_what_never_expires_last():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    for until, amount in (("2026-06-01", 50), ("2026-03-01", 30)):
        ann.do("2026-01-02", "credit", TRANSACTION, metric="points", amount=amount, expiresAt=f"{until}T00:00:00Z")
    ann.do("2026-01-03", "spend", amount=90)
    assert [(part.lot, part.amount) for part in existing(ann.transactions[-1].postings)] == [
        (3, -30),
        (2, -50),
        (1, -10),
    ]


def test_an_expiry_in_the_same_second_as_a_spend_comes_first():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    decision = ann.do("2026-02-01 00:00", "spend", amount=100)
    assert decision.trace[0].effects[0].refusal is Refusal.balance_insufficient
    assert [(transaction.amount, transaction.reason) for transaction in ann.transactions] == [
        (100, None),
        (-100, "expired"),
    ]


def test_a_late_credit_that_has_expired_already_expires_at_the_next_look():
    ann = life(**ROLLING)
    ann.do("2026-03-01", "earn", amount=1)
    ann.do("2026-01-01", "earn", amount=100)
    assert ann.balance() == 101
    assert ann.until("2026-03-01").balance() == 1
    assert ann.transactions[-1].occurred_at == ann.at("2026-02-01 00:00")


def test_activity_puts_the_expiry_off():
    ann = life(expiry={"type": "rolling", "days": 30, "extendedByActivity": True})
    for month in ("01", "02", "03"):
        ann.do(f"2026-{month}-15" if month == "01" else f"2026-{month}-10", "earn", amount=10)
    assert (ann.balance(), ann.lots()) == (30, [30])
    assert ann.until("2026-04-09").balance() == 30
    assert ann.until("2026-04-10").balance() == 0


@pytest.mark.parametrize("reason", ["a gift", "expired", "released", "merged"])
def test_what_is_done_by_hand_is_activity_whatever_its_reason(reason):
    ann = life(expiry={"type": "rolling", "days": 30, "extendedByActivity": True})
    ann.do("2026-01-01", "earn", amount=10)
    ann.do("2026-01-20", TRANSACTION, kind=TRANSACTION, metric="points", amount=5, reason=reason)
    assert ann.until("2026-02-18").balance() == 15


# With an expiry after 30 days that activity puts off: what happened before, the day of a late credit of 100, and until
# when it lasts.
LATE = [
    ("put off by what came after it", [("2026-01-20", 5), ("2026-02-10", -5)], "2026-01-01", "2026-03-12"),
    ("put off by a spending that took all that there was", [("2026-01-20", 5), ("2026-01-25", -5)], "2026-01-10", "2026-02-24"),
    ("just within reach", [("2026-01-31", 5)], "2026-01-01", "2026-03-02"),
    ("what came after it came too late", [("2026-02-01", 5)], "2026-01-01", "2026-01-31"),
    ("between two times of activity, nearer to none", [("2026-01-01", 5), ("2026-04-01", 5)], "2026-02-15", "2026-03-17"),
    ("between two times of activity, near the latter", [("2026-01-01", 5), ("2026-04-01", 5)], "2026-03-10", "2026-05-01"),
    ("between two times of activity, near both", [("2026-01-01", 5), ("2026-02-20", 5)], "2026-01-25", "2026-03-22"),
    ("in order", [], "2026-01-01", "2026-01-31"),
]  # fmt: skip


@pytest.mark.parametrize(("history", "day", "last"), [c[1:] for c in LATE], ids=[c[0] for c in LATE])
def test_a_late_credit_lasts_as_long_as_the_activity_after_it_says(history, day, last):
    ann = life(expiry={"type": "rolling", "days": 30, "extendedByActivity": True})
    for at, amount in history:
        ann.do(at, "earn" if amount > 0 else "spend", amount=abs(amount))
    ann.do(day, "earn", amount=100)
    lot = next(lot for lot in ann.book().lots if lot.amount >= 100)
    assert lot.expires_at == ann.at(f"{last} 00:00") + timedelta(days=1)


def test_what_came_from_elsewhere_is_taken_to_have_been_put_off_always():
    ann = life(expiry={"type": "rolling", "days": 30, "extendedByActivity": True})
    before = Balance(10, 10, Book(2, (Lot(1, 10, ann.at("2026-06-20 00:00")),)))  # as an earlier version kept it
    ann.member = structs.replace(ann.member, enrolled_at=ann.at("2026-01-01"), balances={"points": before})
    ann.do("2026-06-01", "earn", amount=1)
    ann.do("2026-02-01", "earn", amount=100)
    assert ann.lots() == [111]


def test_a_reminder_comes_once_some_days_before():
    ann = life(expiry={"type": "rolling", "days": 30, "remindDays": 7})
    ann.do("2026-01-01", "earn", amount=100)
    ann.until("2026-01-24")
    assert [n.message for d in ann.decisions for n in d.notifications] == []
    ann.until("2026-01-31")
    assert [n.message for d in ann.decisions for n in d.notifications] == ["100 expire"]


def test_what_is_pending_cannot_be_spent_until_it_is_released():
    ann = life(pendingDays=14)
    ann.do("2026-01-01", "earn", amount=100)
    assert (ann.balance(), available(ann.member.balances["points"])) == (100, 0)
    assert ann.do("2026-01-02", "spend", amount=1).trace[0].effects[0].refusal is Refusal.balance_insufficient
    ann.until("2026-01-15")
    assert available(ann.member.balances["points"]) == 100
    assert ann.do("2026-01-15", "spend", amount=100).trace[0].effects[0].refusal is None


# Days are those of the organisation's calendar: in London, 29 March 2026 has 23 hours and 25 October 25.
CLOCKS_CHANGE = ["2026-03-29", "2026-10-25"]


@pytest.mark.parametrize("day", CLOCKS_CHANGE)
def test_what_is_pending_is_released_at_the_same_local_time(day):
    ann = life("Europe/London", pendingDays=1)
    ann.do(f"{day[:-2]}{int(day[-2:]) - 1} 09:00", "earn", amount=100)
    ann.until(f"{day} 08:59")
    assert available(ann.member.balances["points"]) == 0
    ann.until(f"{day} 09:00")
    assert available(ann.member.balances["points"]) == 100


@pytest.mark.parametrize("day", CLOCKS_CHANGE)
def test_a_reminder_comes_at_midnight_though_the_clocks_change(day):
    ann = life("Europe/London", expiry={"type": "rolling", "days": 10, "remindDays": 7})
    earned = ann.at(day) - timedelta(days=9)  # expires at the second midnight after the change
    ann.do(f"{earned:%Y-%m-%d}", "earn", amount=100)
    reminded = [notification.created_at for d in ann.until(f"{day}").decisions for notification in d.notifications]
    assert reminded == [ann.at(f"{ann.at(day) - timedelta(days=5):%Y-%m-%d} 00:00")]


def test_a_cap_remembers_the_latest_32_periods():
    ann = life(earningCaps=[{"period": "day", "amount": 5}])
    for day in range(33):
        ann.do((date(2026, 1, 1) + timedelta(days=day)).isoformat(), "earn", amount=5)
    ann.do("2026-01-02", "earn", amount=5)
    assert ann.balance() == 33 * 5
    ann.do("2026-01-01", "earn", amount=5)  # forgotten: it has a cap of its own
    assert ann.balance() == 34 * 5


def test_a_cap_cuts_then_stops_and_says_until_when():
    ann = life("Europe/London", earningCaps=[{"period": "day", "amount": 100}, {"period": "month", "amount": 150}])
    for day, amount in (("2026-03-28", 80), ("2026-03-28", 80), ("2026-03-28", 80), ("2026-03-29", 80)):
        ann.do(day, "earn", amount=amount)
    assert [transaction.amount for transaction in ann.transactions] == [80, 20, 0, 50]
    stopped = ann.transactions[2]
    assert stopped.refusal is Refusal.earning_cap_reached
    assert stopped.next_at == ann.at("2026-03-29 00:00")
    ann.do("2026-04-01", "earn", amount=80)
    assert ann.balance() == 230


DOUBLE = {"name": "Double Saturday", "factor": 2, "weekdays": [6]}
MULTIPLIERS = [
    ("on a Saturday points count twice", [DOUBLE], "highest", "2026-03-28", 20),
    ("on a Sunday they do not", [DOUBLE], "highest", "2026-03-29", 10),
    ("Saturday is a local day", [DOUBLE], "highest", "2026-03-28 23:30", 20),
    ("the highest of two", [DOUBLE, {"name": "x", "factor": 1.5}], "highest", "2026-03-28", 20),
    ("the product of two", [DOUBLE, {"name": "x", "factor": 1.5}], "multiply", "2026-03-28", 30),
    ("the sum of two", [DOUBLE, {"name": "x", "factor": 1.5}], "add", "2026-03-28", 25),
    ("for those who meet a condition", [{"name": "x", "factor": 3, "conditions": [{"field": "amount", "operator": ">", "value": 5}]}], "highest", "2026-03-28", 30),
    ("not for the others", [{"name": "x", "factor": 3, "conditions": [{"field": "amount", "operator": "<", "value": 5}]}], "highest", "2026-03-28", 10),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "stacking", "day", "points"), [c[1:] for c in MULTIPLIERS], ids=[c[0] for c in MULTIPLIERS]
)
def test_multipliers(given, stacking, day, points):
    ann = life("Europe/London", multipliers=given, stacking=stacking)
    ann.do(day, "earn", amount=10)
    assert ann.balance() == points


ROUNDED = [
    ("half a point twice is a point", "0.5", 0, [2], "highest", 1),
    ("what is too little for a point counts, too", "0.4", 0, [3], "highest", 1),
    ("1.5 times 1.5 is 2.25, not 3", "1.5", 0, [1.5], "highest", 2),
    ("2.5 times 1.5 is 3.75, not 4.5", "2.5", 0, [1.5], "highest", 4),
    ("a half is rounded up", "1", 0, [2.5], "highest", 3),
    ("fractions of points, in smallest units", "0.125", 2, [3], "highest", 38),
    ("a product of several is not rounded in between", "1", 0, [1.5, 1.5, 1.1], "multiply", 2),
    ("a sum is of what each adds: 2 and 3 come to 4", "1.2", 0, [2, 3], "add", 5),
    ("what takes away, takes away of the sum", "10", 0, [2, 0.5], "add", 15),
    ("a sum is never below nothing", "10", 0, [0.25, 0.25, 0.25], "add", 0),
    ("thirds are exact to the end", "1", 0, [0.3333333333333333, 3], "multiply", 1),
    ("nothing times anything is nothing", "10", 0, [0], "highest", 0),
]


@pytest.mark.parametrize(
    ("formula", "decimals", "factors", "stacking", "smallest"), [c[1:] for c in ROUNDED], ids=[c[0] for c in ROUNDED]
)
def test_an_amount_times_its_multipliers_is_rounded_once(formula, decimals, factors, stacking, smallest):
    made = [{"name": str(number), "factor": factor} for number, factor in enumerate(factors)]
    ann = life(amount=formula, decimals=decimals, multipliers=made, stacking=stacking)
    (paid,) = ann.do("2026-03-28", "earn").trace[0].effects
    assert (ann.balance(), paid.refusal) == (smallest, None)


def test_a_debit_is_not_multiplied_and_rounded_as_a_credit_is():
    ann = life(minimum=None, multipliers=[{"name": "x", "factor": 2}])
    ann.do("2026-03-28", "spend", amount=2.5)
    assert ann.balance() == -3


def reverse(ann: Life, local: str, transaction, take: int, **more):
    parts = [(part.lot, part.amount, part.expires_at) for part in transaction.postings or ()]
    return ann.do(
        local, "reversal", REVERSAL, transactionId=str(transaction.transaction_id), metric=transaction.metric,
        amount=transaction.amount, take=take, parts=parts, **more,
    )  # fmt: skip


def test_a_return_takes_the_points_back_out_of_the_very_lot():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-10", "earn", amount=50)
    second = ann.transactions[-1]
    reverse(ann, "2026-01-11", second, 20)
    assert ann.lots() == [100, 30]
    reverse(ann, "2026-01-11", second, 30)
    assert ann.lots() == [100]
    assert reverse(ann, "2026-01-11", second, 1).refusal is Refusal.reversal_too_large
    assert ann.transactions[-1].reverses == second.transaction_id


@pytest.mark.parametrize(("policy", "left"), [("zero", 0), ("debt", -70)])
@pytest.mark.parametrize("metric", [ROLLING, {}], ids=["lots", "plain"])
def test_a_return_of_what_is_spent_goes_to_zero_or_into_debt(metric, policy, left):
    ann = life(**metric, onReversal=policy)
    ann.do("2026-01-01", "earn", amount=100)
    earned = ann.transactions[0]
    ann.do("2026-01-02", "spend", amount=70)
    reverse(ann, "2026-01-03", earned, 100)
    assert ann.balance() == left
    ann.do("2026-01-04", "earn", amount=100)
    assert ann.balance() == 100 + left


def test_a_spending_taken_back_returns_to_the_lots_that_paid_for_it():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-10", "earn", amount=50)
    ann.do("2026-01-11", "spend", amount=120)
    reverse(ann, "2026-01-12", ann.transactions[-1], 120)
    assert ann.lots() == [100, 50]
    assert ann.until("2026-02-01").balance() == 50


def test_what_has_expired_can_be_reinstated_with_a_new_expiry():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    ann.until("2026-02-01")
    reverse(ann, "2026-02-05", ann.transactions[-1], 100, expiresAt="2026-03-01T00:00:00Z")
    assert ann.balance() == 100
    assert ann.until("2026-03-01").balance() == 0


EARNED = [
    # what is done, and what the member has earned then: lifetime, on a ladder, in a competition
    ("spent and given back, three times", ["earn 100", *["spend 100", "reverse -1 100"] * 3], 100),
    ("a part given back", ["earn 100", "spend 60", "reverse -1 20"], 100),
    ("an earned credit taken back", ["earn 100", "earn 50", "reverse 0 40"], 110),
    ("taken back, and that reversed", ["earn 100", "reverse 0 40", "reverse -1 40"], 100),
    ("taken back, that reversed, and again", ["earn 100", "reverse 0 40", "reverse -1 40", "reverse -1 10"], 90),
    ("a debit by hand given back", ["credit 70", "credit -50", "reverse -1 50"], 70),
    ("sent by somebody", ["earn 10", "receive 500"], 10),
    ("sent by somebody and taken back", ["earn 10", "receive 500", "reverse -1 500"], 10),
    ("sent on and given back", ["earn 100", "send 100", "reverse -1 100"], 100),
]


@pytest.mark.parametrize("metric", [ROLLING, {}], ids=["lots", "plain"])
@pytest.mark.parametrize(("history", "earned"), [c[1:] for c in EARNED], ids=[c[0] for c in EARNED])
def test_what_is_earned_is_one_thing_for_lifetime_ladders_and_competitions(history, earned, metric):
    ladder = document("ladder", "club", rungs=[{"rungId": "gold", "name": "Gold", "threshold": 1_000}])
    contest = document("competition", "cup", score={"metric": "points"})
    ann = Life(program(EARN, SPEND, ladder, contest, points=metric))
    goes_back = []  # for each transaction: whether it goes back to an earned credit
    for n, (what, *numbers) in enumerate(step.split() for step in history):
        day, amount = f"2026-01-{n + 1:02}", int(numbers[-1])
        match what:
            case "earn" | "spend":
                ann.do(day, what, amount=amount)
            case "credit":
                ann.do(day, "credit", TRANSACTION, metric="points", amount=amount)
            case "receive":
                ann.do(day, "receipt", RECEIPT, metric="points", amount=amount)
            case "send":
                ann.do(day, "transfer", TRANSFER, metric="points", amount=amount, to="bob")
            case _:
                place = int(numbers[0])
                reverse(ann, day, ann.transactions[place], amount, earned=goes_back[place])
                goes_back.append(goes_back[place])
                continue
        goes_back.append(what == "earn" or (what == "credit" and amount > 0))
    assert ann.member.balances["points"].earned == earned
    assert sum(ladders_of(ann.member)["club"].earned.values()) == earned
    assert standings_of(ann.member)["cup"].score == earned


def test_a_hold_keeps_points_from_being_spent_until_it_is_captured_released_or_over():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    hold: dict[str, Any] = {"metric": "points", "holdId": "order-1", "amount": 80, "until": "2026-01-03T00:00:00Z"}
    ann.do("2026-01-02", "hold", HOLD, action="place", **hold)
    assert ann.do("2026-01-02", "spend", amount=30).trace[0].effects[0].refusal is Refusal.balance_insufficient
    ann.do("2026-01-02", "hold", HOLD, action="capture", **{**hold, "amount": 50})
    assert (ann.balance(), available(ann.member.balances["points"])) == (50, 50)
    assert ann.do("2026-01-02", "hold", HOLD, action="release", **hold).refusal is Refusal.hold_not_found
    ann.do("2026-01-02", "hold", HOLD, action="place", **{**hold, "amount": 50})
    assert available(ann.until("2026-01-03").member.balances["points"]) == 50


def test_what_is_pending_or_held_cannot_be_held():
    ann = life(pendingDays=5)
    hold = {"metric": "points", "until": "2026-03-01T00:00:00Z", "action": "place"}
    ann.do("2026-01-01", "earn", amount=100)
    refused = ann.do("2026-01-02", "hold", HOLD, holdId="a", amount=1, **hold).refusal
    assert refused is Refusal.balance_insufficient
    ann.until("2026-01-06 12:00")
    refusals = [
        ann.do("2026-01-07", "hold", HOLD, holdId=name, amount=amount, **hold).refusal
        for name, amount in (("a", 60), ("b", 41), ("b", 40), ("c", 1))
    ]
    assert refusals == [None, Refusal.balance_insufficient, None, Refusal.balance_insufficient]


def test_a_transfer_takes_its_expiry_along():
    ann, bob = life(**ROLLING), Life(life(**ROLLING).program, "bob")
    ann.do("2026-01-01", "earn", amount=100)
    (follow_up,) = ann.do("2026-01-10", "transfer", TRANSFER, metric="points", amount=40, to="bob").follow_ups
    bob.do("2026-01-10", follow_up.trigger, RECEIPT, **follow_up.data)
    assert (ann.balance(), bob.balance()) == (60, 40)
    assert bob.until("2026-02-01").balance() == 0


def test_a_credit_by_hand_is_neither_multiplied_nor_capped():
    ann = life(earningCaps=[{"period": "day", "amount": 5}], multipliers=[{"name": "x", "factor": 2}])
    ann.do("2026-01-01", "credit", TRANSACTION, metric="points", amount=100)
    assert ann.balance() == 100
    assert (
        ann.do("2026-01-01", "debit", TRANSACTION, metric="points", amount=-101).refusal is Refusal.balance_insufficient
    )


def test_what_was_there_before_the_metric_kept_lots_never_expires():
    ann = life()
    ann.do("2026-01-01", "earn", amount=100)
    ann.program = life(**ROLLING).program
    ann.do("2026-01-02", "earn", amount=10)
    assert ann.lots() == [100, 10]
    assert ann.until("2027-01-01").balance() == 100


def test_what_would_expire_can_be_made_to_last():
    ann = life(**ROLLING)
    ann.do("2026-01-01", "earn", amount=100)
    ann.do("2026-01-15", "extension", EXTENSION, metric="points", expiresAt="2026-03-01T00:00:00Z")
    assert ann.until("2026-02-28").balance() == 100
    assert ann.until("2026-03-01").balance() == 0


def test_what_is_told_and_explained_is_in_the_metrics_own_unit():
    told = campaign("camp_told", trigger="metric.changed", effects=[{"type": "notify", "message": "{{ amount }}"}])
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "amount": "amount"}])
    ann = Life(program(pay, told, points={"decimals": 2, "earningCaps": [{"period": "day", "amount": 12.5}]}))
    decision = ann.do("2026-01-01", "earn", amount=12.5)
    assert (ann.balance(), decision.trace[0].effects[0].outcome, decision.notifications[0].message) == (
        1250,
        12.5,
        "12.5",
    )
    stopped = ann.do("2026-01-01", "earn", amount=1).trace[0].effects[0]
    assert (stopped.refusal, stopped.outcome) == (Refusal.earning_cap_reached, 0)
