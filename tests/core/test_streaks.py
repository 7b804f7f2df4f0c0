"""Streaks: given this streak, when a member checks in at these local times, then it is so long."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.core.decision import Refusal
from plaudit.core.event import PROFILE, STREAK
from tests.factories import document, program
from tests.life import Life

TOLD = ("streak.extended", "streak.broken", "streak.frozen", "streak.milestone", "streak.repaired")


def life(zone="UTC", **streak) -> Life:
    told = [
        document(
            "campaign", f"camp_{i}", triggers=[{"type": trigger}], effects=[{"type": "notify", "message": trigger}]
        )
        for i, trigger in enumerate(TOLD)
    ]
    made = document("streak", "daily", triggers=[{"type": "visit"}], **streak)
    return Life(program(made, document("settings", "settings", timeZone=zone), *told), zone=zone)


def told(ann: Life, trigger: str) -> list[str]:
    return [n.created_at.isoformat() for d in ann.decisions for n in d.notifications if n.message == trigger]


def streak(ann: Life):
    return ann.member.streaks["daily"]


def lengths(ann: Life) -> tuple[int, int]:
    return streak(ann).current, streak(ann).longest


VISITS = [
    ("three days in a row", "UTC", {}, ["2026-01-01", "2026-01-02", "2026-01-03"], (3, 3)),
    ("twice on a day is once", "UTC", {}, ["2026-01-01", "2026-01-01 23:59", "2026-01-02"], (2, 2)),
    ("a day missed", "UTC", {}, ["2026-01-01", "2026-01-02", "2026-01-04"], (1, 2)),
    ("over 29 February", "UTC", {}, ["2028-02-28", "2028-02-29", "2028-03-01"], (3, 3)),
    ("no 29 February", "UTC", {}, ["2026-02-28", "2026-03-01"], (2, 2)),
    ("a day of 23 hours", "Europe/London", {}, ["2026-03-28 23:30", "2026-03-29 03:00", "2026-03-30 00:10"], (3, 3)),
    ("a day of 25 hours", "Europe/London", {}, ["2026-10-24", "2026-10-25 00:30", "2026-10-25 23:30", "2026-10-26"], (3, 3)),
    ("late at night is still that day", "America/New_York", {}, ["2026-01-01 23:59", "2026-01-02 00:00"], (2, 2)),
    ("weeks", "UTC", {"cadence": "weekly"}, ["2026-01-05", "2026-01-18", "2026-01-19"], (3, 3)),
    ("ISO week 53 and week 1", "UTC", {"cadence": "weekly"}, ["2026-12-21", "2026-12-31", "2027-01-04"], (3, 3)),
    ("a week missed", "UTC", {"cadence": "weekly"}, ["2026-01-05", "2026-01-20"], (1, 1)),
    ("months", "UTC", {"cadence": "monthly"}, ["2026-11-30", "2026-12-01", "2027-01-31"], (3, 3)),
    ("a threshold of two", "UTC", {"threshold": 2}, ["2026-01-01", "2026-01-01 13:00", "2026-01-02"], (1, 1)),
    ("a late event mends the run", "UTC", {}, ["2026-01-01", "2026-01-03", "2026-01-02"], (3, 3)),
    ("a grace of two hours", "UTC", {"graceHours": 2}, ["2026-01-01", "2026-01-03 01:59"], (2, 2)),
    ("the grace is over", "UTC", {"graceHours": 2}, ["2026-01-01", "2026-01-03 02:00"], (1, 1)),
    ("a pause for everybody", "UTC", {"pauses": [{"start": "2026-06-01", "end": "2026-08-31"}]}, ["2026-05-31", "2026-09-01"], (2, 2)),
    ("a visit within a pause counts", "UTC", {"pauses": [{"start": "2026-06-01", "end": "2026-08-31"}]}, ["2026-05-31", "2026-07-01", "2026-09-01"], (3, 3)),
    ("a freeze spares a miss", "UTC", {"freezes": {"maximum": 1, "atStart": 1}}, ["2026-01-01", "2026-01-03"], (2, 2)),
    ("one freeze does not spare two", "UTC", {"freezes": {"maximum": 1, "atStart": 1}}, ["2026-01-01", "2026-01-04"], (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "given_streak", "visits", "wanted"), [c[1:] for c in VISITS], ids=[c[0] for c in VISITS]
)
def test_lengths(zone, given_streak, visits, wanted):
    ann = life(zone, **given_streak)
    for at in visits:
        ann.do(at)
    assert lengths(ann) == wanted


def test_it_breaks_exactly_when_the_missed_day_ends():
    ann = life("Europe/London")
    ann.do("2026-03-27")
    ann.until("2026-03-28 23:59")
    assert lengths(ann) == (1, 1)
    ann.until("2026-06-01")
    assert (lengths(ann), told(ann, "streak.broken")) == ((0, 1), ["2026-03-29T00:00:00+00:00"])


def test_a_freeze_that_turns_out_not_to_be_needed_comes_back():
    ann = life(freezes={"maximum": 2, "atStart": 2})
    ann.do("2026-01-01")
    ann.do("2026-01-03")
    assert (streak(ann).freezes, streak(ann).current) == (1, 2)
    ann.do("2026-01-02 20:00")
    assert (streak(ann).freezes, streak(ann).current) == (2, 3)


FREEZES = {"maximum": 2, "automatic": False, "price": {"metric": "points", "amount": 50}}


def test_freezes_are_bought_held_up_to_a_number_and_used_by_choice():
    ann = life(freezes=FREEZES)
    ann.do("2026-01-01")
    order = {"streakId": "daily"}
    assert ann.do("2026-01-01", "streak", STREAK, action="buy_freeze", **order).refusal is Refusal.balance_insufficient
    ann.do("2026-01-01", "credit", "transaction", metric="points", amount=200)
    for _ in range(2):
        assert ann.do("2026-01-01", "streak", STREAK, action="buy_freeze", **order).refusal is None
    assert ann.do("2026-01-01", "streak", STREAK, action="buy_freeze", **order).refusal is Refusal.freezes_full
    assert ann.balance() == 100
    ann.do("2026-01-01", "streak", STREAK, action="use_freeze", day="2026-01-02", **order)
    ann.do("2026-01-03")
    assert (streak(ann).current, streak(ann).freezes) == (2, 1)
    ann.until("2026-01-10")
    assert (streak(ann).current, streak(ann).freezes) == (0, 1)


def test_a_broken_streak_is_repaired_for_a_price_within_its_days():
    ann = life(repair={"days": 3, "price": {"amount": 10}})
    for day in ("2026-01-01", "2026-01-02", "2026-01-05"):
        ann.do(day)
    order = {"streakId": "daily", "action": "repair"}
    assert ann.do("2026-01-05", "streak", STREAK, **order).refusal is Refusal.balance_insufficient
    ann.do("2026-01-05", "credit", "transaction", metric="points", amount=15)
    assert ann.do("2026-01-05", "streak", STREAK, streakId="daily", action="repair").refusal is None
    assert (lengths(ann), ann.balance()) == ((3, 3), 5)
    again = life(repair={"days": 1})
    again.do("2026-01-01")
    assert (
        again.do("2026-01-05", "streak", STREAK, streakId="daily", action="repair").refusal is Refusal.repair_too_late
    )


def test_a_planned_absence_is_not_missed():
    ann = life()
    ann.do("2026-01-01")
    ann.do("2026-01-01", "streak", STREAK, streakId="daily", action="absence", day="2026-01-02", until="2026-01-09")
    ann.do("2026-01-10")
    assert lengths(ann) == (2, 2)


def test_milestones_are_paid_once_in_a_run():
    pay = [{"type": "add_points", "amount": 10}]
    ann = life(milestones=[{"length": 2, "effects": pay}, {"length": 3, "effects": pay}])
    for day in ("01", "02", "02", "03", "04", "06", "07"):
        ann.do(f"2026-01-{day}")
    assert ann.balance() == 30
    assert len(told(ann, "streak.milestone")) == 3


def fly(ann: Life, local: str, zone: str) -> None:
    ann.do(local, "profile", PROFILE, zone=zone, attributes={"timezone": zone})


def test_who_flies_from_auckland_to_honolulu_counts_no_day_twice_and_loses_none():
    ann = life("Pacific/Auckland")
    ann.do("2026-01-09", zone="Pacific/Auckland")
    ann.do("2026-01-10 09:00", zone="Pacific/Auckland")
    fly(ann, "2026-01-10 10:00", "Pacific/Honolulu")  # still the morning of the 10th, again
    ann.do("2026-01-10 20:00", zone="Pacific/Honolulu")
    ann.do("2026-01-11 20:00", zone="Pacific/Honolulu")
    ann.do("2026-01-12 20:00", zone="Pacific/Honolulu")
    assert streak(ann).current in (4, 5)
    assert streak(ann).alive


def test_who_flies_from_honolulu_to_auckland_skips_a_day_and_keeps_the_streak():
    ann = life("Pacific/Honolulu")
    ann.do("2026-01-09", zone="Pacific/Honolulu")
    ann.do("2026-01-10 20:00", zone="Pacific/Honolulu")
    fly(ann, "2026-01-12 07:00", "Pacific/Auckland")
    ann.do("2026-01-12 08:00", zone="Pacific/Auckland")
    ann.do("2026-01-12 21:00", zone="Pacific/Auckland")
    ann.do("2026-01-13 09:00", zone="Pacific/Auckland")
    assert lengths(ann) == (5, 5)


def test_nothing_is_gained_by_switching_zones():
    """A year of switching every few hours, visiting once in two real days, is no daily streak."""
    zones = ("Pacific/Auckland", "Pacific/Honolulu")
    ann = life("UTC")
    longest = 0
    for n in range(60):
        day = (date(2026, 1, 1) + timedelta(days=2 * n)).isoformat()
        fly(ann, f"{day} 11:00", zones[n % 2])
        ann.do(f"{day} 11:30", zone="UTC")
        longest = max(longest, streak(ann).current)
    assert longest <= 2


def reference(days: list[date], present: date) -> tuple[int, int]:
    """Slow and obvious: walk back from today (or yesterday) while the days are there; the longest by trying all."""
    there = set(days)

    def back(day: date) -> int:
        length = 0
        while day in there:
            length, day = length + 1, day - timedelta(days=1)
        return length

    return back(present) or back(present - timedelta(days=1)), max(map(back, there))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_length_is_what_a_slow_reference_says_whatever_the_order(offsets, late):
    days = [date(2026, 2, 10) + timedelta(days=one) for one in (offsets if late else sorted(offsets))]
    ann = life("Europe/London")
    for day in days:
        ann.do(day.isoformat())
    assert lengths(ann) == reference(days, max(days))
