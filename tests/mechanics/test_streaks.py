"""Streaks: given this streak, when a member checks in at these local times, then it is so long."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.core.decision import Refusal
from plaudit.core.event import PROFILE
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.mechanics.streaks.freezes import GIVEN_KEPT
from plaudit.mechanics.streaks.refusals import StreakRefusal
from plaudit.mechanics.streaks.state import streaks_of
from tests.support.factories import document, program
from tests.support.life import Life

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


def times_of_messages(ann: Life, trigger: str) -> list[str]:
    return [n.created_at.isoformat() for d in ann.decisions for n in d.notifications if n.message == trigger]


def streak(ann: Life):
    return streaks_of(ann.member)["daily"]


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
    assert (lengths(ann), times_of_messages(ann, "streak.broken")) == ((0, 1), ["2026-03-29T00:00:00+00:00"])


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
    assert (
        ann.do("2026-01-01", "streak", STREAK, action="buy_freeze", **order).refusal is StreakRefusal.freezes_at_maximum
    )
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
        again.do("2026-01-05", "streak", STREAK, streakId="daily", action="repair").refusal
        is StreakRefusal.repair_too_late
    )


@pytest.mark.parametrize(
    ("last_visit", "moment", "refusal"),
    [
        ("2026-03-27", "2026-03-29 23:59", None),  # a day of 23 hours
        ("2026-03-27", "2026-03-30 00:00", StreakRefusal.repair_too_late),
        ("2026-10-23", "2026-10-25 23:59", None),  # a day of 25 hours
        ("2026-10-23", "2026-10-26 00:00", StreakRefusal.repair_too_late),
    ],
)
def test_a_repair_is_possible_to_the_end_of_a_local_day(last_visit, moment, refusal):
    ann = life("Europe/London", repair={"days": 1})
    ann.do(last_visit)
    assert ann.do(moment, "streak", STREAK, streakId="daily", action="repair").refusal is refusal


def test_a_late_action_counts_for_the_day_that_it_would_have_counted_for_though_a_freeze_has_spared_it():
    ann = life(graceHours=3, freezes={"maximum": 1, "atStart": 1})
    ann.do("2026-01-01")
    ann.until("2026-01-03 03:00")
    assert streak(ann).freezes == 0
    ann.do("2026-01-03 01:00")
    assert (lengths(ann), streak(ann).freezes) == ((2, 2), 1)


def test_a_day_before_one_that_counts_is_missed_when_its_grace_is_over():
    ann = life(graceHours=3, freezes={"maximum": 1, "atStart": 1})
    ann.do("2026-01-03 01:00")
    ann.do("2026-01-01")
    assert (lengths(ann), streak(ann).freezes) == ((1, 1), 1)
    ann.until("2026-01-03 03:00")
    assert (lengths(ann), streak(ann).freezes) == ((2, 2), 0)


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
    assert len(times_of_messages(ann, "streak.milestone")) == 3


PAID = [{"type": "add_points", "amount": 10}]
ONE, THREE = {"maximum": 1, "atStart": 1}, {"maximum": 3, "atStart": 3}


def days(*numbers: int) -> list[str]:
    return [f"2026-01-{number:02}" for number in numbers]


# Reported in this order: the length now, the longest, the freezes left, and what the milestones of 3 and 6 have paid.
LATE = [
    ("the freeze that it gives back spares the next miss", ONE, days(1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 6), (12, 12, 0), 30),
    ("… and not the one after that", ONE, days(1, 2, 4, 6, 8, 3), (1, 5, 0), 10),
    ("two late actions give back two freezes", THREE, days(1, 3, 5, 7, 9, 11, 2, 4), (8, 8, 0), 20),
    ("a freeze that was not needed at all", ONE, days(1, 3, 4, 2), (4, 4, 1), 10),
    ("a miss before all that was known uses the freeze there", ONE, days(5, 7, 8, 1), (2, 2, 0), 10),
    ("it goes on after the miss that it fills", None, days(1, 2, 4, 3), (4, 4, 0), 10),
    ("the restored run has ended, and is paid", None, days(1, 2, 4, 5, 9, 3), (1, 5, 0), 10),
    ("the restored run has ended and nothing came after it", None, [*days(1, 2, 4, 5), "look", *days(3)], (0, 5, 0), 10),
    ("both parts were paid for 3, so the whole is paid for 6 only", None, days(1, 2, 3, 5, 6, 7, 4), (7, 7, 0), 30),
    ("a run that was paid is not paid again when it becomes longer", None, days(2, 3, 4, 9, 1), (1, 4, 0), 10),
    ("what comes twice changes nothing", ONE, days(1, 2, 4, 6, 3, 3), (5, 5, 0), 10),
]  # fmt: skip


@pytest.mark.parametrize(("freezes", "reported", "wanted", "paid"), [c[1:] for c in LATE], ids=[c[0] for c in LATE])
def test_late_actions(freezes, reported, wanted, paid):
    milestones = [{"length": 3, "effects": PAID}, {"length": 6, "effects": PAID}]
    ann = life(freezes=freezes, milestones=milestones)
    for day in reported:
        if day == "look":
            ann.until("2026-01-20")
        else:
            ann.do(day)
    assert (*lengths(ann), streak(ann).freezes) == wanted
    assert ann.balance() == paid


def test_a_freeze_that_is_given_late_spares_the_miss_that_came_after_it():
    give = {"type": "grant_freeze", "streakId": "daily", "quantity": 1}
    made = document("streak", "daily", triggers=[{"type": "visit"}], freezes={"maximum": 1})
    ann = Life(program(made, document("campaign", "gift", triggers=[{"type": "gift"}], effects=[give])))
    for day in days(1, 3, 4):
        ann.do(day)
    assert (lengths(ann), streak(ann).freezes) == ((2, 2), 0)
    ann.do("2026-01-01 13:00", "gift")
    assert (lengths(ann), streak(ann).freezes) == ((3, 3), 0)


def test_a_freeze_that_is_given_late_pays_the_milestone_that_it_leads_to():
    give = {"type": "grant_freeze", "streakId": "daily", "quantity": 1}
    three = {"length": 3, "effects": [{"type": "add_points", "amount": 30}]}
    made = document("streak", "daily", triggers=[{"type": "visit"}], freezes={"maximum": 1}, milestones=[three])
    ann = Life(program(made, document("campaign", "gift", triggers=[{"type": "gift"}], effects=[give])))
    for day in days(1, 3, 4):
        ann.do(day)
    assert ann.balance() == 0
    ann.do("2026-01-01 13:00", "gift")
    assert ann.balance() == 30


def test_a_freeze_that_was_not_needed_comes_back_once():
    ann = life(freezes={"maximum": 3, "atStart": 2})
    for day in days(1, 3):
        ann.do(day)
    assert streak(ann).freezes == 1
    ann.do("2026-01-02")
    assert (streak(ann).freezes, lengths(ann)) == (2, (3, 3))


def test_a_freeze_for_which_there_was_room_only_in_the_order_of_things_is_there():
    give = {"type": "grant_freeze", "streakId": "daily", "quantity": 1}
    made = document("streak", "daily", triggers=[{"type": "visit"}], freezes=ONE)
    ann = Life(program(made, document("campaign", "gift", triggers=[{"type": "gift"}], effects=[give])))
    ann.do("2026-01-03", "gift")
    assert streak(ann).freezes == 1
    for day in days(1, 3, 5):  # the freeze of the 2nd was used before the gift
        ann.do(day)
    assert (lengths(ann), streak(ann).freezes) == ((3, 3), 0)


def test_a_day_that_was_frozen_by_choice_gives_its_freeze_back_late_as_well():
    ann = life(freezes={"maximum": 2, "atStart": 1})
    ann.do("2026-01-01")
    ann.do("2026-01-01", "streak", STREAK, streakId="daily", action="use_freeze", day="2026-01-02")
    for day in days(3, 5):
        ann.do(day)
    assert (lengths(ann), streak(ann).freezes) == ((1, 2), 0)
    ann.do("2026-01-02")
    assert (lengths(ann), streak(ann).freezes) == ((4, 4), 0)


def test_of_many_gifts_of_freezes_the_latest_are_remembered():
    give = {"type": "grant_freeze", "streakId": "daily", "quantity": 1}
    made = document("streak", "daily", triggers=[{"type": "visit"}], freezes=ONE)
    ann = Life(program(made, document("campaign", "gift", triggers=[{"type": "gift"}], effects=[give])))
    for n in range(3 * GIVEN_KEPT):
        day = date(2026, 1, 1) + timedelta(days=n)
        ann.do(day.isoformat(), "gift")
        if n % 3:  # each third day is missed, and spared by what was given
            ann.do(day.isoformat())
    assert (len(streak(ann).given), streak(ann).current) == (GIVEN_KEPT, 2 * GIVEN_KEPT)
    ann.do((date(2026, 1, 1) + timedelta(days=3 * GIVEN_KEPT - 3)).isoformat())
    assert (streak(ann).current, streak(ann).freezes) == (2 * GIVEN_KEPT + 1, 1)
    ann.do("2026-01-04")  # long settled: its freeze is there again, and there is no room for it
    assert (streak(ann).current, streak(ann).freezes) == (2 * GIVEN_KEPT + 2, 1)


def fly(ann: Life, local: str, zone: str) -> None:
    ann.do(local, "profile", PROFILE, zone=zone, attributes={"timezone": zone})


LA, NY, TOKYO, AKL, HNL = (
    "America/Los_Angeles", "America/New_York", "Asia/Tokyo", "Pacific/Auckland", "Pacific/Honolulu",
)  # fmt: skip
CHI, LON = "America/Chicago", "Europe/London"

# Where a member is when, in local times: `>` names the zone that the profile has from then on, other times are actions.
JOURNEYS = [
    ("LA to Tokyo, on every local day", LA, ["12-01 12:00", ">12-02 21:00 Asia/Tokyo", "12-03 12:00", "12-04 20:00"], 3),
    ("LA to Tokyo, acting in the evening of arrival", LA, ["12-01 12:00", ">12-02 17:00 Asia/Tokyo", "12-02 21:00", "12-03 20:00", "12-04 23:00"], 4),
    ("LA to Tokyo, then a day missed", LA, ["12-01 12:00", ">12-02 21:00 Asia/Tokyo", "12-03 12:00", "12-05 20:00"], 1),
    ("Tokyo to LA, the same day twice", TOKYO, ["12-01 12:00", "12-02 09:00", ">12-02 08:00 America/Los_Angeles", "12-02 20:00", "12-03 20:00", "12-04 20:00"], 4),
    ("Auckland to Honolulu", AKL, ["01-09 12:00", "01-10 09:00", ">01-10 10:00 Pacific/Honolulu", "01-10 20:00", "01-11 20:00", "01-12 20:00"], 4),
    ("Honolulu to Auckland", HNL, ["01-09 12:00", "01-10 20:00", ">01-12 07:00 Pacific/Auckland", "01-12 08:00", "01-12 21:00", "01-13 09:00"], 5),
    ("LA to New York and back within a week, late at home", LA, ["03-02 12:00", ">03-03 09:00 America/New_York", "03-03 20:00", "03-04 20:00", ">03-05 12:00 America/Los_Angeles", "03-05 23:00", "03-06 22:30", "03-07 23:59", "03-08 23:00"], 7),
    ("LA to New York to Chicago within a week, late there", LA, ["03-02 12:00", ">03-03 09:00 America/New_York", "03-03 20:00", "03-04 20:00", ">03-05 12:00 America/Chicago", "03-05 23:30", "03-06 23:30", "03-07 23:30"], 6),
    ("London to New York, late on the day of arrival", LON, ["03-02 12:00", ">03-03 18:00 America/New_York", "03-03 23:30", "03-04 23:30", "03-05 23:30"], 4),
    ("London to New York and back, a day missed", LON, ["03-02 12:00", ">03-03 18:00 America/New_York", "03-03 23:30", ">03-05 09:00 Europe/London", "03-06 12:00"], 1),
    ("London, Tokyo and Los Angeles within a week", LON, ["03-02 20:00", ">03-03 19:00 Asia/Tokyo", "03-03 23:00", "03-04 20:00", ">03-05 10:00 America/Los_Angeles", "03-05 20:00", "03-06 20:00", "03-07 20:00"], 6),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "way", "current"), [c[1:] for c in JOURNEYS], ids=[c[0] for c in JOURNEYS])
def test_journeys(zone, way, current):
    ann = life(zone)
    for stop in way:
        day, hour, *more = stop.removeprefix(">").split()
        at = f"2026-{day} {hour}"
        if more:
            (zone,) = more
            fly(ann, at, zone)
        else:
            ann.do(at, zone=zone)
    assert (streak(ann).current, streak(ann).alive) == (current, True)


def test_a_day_that_has_ended_where_the_member_is_now_breaks_the_streak_there_and_then():
    ann = life(LA)
    ann.do("2026-03-02 12:00", zone=LA)
    fly(ann, "2026-03-03 09:00", TOKYO)
    fly(ann, "2026-03-03 10:00", HNL)  # its calendar counts as well, until it is taken over
    ann.do("2026-03-03 20:00", zone=HNL)
    fly(ann, "2026-03-06 02:00", TOKYO)  # the 5th of March has ended there, and no longer goes by Honolulu
    ann.until("2026-03-06 12:00")
    assert (streak(ann).current, times_of_messages(ann, "streak.broken")) == (0, ["2026-03-05T17:00:00+00:00"])


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


@pytest.mark.parametrize(("moment", "zone"), [("2026-03-09 11:59", TOKYO), ("2026-03-09 12:00", HNL)])
def test_a_zone_is_taken_over_at_most_once_in_seven_days(moment, zone):
    ann = life()
    ann.do("2026-03-01")
    for local, name in (("2026-03-02 12:00", TOKYO), (moment, HNL)):
        ann.do(local, "profile", PROFILE, attributes={"timezone": name})
    assert streak(ann).zone == zone


@pytest.mark.parametrize(("moment", "day"), [("2026-03-04 11:59", "2026-03-04"), ("2026-03-04 12:00", "2026-03-05")])
def test_the_calendar_of_the_zone_before_counts_for_two_days(moment, day):
    ann = life(LA)
    ann.do("2026-03-02 09:00", zone=LA)
    ann.do("2026-03-02 12:00", "profile", PROFILE, zone=LA, attributes={"timezone": TOKYO})
    ann.do(moment, zone=LA)
    assert streak(ann).spans[-1] == (date.fromisoformat(day).toordinal(),) * 2


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
    days = [date(2026, 2, 10) + timedelta(days=offset) for offset in (offsets if late else sorted(offsets))]
    ann = life("Europe/London")
    for day in days:
        ann.do(day.isoformat())
    assert lengths(ann) == reference(days, max(days))


def test_pauses_that_follow_each_other_for_a_thousand_years_are_one():
    years = range(2027, 3017, 10)
    ann = life("Pacific/Honolulu", pauses=[{"start": f"{y}-01-01", "end": f"{y + 9}-12-31"} for y in years])
    ann.do("2026-12-31")
    ann.do("3017-01-01")
    assert lengths(ann) == (2, 2)


def test_a_pause_up_to_the_end_of_the_calendar_is_kept():
    ann = life("Pacific/Honolulu", pauses=[{"start": "9990-01-01", "end": "9999-12-31"}])
    ann.do("9989-12-31")
    assert lengths(ann) == (1, 1)
    assert streak(ann).due_at == ann.at("9998-12-31 00:00")


def test_an_event_that_two_triggers_of_a_streak_take_counts_once():
    ann = Life(program(document("streak", "s", triggers=[{"type": "visit"}, {"type": "visit"}], threshold=2)))
    ann.do("2026-01-01 08:00")
    assert (ann.refusals(), streaks_of(ann.member)["s"].current) == ([None, Refusal.event_counted], 0)
    ann.do("2026-01-01 09:00")
    assert streaks_of(ann.member)["s"].current == 1
