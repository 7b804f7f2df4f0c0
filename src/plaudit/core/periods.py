"""Calendar arithmetic in a time zone: which period an instant is in, and where periods begin and end.

Periods follow the local calendar, so a day can have 23 or 25 hours. A day begins at its first instant; if the clocks
skip midnight, that is the instant of the skip.

The calendar ends on 9999-12-31, in UTC and in each time zone. A result beyond either end of the calendar becomes that
end, so documents can use a time such as 9999-12-31T23:59:59Z for "no end".
"""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

_MONDAY = date(1, 1, 1).toordinal()  # the first day of the calendar was a Monday
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_FIRST_INSTANT, LAST_INSTANT = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_MIDDLE = datetime(5000, 1, 1, tzinfo=UTC)
_LAST_DAY = date(9998, 12, 31)  # its instants exist in every time zone


class Period(StrEnum):
    """A calendar period; weeks are ISO 8601 weeks, which begin on Monday."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"
    quarter = "quarter"
    year = "year"


class Cadence(StrEnum):
    """How often something has to be done."""

    daily = "daily"
    weekly = "weekly"
    monthly = "monthly"


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the time zone with an IANA name. Raise ZoneInfoNotFoundError or ValueError for an unknown name."""
    return ZoneInfo(name)


def within_calendar(instant: datetime | None) -> datetime | None:
    """Return an instant, or the nearest end of the calendar if UTC has no such year."""
    return None if instant is None else max(min(instant, LAST_INSTANT), _FIRST_INSTANT)


def local_time(instant: datetime, in_zone: ZoneInfo) -> datetime:
    """Return the local time of an instant in a time zone."""
    try:
        return instant.astimezone(in_zone)
    except OverflowError:
        return (LAST_INSTANT if instant > _MIDDLE else _FIRST_INSTANT).replace(tzinfo=in_zone)


def instant_of(local: datetime, in_zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, of a local time (without a zone) in a time zone."""
    try:
        return local.replace(tzinfo=in_zone).astimezone(UTC)
    except OverflowError:
        return LAST_INSTANT if local.year > _MIDDLE.year else _FIRST_INSTANT


# Cached, because several mechanics need the local day of the same event, and few days are in use.
@lru_cache(maxsize=16_384)
def local_day(instant: datetime, time_zone: str) -> date:
    """Return the local day of an instant."""
    return local_time(instant, zone(time_zone)).date()


@lru_cache(maxsize=16_384)
def first_instant(day: date, time_zone: str) -> datetime:
    """Return the instant, in UTC, at which a local day begins."""
    return instant_of(datetime(day.year, day.month, day.day), zone(time_zone))  # noqa: DTZ001 (a local time)


def days_after(instant: datetime, days: int, time_zone: str) -> datetime:
    """Return the instant, in UTC, with the same local time a number of days later (earlier if negative)."""
    if not days:
        return instant
    in_zone = zone(time_zone)
    local = local_time(instant, in_zone).replace(tzinfo=None)
    try:
        return instant_of(local + timedelta(days=days), in_zone)
    except OverflowError:
        return LAST_INSTANT if days > 0 else _FIRST_INSTANT


def first_day(day: date, period: Period) -> date:
    """Return the first day of the period that a day is in. `period` must not be hours."""
    match period:
        case Period.week:
            return day - timedelta(days=day.weekday())
        case Period.month:
            return day.replace(day=1)
        case Period.quarter:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Period.year:
            return day.replace(month=1, day=1)
        case _:
            return day


def next_first_day(day: date, period: Period) -> date:
    """Return the first day of the period after the one that a day is in. `period` must not be hours."""
    match period:
        case Period.week:
            return date.fromordinal(min(first_day(day, period).toordinal() + 7, date.max.toordinal()))
        case Period.month | Period.quarter | Period.year:
            months = {Period.month: 1, Period.quarter: 3, Period.year: 12}[period]
            return add_months(first_day(day, period), months)
        case _:
            return min(day, date.max - _DAY) + _DAY


def add_months(day: date, months: int) -> date:
    """Return the same day some months later, or that month's last day if it is shorter (29 February, the 31st)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def next_period_at(instant: datetime, period: Period, time_zone: str) -> datetime:
    """Return the instant, in UTC, at which the next period begins."""
    if period is Period.hour:
        hour = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return min(hour, LAST_INSTANT - _HOUR) + _HOUR
    following = next_first_day(local_day(instant, time_zone), period)
    return first_instant(following, time_zone) if following < date.max else LAST_INSTANT


def period_key(instant: datetime, period: Period, time_zone: str) -> str:
    """Return the key of an instant's period in the local calendar: `2026-11-20`, `2026-W47`, `2026-Q4` …

    An hour's key includes the offset from UTC, so the hour that is repeated in autumn has two keys.
    """
    local = local_time(instant, zone(time_zone))
    match period:
        case Period.hour:
            return local.strftime("%Y-%m-%dT%H%z")
        case Period.day:
            return local.strftime("%Y-%m-%d")
        case Period.week:
            year, week, _ = local.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case Period.month:
            return local.strftime("%Y-%m")
        case Period.quarter:
            return f"{local.year:04d}-Q{(local.month + 2) // 3}"
        case Period.year:
            return local.strftime("%Y")


def period_number(day: date, cadence: Cadence) -> int:
    """Return the number of the day, week or month that a day is in. Consecutive periods have consecutive numbers."""
    match cadence:
        case Cadence.daily:
            return day.toordinal()
        case Cadence.weekly:
            return (day.toordinal() - _MONDAY) // 7
        case Cadence.monthly:
            return day.year * 12 + day.month - 1


def first_day_of(period: int, cadence: Cadence) -> date:
    """Return the first day of a period by its number (see `period_number`), at most in the year 9998."""
    period = min(period, period_number(_LAST_DAY, cadence))
    match cadence:
        case Cadence.daily:
            return date.fromordinal(period)
        case Cadence.weekly:
            return date.fromordinal(period * 7 + _MONDAY)
        case Cadence.monthly:
            return date(period // 12, period % 12 + 1, 1)
