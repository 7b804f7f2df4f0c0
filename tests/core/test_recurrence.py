# ruff: noqa: DTZ001 (a rule speaks of local times)
"""Recurrences: which local times a rule gives, what rules documents may have, and that no rule takes long."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.core import occurrences
from plaudit.core.occurrences import Occurrences
from plaudit.core.recurrence import Recurrence, check_recurrence
from plaudit.core.rrule import read_rule
from plaudit.errors import Invalid
from tests.support.existing import existing
from tests.support.factories import document

SATURDAY = datetime(2026, 1, 31, 10, 20, 30)


def first(rule: str, start: datetime, number: int) -> list[datetime]:
    found: list[datetime] = []
    times = Occurrences(read_rule(rule), start)
    at: datetime | None = start - timedelta(seconds=1)
    while len(found) < number and (at := times.first_after(at)) is not None:
        found.append(at)
    return found


RULES = [
    "FREQ=WEEKLY;BYDAY=SA",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYMONTHDAY=29;BYMONTH=2;BYDAY=MO",
    "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=1,-1;INTERVAL=3",
    "FREQ=DAILY;COUNT=5;INTERVAL=3",
    "FREQ=DAILY;BYHOUR=9,12;BYMINUTE=0,30;BYSETPOS=2,-1",
    "FREQ=DAILY;UNTIL=20260210T102030",
    "FREQ=HOURLY;INTERVAL=5",
    "FREQ=HOURLY;BYMINUTE=0,15,30;BYSETPOS=-1",
    "FREQ=MINUTELY;INTERVAL=7;BYHOUR=9,10",
    "FREQ=MINUTELY;INTERVAL=100000",
]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_gives_the_times_that_dateutil_gives(rule):
    assert first(rule, SATURDAY, 40) == list(islice(rrulestr(rule, dtstart=SATURDAY), 40))


def listed(numbers, most=3):
    return st.lists(numbers, min_size=1, max_size=most, unique=True).map(lambda parts: ",".join(map(str, parts)))


DAYS = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])


@st.composite
def rules(draw):
    """Rules of every frequency. Not the few where dateutil differs from RFC 5545 (see the tests below)."""
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]))
    parts = {"FREQ": frequency, "INTERVAL": draw(st.integers(1, 12)), "WKST": draw(DAYS)}
    maybe = {
        "BYMONTH": listed(st.integers(1, 12), 6),
        "BYMONTHDAY": listed(st.integers(1, 31) | st.integers(-31, -1), 12),
        "BYYEARDAY": listed(st.integers(1, 366) | st.integers(-366, -1), 30),
        "BYDAY": listed(DAYS, 7),
        "BYHOUR": listed(st.integers(0, 23), 6),
        "BYMINUTE": listed(st.integers(0, 59), 6),
        "BYSECOND": listed(st.integers(0, 59)),
    }
    if frequency in ("YEARLY", "MONTHLY") and draw(st.booleans()):
        maybe["BYDAY"] = st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, -1, -2]), DAYS), min_size=1, max_size=3).map(
            lambda parts: ",".join(f"{n}{day}" for n, day in parts)
        )
    for name in draw(st.lists(st.sampled_from(sorted(maybe)), max_size=3, unique=True)):
        parts[name] = draw(maybe[name])
    other_days = parts.keys() & {"BYMONTHDAY", "BYYEARDAY", "BYDAY", "BYMONTH"}
    if frequency == "YEARLY" and not other_days and draw(st.booleans()):
        parts["BYWEEKNO"] = draw(listed(st.integers(2, 51)))
    if frequency != "WEEKLY" and len(parts) > 3 and draw(st.booleans()):
        parts["BYSETPOS"] = draw(listed(st.integers(1, 5) | st.integers(-5, -1)))
    if draw(st.booleans()):
        parts["COUNT"] = draw(st.integers(1, 15))
    return ";".join(f"{name}={value}" for name, value in parts.items())


STARTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(lambda at: at.replace(microsecond=0))


@given(rules(), STARTS)
@settings(max_examples=400, deadline=None)
def test_any_rule_gives_the_times_that_dateutil_gives(rule, start):
    found = first(rule, start, 15)
    if found:
        assert list(islice(rrulestr(rule, dtstart=start), len(found))) == found


@given(rules(), STARTS, st.integers(0, 10**9))
@settings(max_examples=300, deadline=None)
def test_looking_back_finds_what_looking_forward_finds(rule, start, seconds):
    times = Occurrences(read_rule(rule), start)
    at = start + timedelta(seconds=seconds)
    last, following = times.last_until(at), times.first_after(at)
    if last is not None:
        assert start <= last <= at
        assert times.first_after(last) == following
    if following is not None:
        assert following > at
        assert times.last_until(following) == following
        assert times.last_until(following - timedelta(seconds=1)) == last


def test_days_with_and_without_a_number_are_all_meant():
    found = first("FREQ=MONTHLY;BYDAY=MO,-1FR", datetime(2026, 6, 1), 7)
    assert [at.day for at in found] == [1, 8, 15, 22, 26, 29, 6]


def test_a_position_is_of_the_whole_week_also_of_the_first():
    """The start is a Wednesday: the second of Monday, Wednesday and Friday is that very day."""
    found = first("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", datetime(2026, 6, 3), 2)
    assert found == [datetime(2026, 6, 3), datetime(2026, 6, 10)]


WRONG = [
    ("FREQ=DAILY;INTERVAL=0;BYDAY=MO", "INTERVAL must be an integer from 1 to 100,000 (got '0')"),
    ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL must be an integer from 1 to 100,000 (got '99999999999999999999')"),
    ("FREQ=DAILY;INTERVAL=100001", "INTERVAL must be from 1 to 100,000 (got 100001)"),
    ("FREQ=DAILY;COUNT=0", "COUNT must be an integer from 1 to 10,000 (got '0')"),
    ("FREQ=DAILY;COUNT=-3", "COUNT must be an integer from 1 to 10,000 (got '-3')"),
    ("FREQ=DAILY;COUNT=10001", "COUNT must be from 1 to 10,000 (got 10001)"),
    ("FREQ=SECONDLY", "FREQ must be one of YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY (got 'SECONDLY')"),
    ("BYDAY=MO", "FREQ is required, such as FREQ=WEEKLY"),
    ("FREQ=DAILY;FREQ=WEEKLY", "FREQ must be given once, with a value"),
    ("FREQ=DAILY;BYHOUR=24", "BYHOUR must list integers from 0 to 23 (got '24')"),
    ("FREQ=DAILY;BYMONTHDAY=0", "BYMONTHDAY must list integers from -31 to 31, without 0 (got '0')"),
    ("FREQ=DAILY;BYMONTH=13", "BYMONTH must list integers from 1 to 12 (got '13')"),
    ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY must list days such as MO or 2TU (got '0MO')"),
    ("FREQ=MONTHLY;BYDAY=XX", "BYDAY must list days such as MO or 2TU (got 'XX')"),
    ("FREQ=WEEKLY;BYDAY=2MO", "BYDAY may have numbers only with FREQ=MONTHLY, or FREQ=YEARLY without BYWEEKNO"),
    ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS requires another part that begins with BY"),
    ("FREQ=DAILY;WKST=1", "WKST must be one of MO, TU, WE, TH, FR, SA, SU (got '1')"),
    ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL must be a time such as 20261231T235959Z (got 'TOMORROW')"),
    ("FREQ=MINUTELY;BYSECOND=0,30", "BYHOUR, BYMINUTE and BYSECOND must make at most 1,440 times a day (got 2,880)"),
    ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "an occurrence must follow within 100 years of startDate, and not after UNTIL"),
    ("FREQ=DAILY;UNTIL=20260101", "an occurrence must follow within 100 years of startDate, and not after UNTIL"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "an occurrence must follow within 100 years of startDate, and not after UNTIL"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "sentence"), WRONG)
def test_a_document_must_not_have_a_rule_that_says_nothing_or_too_much(rule, sentence):
    recurring = {"mode": "recurring", "startDate": "2026-01-31T00:00:00+01:00", "recurrence": {"rule": rule}}
    with pytest.raises(Invalid) as caught:
        document(
            "campaign", "rec", triggers=[{"type": "r"}], effects=[{"type": "add_points", "amount": 1}], **recurring
        )
    ((field, message),) = [(error.field, error.message) for error in caught.value.fields]
    assert (field, message) == ("recurrence.rule", f"must be an RFC 5545 recurrence rule: {sentence}")


def test_an_unknown_part_is_named_with_those_that_are_known():
    with pytest.raises(ValueError, match=r"every part must be one of FREQ, INTERVAL, .* \(got 'BYEASTER=0'\)"):
        check_recurrence("FREQ=DAILY;BYEASTER=0", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "stored", ["FREQ=DAILY;INTERVAL=0;BYDAY=MO", "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY", "EXDATE:1"]
)
def test_a_rule_stored_by_an_earlier_version_that_would_be_refused_today_has_no_occurrences(stored):
    never = Recurrence(stored, datetime(2026, 1, 31, tzinfo=UTC), None, "Europe/London")
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert (never.occurrence_at(noon), never.next_after(noon)) == (None, None)


WIDE = ";BYSECOND=" + ",".join(map(str, range(60)))
HARD = [
    *(rule for rule, _ in WRONG), *RULES, "FREQ=DAILY;COUNT=100000000", "FREQ=MINUTELY;COUNT=100000000",
    "FREQ=DAILY;BYMONTHDAY=31;BYWEEKNO=53;BYYEARDAY=100", "FREQ=HOURLY;INTERVAL=900000000", "FREQ=MINUTELY" + WIDE,
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=366", "FREQ=DAILY;INTERVAL=999999999",
]  # fmt: skip


@pytest.mark.parametrize("rule", HARD)
def test_no_rule_takes_more_than_a_bounded_number_of_steps(rule, monkeypatch):
    """Counted by the months that are looked at, whichever way and for how long the rule has been there."""
    months = 0
    counted = Occurrences._days_of

    def days_of(self, year, month):
        nonlocal months
        months += 1
        return counted(self, year, month)

    monkeypatch.setattr(Occurrences, "_days_of", days_of)
    for start in (datetime(1900, 1, 31, tzinfo=UTC), datetime(2026, 1, 31, 3, 7, tzinfo=UTC)):
        recurrence = Recurrence(rule, start, None, "America/New_York")
        for year in (2026, 1, 9999, 2500):
            months = 0
            recurrence.occurrence_at(datetime(year, 6, 1, 12, tzinfo=UTC))
            recurrence.next_after(datetime(year, 6, 1, 12, tzinfo=UTC))
            assert months <= 6 * occurrences.MONTHS_MAX


def test_an_hourly_campaign_of_twenty_years_ago_looks_only_at_the_present_month(monkeypatch):
    recurrence = Recurrence("FREQ=HOURLY", datetime(2006, 1, 1, tzinfo=UTC), None, "UTC")
    recurrence.occurrence_at(datetime(2006, 1, 1, tzinfo=UTC))
    asked = []
    days_of = Occurrences._days_of
    monkeypatch.setattr(Occurrences, "_days_of", lambda *args: asked.append(args[1:]) or days_of(*args))
    assert recurrence.occurrence_at(datetime(2026, 6, 1, 12, 30, tzinfo=UTC)) == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert set(asked) == {(2026, 6)}


@pytest.mark.parametrize("rule", ["FREQ=DAILY;UNTIL=20260401T080000Z", "FREQ=DAILY;UNTIL=20260401T090000"])
def test_until_is_an_instant_with_z_and_a_local_time_without(rule):
    """The start is 9 in London: 08:00Z in summer."""
    recurrence = Recurrence(rule, datetime(2026, 3, 1, 9, tzinfo=UTC), 3_600, "Europe/London")
    last = datetime(2026, 4, 1, 8, tzinfo=UTC)
    assert recurrence.occurrence_at(last) == last
    assert recurrence.next_after(last - timedelta(seconds=1)) == last
    assert recurrence.next_after(last) is None
    earlier = Recurrence(
        "FREQ=DAILY;UNTIL=20260401T075959Z", datetime(2026, 3, 1, 9, tzinfo=UTC), None, "Europe/London"
    )
    assert earlier.next_after(last - timedelta(hours=1)) is None


CLOCKS = [
    # the rule, when its times are in UTC around the change
    ("a time that is skipped", "FREQ=DAILY;BYHOUR=1;BYMINUTE=30", "2026-03-28", ["28T01:30", "29T01:30", "30T00:30"]),
    ("a time that comes twice", "FREQ=DAILY;BYHOUR=1;BYMINUTE=30", "2026-10-24", ["24T00:30", "25T00:30", "26T01:30"]),
    ("hours in spring", "FREQ=HOURLY", "2026-03-29", ["28T23:00", "29T00:00", "29T01:00", "29T02:00"]),
    ("hours in autumn", "FREQ=HOURLY", "2026-10-25", ["24T23:00", "25T00:00", "25T02:00"]),
]


@pytest.mark.parametrize(("rule", "day", "wanted"), [c[1:] for c in CLOCKS], ids=[c[0] for c in CLOCKS])
def test_where_the_clocks_change(rule, day, wanted):
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=1, seconds=1)
    recurrence = Recurrence(rule, datetime(2026, 1, 1, tzinfo=UTC), None, "Europe/London")
    found = []
    at = begin
    while len(found) < len(wanted):
        at = existing(recurrence.next_after(at))
        assert recurrence.occurrence_at(at) == at
        found.append(at)
    assert [instant.strftime("%dT%H:%M") for instant in found] == wanted


def test_every_instant_is_in_the_last_occurrence_that_began_before_it():
    """Two days around each change of the clocks, minute by minute, against a list of all starts."""
    for change in (datetime(2026, 3, 29), datetime(2026, 10, 25)):
        recurrence = Recurrence("FREQ=MINUTELY;INTERVAL=45", datetime(2026, 1, 1, tzinfo=UTC), None, "Europe/London")
        at = (change - timedelta(days=1)).replace(tzinfo=UTC)
        following = existing(recurrence.next_after(at))
        for _ in range(2 * 24 * 60):
            at += timedelta(minutes=1)
            if at >= following:
                assert recurrence.occurrence_at(at) == following
                following = existing(recurrence.next_after(at))
            assert existing(recurrence.occurrence_at(at)) <= at < following
