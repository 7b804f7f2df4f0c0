"""Parse RFC 5545 recurrence rules into a `Rule`, and check the bounds for rules in documents.

A rule describes dates and times of a local calendar. The frequency SECONDLY is not supported: campaigns do not need it.
"""

import re
from datetime import datetime
from enum import IntEnum

from msgspec import Struct

COUNT_MAX = 10_000
INTERVAL_MAX = 100_000
TIMES_A_DAY_MAX = 1_440

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
# The lowest and the highest number that a part can list. If the lowest is negative, 0 is not allowed.
_RANGES = {
    "BYMONTH": (1, 12), "BYWEEKNO": (-53, 53), "BYYEARDAY": (-366, 366), "BYMONTHDAY": (-31, 31),
    "BYHOUR": (0, 23), "BYMINUTE": (0, 59), "BYSECOND": (0, 59), "BYSETPOS": (-366, 366),
}  # fmt: skip
PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES)
_ALIASES = {"BYWEEKDAY": "BYDAY"}


class Frequency(IntEnum):
    """The lengths of a rule's periods, longest first."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5


class Rule(Struct, frozen=True, kw_only=True):
    """A recurrence rule. Lists are sorted; weekdays count from 0 for Monday.

    `by_nth_weekday` are pairs of n and weekday, as in `2MO` and `-1FR`. `until` is the last instant if it names its
    zone, else the last local time.
    """

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    week_start: int = 0
    by_month: tuple[int, ...] = ()
    by_week: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_weekday: tuple[int, ...] = ()
    by_nth_weekday: tuple[tuple[int, int], ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_position: tuple[int, ...] = ()


def read_rule(text: str) -> Rule:
    """Parse a rule such as `FREQ=WEEKLY;BYDAY=SA`. Raise ValueError with a sentence if it is invalid."""
    parts = _parts(text)
    if "FREQ" not in parts:
        raise ValueError("FREQ is required, such as FREQ=WEEKLY")
    try:
        frequency = Frequency[parts["FREQ"]]
    except KeyError:
        names = ", ".join(frequency.name for frequency in Frequency)
        raise ValueError(f"FREQ must be one of {names} (got {_short(parts['FREQ'])})") from None
    weekdays, nth = _weekdays(parts.get("BYDAY"), frequency)
    return Rule(
        frequency=frequency,
        interval=_count("INTERVAL", parts.get("INTERVAL", "1"), INTERVAL_MAX),
        count=_count("COUNT", parts["COUNT"], COUNT_MAX) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        by_month=_numbers(parts, "BYMONTH"),
        by_week=_numbers(parts, "BYWEEKNO"),
        by_year_day=_numbers(parts, "BYYEARDAY"),
        by_month_day=_numbers(parts, "BYMONTHDAY"),
        by_weekday=weekdays,
        by_nth_weekday=nth,
        by_hour=_numbers(parts, "BYHOUR"),
        by_minute=_numbers(parts, "BYMINUTE"),
        by_second=_numbers(parts, "BYSECOND"),
        by_position=_numbers(parts, "BYSETPOS"),
    )


def check_bounds(rule: Rule, text: str) -> None:
    """Raise ValueError if a rule is out of the bounds for documents. Rules stored by earlier versions can exceed them."""
    if rule.interval > INTERVAL_MAX:
        raise ValueError(f"INTERVAL must be from 1 to {INTERVAL_MAX:,} (got {rule.interval})")
    if rule.count is not None and rule.count > COUNT_MAX:
        raise ValueError(f"COUNT must be from 1 to {COUNT_MAX:,} (got {rule.count})")
    numbered = rule.frequency not in (Frequency.YEARLY, Frequency.MONTHLY) or bool(rule.by_week)
    if numbered and any(_WEEKDAY.fullmatch(day) and day[:1] in "+-0123456789" for day in _listed(text, "BYDAY")):
        raise ValueError("BYDAY may have numbers only with FREQ=MONTHLY, or FREQ=YEARLY without BYWEEKNO")
    if rule.by_position and not any(name in _parts(text) for name in ("BYDAY", *_RANGES) if name != "BYSETPOS"):
        raise ValueError("BYSETPOS requires another part that begins with BY")
    hours = len(rule.by_hour) or (24 if rule.frequency >= Frequency.HOURLY else 1)
    minutes = len(rule.by_minute) or (60 if rule.frequency >= Frequency.MINUTELY else 1)
    times = hours * minutes * (len(rule.by_second) or 1)
    if times > TIMES_A_DAY_MAX:
        raise ValueError(
            f"BYHOUR, BYMINUTE and BYSECOND must make at most {TIMES_A_DAY_MAX:,} times a day (got {times:,})"
        )


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, equals, value = part.strip().partition("=")
        name = _ALIASES.get(name, name)
        if name not in PARTS:
            raise ValueError(f"every part must be one of {', '.join(PARTS)} (got {_short(part)})")
        if not equals or not value or name in parts:
            raise ValueError(f"{name} must be given once, with a value")
        parts[name] = value.strip()
    return parts


def _listed(text: str, name: str) -> list[str]:
    return [part.strip() for part in _parts(text).get(name, "").split(",")]


def _count(name: str, value: str, highest: int) -> int:
    """Return a positive integer. `check_bounds` checks `highest`, because rules stored before can exceed it."""
    number = _number(value)
    if number is None or number < 1:
        raise ValueError(f"{name} must be an integer from 1 to {highest:,} (got {_short(value)})")
    return number


def _number(value: str) -> int | None:
    return int(value) if re.fullmatch(r"[+-]?[0-9]{1,9}", value) else None


def _numbers(parts: dict[str, str], name: str) -> tuple[int, ...]:
    if name not in parts:
        return ()
    lowest, highest = _RANGES[name]
    numbers: set[int] = set()
    for value in parts[name].split(","):
        number = _number(value.strip())
        if number is None or not lowest <= number <= highest or (lowest < 0 and number == 0):
            zero = ", without 0" if lowest < 0 else ""
            raise ValueError(f"{name} must list integers from {lowest} to {highest}{zero} (got {_short(value)})")
        numbers.add(number)
    return tuple(sorted(numbers))


def _weekdays(value: str | None, frequency: Frequency) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    plain: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for day in () if value is None else value.split(","):
        match = _WEEKDAY.fullmatch(day.strip())
        number = 0 if match is None or match[1] is None else int(match[1])
        if match is None or (match[1] is not None and not 1 <= abs(number) <= 53):
            raise ValueError(f"BYDAY must list days such as MO or 2TU (got {_short(day)})")
        weekday = WEEKDAYS.index(match[2])
        if number and frequency <= Frequency.MONTHLY:
            nth.add((number, weekday))
        else:
            plain.add(weekday)
    return tuple(sorted(plain)), tuple(sorted(nth))


def _week_start(value: str) -> int:
    if value not in WEEKDAYS:
        raise ValueError(f"WKST must be one of {', '.join(WEEKDAYS)} (got {_short(value)})")
    return WEEKDAYS.index(value)


def _until(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"UNTIL must be a time such as 20261231T235959Z (got {_short(value)})") from None


def _short(value: str) -> str:
    return f"'{value[:64]}'"
