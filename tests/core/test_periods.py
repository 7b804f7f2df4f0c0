"""Periods, ids, rounding."""

from datetime import UTC, date, datetime
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.core.ids import derived_id
from plaudit.core.metrics import to_scaled
from plaudit.core.periods import Cadence, Period, first_day_of, period_key, period_number
from plaudit.storage.postgres import to_driver_uuid

PERIODS = [
    ("2026-11-20T23:30:00Z", Period.day, "UTC", "2026-11-20"),
    ("2026-11-20T23:30:00Z", Period.day, "Pacific/Auckland", "2026-11-21"),
    ("2027-01-01T12:00:00Z", Period.week, "UTC", "2026-W53"),
    ("2028-02-29T12:00:00Z", Period.day, "UTC", "2028-02-29"),
    ("2026-10-25T00:30:00Z", Period.hour, "Europe/London", "2026-10-25T01+0100"),
    ("2026-10-25T01:30:00Z", Period.hour, "Europe/London", "2026-10-25T01+0000"),
    ("2026-12-31T23:30:00Z", Period.month, "Europe/Paris", "2027-01"),
    ("2026-12-31T23:30:00Z", Period.year, "America/New_York", "2026"),
]


@pytest.mark.parametrize(("instant", "period", "zone", "key"), PERIODS)
def test_period_keys(instant, period, zone, key):
    assert period_key(datetime.fromisoformat(instant).astimezone(UTC), period, zone) == key


TURNS = [
    (Cadence.daily, "2026-12-31", "2026-12-31", "2027-01-01"),
    (Cadence.weekly, "2027-01-03", "2026-12-28", "2027-01-04"),  # a Sunday, the Monday before it, the next
    (Cadence.monthly, "2026-12-31", "2026-12-01", "2027-01-01"),
    (Cadence.monthly, "2028-02-29", "2028-02-01", "2028-03-01"),
    (Cadence.monthly, "2026-10-15", "2026-10-01", "2026-11-01"),
]


@pytest.mark.parametrize(("cadence", "day", "first", "following"), TURNS)
def test_periods_of_streaks_begin_with_the_calendars(cadence, day, first, following):
    number = period_number(date.fromisoformat(day), cadence)
    found = [str(first_day_of(number + more, cadence)) for more in (0, 1)]
    assert found == [first, following]


ROUNDED = [(2.5, 0, 3), (-2.5, 0, -3), (0.005, 2, 1), (1.15, 2, 115), ("0.30", 1, 3), (7, 3, 7000),
           (float("nan"), 0, None), (float("inf"), 0, None), (True, 0, None), ("x", 0, None), (None, 0, None)]  # fmt: skip


@pytest.mark.parametrize(("number", "decimals", "expected"), ROUNDED)
def test_one_rounding_rule(number, decimals, expected):
    assert to_scaled(number, decimals) == expected


@given(st.uuids(), st.text(max_size=40))
def test_derived_ids_are_version_5(namespace, name):
    derived, sent = derived_id(namespace, name), derived_id(to_driver_uuid(namespace), name)
    assert derived == sent == uuid5(namespace, name)
    assert (type(derived), type(sent)) == (UUID, type(to_driver_uuid(derived)))
