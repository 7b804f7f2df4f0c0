"""The ends of the calendar: a time such as 9999-12-31T23:59:59Z, for "no end", is reckoned with in every time zone."""

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from plaudit.bounds import EARLIEST, LATEST, wrong_time
from plaudit.core.periods import (
    LAST_INSTANT,
    Period,
    days_after,
    first_instant,
    local_day,
    next_first_day,
    next_period_at,
    period_key,
)
from plaudit.core.recurrence import Recurrence
from plaudit.documents.in_force import compile_in_force
from plaudit.mechanics.competitions.compiled import competition_of
from plaudit.mechanics.competitions.state import standings_of
from tests.support.existing import existing
from tests.support.factories import NOON, ORG, campaign, document, program
from tests.support.life import Life

NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
ZONES = ["Pacific/Kiritimati", "Etc/GMT+12"]  # UTC+14 and UTC-12
ALWAYS = {"startDate": "1900-01-01T00:00:00Z", "endDate": "9999-12-31T23:59:59Z"}


@pytest.mark.parametrize("zone", [*ZONES, "UTC"])
@pytest.mark.parametrize("period", Period)
def test_every_instant_that_is_accepted_has_its_period_and_one_after_it(zone, period):
    for instant in (EARLIEST, NO_END, LATEST):
        assert period_key(instant, period, zone)[:2] in ("18", "19", "99")
        assert next_period_at(instant, period, zone) >= instant


def test_days_end_with_the_calendar():
    assert local_day(NO_END, "Pacific/Kiritimati") == date(9999, 12, 31)
    assert local_day(datetime.min.replace(tzinfo=UTC), "Etc/GMT+12") == date(1, 1, 1)
    assert first_instant(date(1, 1, 1), "Etc/GMT-14") == datetime.min.replace(tzinfo=UTC)
    assert first_instant(date(9999, 12, 31), "Etc/GMT+12") == datetime(9999, 12, 31, 12, tzinfo=UTC)
    assert next_first_day(date(9999, 12, 31), Period.day) == date(9999, 12, 31)
    assert next_first_day(date(2024, 2, 28), Period.day) == date(2024, 2, 29)
    assert days_after(NO_END, 1, "Pacific/Kiritimati") == days_after(LATEST, 3_650, "UTC") == LAST_INSTANT


@pytest.mark.parametrize(("instant", "accepted"), [
    (NO_END, True), (LATEST, True), (EARLIEST, True), (NO_END.replace(tzinfo=None), True),
    (NO_END.replace(tzinfo=timezone(timedelta(hours=14))), True),
    (NO_END.replace(tzinfo=timezone(timedelta(hours=-12))), False),
    (EARLIEST - timedelta(seconds=1), False),
])  # fmt: skip
def test_the_years_1900_to_9999_by_utc_are_accepted(instant, accepted):
    assert (wrong_time(instant) is None) == accepted


@pytest.mark.parametrize("zone", ZONES)
def test_what_ends_never_is_open_in_every_zone(zone):
    ann = Life(
        program(
            campaign(mode="time-bound", **ALWAYS),
            campaign("camp_weekly", mode="recurring", recurrence={"rule": "FREQ=DAILY"}, **ALWAYS),
            document("competition", "cup", score={"metric": "points"}, **ALWAYS),
            document("settings", "settings", timeZone=zone),
            points={"multipliers": [{"name": "Double", "factor": 2, **ALWAYS}]},
        ),
        zone=zone,
    )
    ann.do("2026-11-20", "purchase")
    assert ann.refusals() == [None, None]
    assert ann.balance() == 40
    assert existing(competition_of(ann.program, "cup")).is_open(NOON)
    assert standings_of(ann.member)["cup"].score == 40


@pytest.mark.parametrize("zone", ZONES)
def test_a_rule_that_begins_when_the_calendar_ends_has_occurrences_there_only(zone):
    rule = Recurrence("FREQ=HOURLY;UNTIL=99991231T235959Z", NO_END - timedelta(hours=30), 3_600, zone)
    assert rule.occurrence_at(NOON) is None
    for instant in (NO_END - timedelta(hours=29), NO_END, LATEST):
        rule.occurrence_at(instant)
        rule.next_after(instant)
    forever = Recurrence("FREQ=DAILY;UNTIL=99991231T235959Z", NOON, 3_600, zone)
    assert forever.occurrence_at(NOON + timedelta(days=1)) == NOON + timedelta(days=1)


def test_a_stored_time_beyond_the_calendar_of_utc_is_its_end():
    doc = {
        "name": "C",
        "triggers": [{"type": "purchase"}],
        "mode": "time-bound",
        "endDate": "9999-12-31T23:59:59-05:00",
    }
    pool = {"name": "P", "productId": "cup", "expiresAt": "9999-12-31T23:59:59-12:00"}
    rows = [("campaign", "camp_1", json.dumps(doc)), ("code_pool", "pool", json.dumps(pool))]
    made = compile_in_force(ORG, 1, rows)
    assert made.out == {}
    (listener,) = made.program.listeners["purchase"]
    assert listener.campaign.ends_at == LATEST
