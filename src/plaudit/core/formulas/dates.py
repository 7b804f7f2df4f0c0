"""Dates in formulas: `d(…)` and its methods. A date is an instant in a time zone, by default UTC.

A value that is not a date becomes an invalid date: `isValid()` is false, its parts are null, and dates computed from it
are invalid too. Nothing here reads the current time.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

from plaudit.core.periods import zone

from .dateparts import FORMATS, UNITS, duration_of
from .limits import FormulaError
from .numbers import Number
from .values import Date, Run, integer, joined, kind_of, read, text

INVALID = Date(None)
_TEXT_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_MILLISECONDS = {"week": 604_800_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1_000}
_MONTHS = {"year": 12, "quarter": 3, "month": 1}


def date_of(value: Any, time_zone: tzinfo = UTC) -> Date:
    """Return a string, a number of milliseconds since 1970, or a date as a date.

    A string with an offset is an instant; a string without one is a local time in the time zone.
    """
    if isinstance(value, Date):
        return value
    try:
        if isinstance(value, str) and len(value) <= 40:
            return Date(_parsed(value, time_zone))
        if value.__class__ in (int, Decimal):
            return Date((datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value))).astimezone(time_zone))
    except (ValueError, OverflowError):
        pass
    return INVALID


def _parsed(value: str, time_zone: tzinfo) -> datetime | None:
    for form in _TEXT_FORMATS:
        if len(value) == len(datetime(2000, 1, 1).strftime(form)):  # noqa: DTZ001
            return datetime.strptime(value, form).replace(tzinfo=time_zone)
    if len(value) > 10 and value[10] in "Tt ":
        time = datetime.fromisoformat(value.upper())
        return time.astimezone(time_zone) if time.tzinfo else time.replace(tzinfo=time_zone)
    return None


def time_zone_of(name: Any) -> tzinfo:
    """Return the time zone with an IANA name. Raise FormulaError if it does not exist."""
    try:
        return zone(text(name, "a time zone"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FormulaError("a time zone must be a name such as Europe/Berlin") from None


def date(_: Run, value: Any, time_zone: Any = None) -> Date:
    """Return a value as a date: the function `d`."""
    return date_of(value, UTC if time_zone is None else time_zone_of(time_zone))


def _with(change: Callable[..., datetime]) -> Callable[..., Date]:
    """Return the method for a change. An invalid date stays invalid; a result outside the calendar becomes invalid."""

    def method(_: Run, this: Date, *arguments: Any) -> Date:
        if this.at is None:
            return INVALID
        try:
            return Date(change(this.at, *arguments))
        except (ValueError, OverflowError) as problem:
            if isinstance(problem, FormulaError):
                raise
            return INVALID

    return method


def _moved(sign: int) -> Callable[..., datetime]:
    def move(at: datetime, amount: Any, unit: Any = None) -> datetime:
        seconds, months, years = duration_of(amount, unit)
        instant = (at.astimezone(UTC) + timedelta(seconds=sign * seconds)).astimezone(at.tzinfo)
        moved = _by_months(instant, sign * months)
        return moved.replace(year=moved.year + sign * years)

    return move


def _by_months(at: datetime, months: int) -> datetime:
    count = at.year * 12 + at.month - 1 + months
    year, month = divmod(count, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))


def _unit(value: Any) -> str:
    unit = UNITS.get(text(value, "a unit of time"))
    if unit is None:
        raise FormulaError("a unit of time must be second, minute, hour, day, week, month, quarter or year")
    return unit


def _start(at: datetime, unit_name: Any) -> datetime:
    unit = _unit(unit_name)
    at = at.replace(microsecond=0)
    if unit == "second":
        return at
    at = at.replace(second=0)
    if unit == "minute":
        return at
    at = at.replace(minute=0)
    if unit == "hour":
        return at
    at = at.replace(hour=0)
    if unit == "day":
        return at
    if unit == "week":
        return at - timedelta(days=at.weekday())
    at = at.replace(day=1)
    months = _MONTHS[unit]
    return at.replace(month=(at.month - 1) // months * months + 1)


def _end(at: datetime, unit_name: Any) -> datetime:
    unit = _unit(unit_name)
    at = at.replace(microsecond=999_999, second=59 if unit != "second" else at.second)
    if unit in ("second", "minute"):
        return at
    at = at.replace(minute=59)
    if unit == "hour":
        return at
    at = at.replace(hour=23)
    if unit == "day":
        return at
    if unit == "week":
        return at + timedelta(days=6 - at.weekday())
    months = _MONTHS[unit]
    month = ((at.month - 1) // months + 1) * months
    return at.replace(month=month, day=monthrange(at.year, month)[1])


def _set(at: datetime, unit_name: Any, value: Any) -> datetime:
    unit = _unit(unit_name)
    number = integer(value, "set")
    return at if unit in ("week", "quarter") else at.replace(**{unit: number})  # pyright: ignore[reportArgumentType]


def _tz(at: datetime, name: Any) -> datetime:
    return at.astimezone(time_zone_of(name))


def _format(run: Run, this: Date, form: Any = None) -> str:
    at = this.at
    if at is None:
        return str(this)
    if form is None:
        return f"{at.replace(tzinfo=None, microsecond=0)} {at.tzname()}"
    pieces = text(form, "format").split("%")
    run.spend(len(pieces))
    texts = [pieces[0]]
    after_percent = False
    for piece in pieces[1:]:
        if after_percent:  # the second of %%
            texts.append("%" + piece)
            after_percent = False
        elif not piece:
            after_percent = True
        elif piece[0] in FORMATS:
            texts += [FORMATS[piece[0]](at), piece[1:]]
        else:
            raise FormulaError(f"format does not know %{piece[0]}")
    if after_percent:
        raise FormulaError("format ends with a single %")
    return joined(run, texts)


def _diff(_: Run, this: Date, other: Any, unit_name: Any = None) -> Number | None:
    that = date_of(read(other))
    unit = None if unit_name is None else _unit(unit_name)
    if this.at is None or that.at is None:
        return None
    milliseconds = _milliseconds(this.instant() - that.instant())
    if unit is None:
        return milliseconds
    if unit in _MONTHS:
        months = _months_between(this.at, that.at)
        return _toward_zero(months, _MONTHS[unit])
    if unit in ("week", "day"):  # calendar days: a day on which the clocks change is also one day
        milliseconds += _milliseconds((this.at.utcoffset() or _NO_TIME) - (that.at.utcoffset() or _NO_TIME))
    return _toward_zero(milliseconds, _MILLISECONDS[unit])


_NO_TIME = timedelta(0)


def _milliseconds(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)


def _toward_zero(amount: int, unit: int) -> int:
    return amount // unit if amount >= 0 else -(-amount // unit)


def _months_between(a: datetime, b: datetime) -> int:
    """Return the whole calendar months from b to a. If a month lacks the day of b, its last day completes the month."""
    if a.astimezone(UTC) < b.astimezone(UTC):
        return -_months_between(b, a)
    months = (a.year - b.year) * 12 + a.month - b.month
    return months if _by_months(b, months).astimezone(UTC) <= a.astimezone(UTC) else months - 1


def _compared(holds: Callable[[Date, Date, Any], bool]) -> Callable[..., bool]:
    def method(_: Run, this: Date, other: Any, unit: Any = None) -> bool:
        that = date_of(read(other))
        return this.at is not None and that.at is not None and holds(this, that, unit)

    return method


def _is_same(this: Date, that: Date, unit: Any) -> bool:
    if unit is None:
        return this.instant() == that.instant()
    assert this.at is not None
    return Date(_start(this.at, unit)).instant() <= that.instant() <= Date(_end(this.at, unit)).instant()


def _is_before(this: Date, that: Date, unit: Any) -> bool:
    assert this.at is not None
    return (this if unit is None else Date(_end(this.at, unit))).instant() < that.instant()


def _is_after(this: Date, that: Date, unit: Any) -> bool:
    assert this.at is not None
    return that.instant() < (this if unit is None else Date(_start(this.at, unit))).instant()


def _part(of: Callable[[datetime], Any]) -> Callable[..., Any]:
    def method(_: Run, this: Date) -> Any:
        return None if this.at is None else of(this.at)

    return method


def _is_valid(_: Run, this: Date) -> bool:
    return this.at is not None


def _is_leap(at: datetime) -> bool:
    return monthrange(at.year, 2)[1] == 29


def _zone_name(at: datetime) -> str:
    return getattr(at.tzinfo, "key", None) or at.tzname() or "UTC"


# By name: the least and the most arguments, and the function, whose first argument is the date.
METHODS: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "add": (1, 2, _with(_moved(1))),
    "sub": (1, 2, _with(_moved(-1))),
    "set": (2, 2, _with(_set)),
    "format": (0, 1, _format),
    "startOf": (1, 1, _with(_start)),
    "endOf": (1, 1, _with(_end)),
    "diff": (1, 2, _diff),
    "tz": (1, 1, _with(_tz)),
    "isSame": (1, 2, _compared(_is_same)),
    "isBefore": (1, 2, _compared(_is_before)),
    "isAfter": (1, 2, _compared(_is_after)),
    "isSameOrBefore": (1, 2, _compared(lambda a, b, unit: _is_before(a, b, unit) or _is_same(a, b, unit))),
    "isSameOrAfter": (1, 2, _compared(lambda a, b, unit: _is_after(a, b, unit) or _is_same(a, b, unit))),
    "second": (0, 0, _part(lambda at: at.second)),
    "minute": (0, 0, _part(lambda at: at.minute)),
    "hour": (0, 0, _part(lambda at: at.hour)),
    "day": (0, 0, _part(lambda at: at.day)),
    "dayOfYear": (0, 0, _part(lambda at: at.timetuple().tm_yday)),
    "week": (0, 0, _part(lambda at: at.isocalendar().week)),
    "weekday": (0, 0, _part(lambda at: at.isoweekday())),
    "month": (0, 0, _part(lambda at: at.month)),
    "quarter": (0, 0, _part(lambda at: (at.month - 1) // 3 + 1)),
    "year": (0, 0, _part(lambda at: at.year)),
    "timestamp": (0, 0, _part(lambda at: _milliseconds(at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)))),
    "offsetName": (0, 0, _part(_zone_name)),
    "isValid": (0, 0, _is_valid),
    "isLeapYear": (0, 0, _part(_is_leap)),
}


def method_of(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that raises FormulaError if its object is not a date."""

    def call(run: Run, this: Any, *arguments: Any) -> Any:
        if not isinstance(this, Date):
            raise FormulaError(f"{name}() needs a date (got {kind_of(this)})")
        return function(run, this, *arguments)

    return call
