"""Date formats, and durations such as `1d 5h`, in formulas."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .limits import FormulaError
from .values import number

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

# By the character after %: as in C, with English names in any locale of the server.
FORMATS: Mapping[str, Callable[[datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year % 100:02}",
    "C": lambda at: f"{at.year // 100:02}",
    "m": lambda at: f"{at.month:02}",
    "d": lambda at: f"{at.day:02}",
    "e": lambda at: f"{at.day:2}",
    "j": lambda at: f"{at.timetuple().tm_yday:03}",
    "H": lambda at: f"{at.hour:02}",
    "k": lambda at: f"{at.hour:2}",
    "I": lambda at: f"{at.hour % 12 or 12:02}",
    "l": lambda at: f"{at.hour % 12 or 12:2}",
    "M": lambda at: f"{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "f": lambda at: f"{at.microsecond * 1000:09}",
    "p": lambda at: "AM" if at.hour < 12 else "PM",
    "P": lambda at: "am" if at.hour < 12 else "pm",
    "A": lambda at: _DAYS[at.weekday()],
    "a": lambda at: _DAYS[at.weekday()][:3],
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "h": lambda at: _MONTHS[at.month - 1][:3],
    "u": lambda at: str(at.isoweekday()),
    "w": lambda at: str(at.isoweekday() % 7),
    "G": lambda at: f"{at.isocalendar().year:04}",
    "V": lambda at: f"{at.isocalendar().week:02}",
    "F": lambda at: f"{at.year:04}-{at.month:02}-{at.day:02}",
    "D": lambda at: f"{at.month:02}/{at.day:02}/{at.year % 100:02}",
    "T": lambda at: f"{at.hour:02}:{at.minute:02}:{at.second:02}",
    "R": lambda at: f"{at.hour:02}:{at.minute:02}",
    "Z": lambda at: at.tzname() or "",
    "z": lambda at: at.strftime("%z")[:5],
    "s": lambda at: str(int(at.timestamp())),
}

_NAMES = {
    "second": "seconds second secs sec s",
    "minute": "minutes minute min mins m",
    "hour": "hours hour hr hrs h",
    "day": "days day d",
    "week": "weeks week w",
    "month": "months month mo M",
    "quarter": "quarters quarter qtr q",
    "year": "years year y",
}
UNITS: Mapping[str, str] = {part: unit for unit, names in _NAMES.items() for part in names.split()}
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_MONTHS_IN = {"month": 1, "quarter": 3}
_PART = re.compile(r"\s*([0-9]{1,12})\s*([A-Za-z]+)\s*")
_LENGTH_TEXT_MAX = 60


def duration_of(amount: Any, unit: Any = None) -> tuple[int, int, int]:
    """Return a string such as `1d 5h`, or a number and a unit, as seconds, months and years."""
    if isinstance(amount, str) and unit is None:
        return _sum_of(_parts(amount))
    unit_name = UNITS.get(unit) if isinstance(unit, str) else None
    if unit_name is None:
        raise FormulaError("a length of time must be a string such as 1d 5h, or a number and a unit such as day")
    many = number(amount, "a length of time")
    if unit_name in _SECONDS:
        return _sum_of([(int(many * _SECONDS[unit_name]), "second")])
    return _sum_of([(int(many), unit_name)])


def _parts(amount: str) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    index = 0
    while index < len(amount) <= _LENGTH_TEXT_MAX:
        part = _PART.match(amount, index)
        if part is None or part.group(2) not in UNITS:
            break
        parts.append((int(part.group(1)), UNITS[part.group(2)]))
        index = part.end()
    if not parts or index < len(amount):
        raise FormulaError("a length of time must be a string such as 1d 5h")
    return parts


def _sum_of(parts: list[tuple[int, str]]) -> tuple[int, int, int]:
    seconds = sum(many * _SECONDS[unit] for many, unit in parts if unit in _SECONDS)
    months = sum(many * _MONTHS_IN[unit] for many, unit in parts if unit in _MONTHS_IN)
    return seconds, months, sum(many for many, unit in parts if unit == "year")
