"""The operators of conditions, one row each: its names, a sentence, the type of its value, and how it compares.

The same row is used to check a document, to decide, to explain, and for `GET /v1/operators`. A comparison of different
types is false; it never makes an event fail.
"""

import operator
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct

from plaudit.core.formulas.limits import TEXT_A_STEP

from .fields import MISSING
from .patterns import Pattern, PatternError

Compare = Callable[[Any], bool]

VALUE_LIST_MAX = 10_000


class OperatorError(ValueError):
    """A condition's value that its operator cannot compare with."""


class Search:
    """A comparison whose cost grows with the field's value. `steps` returns its cost in steps of the event's budget.

    Strings of up to `short` characters, which most strings are, cost nothing.
    """

    __slots__ = ("holds", "short", "steps")

    def __init__(self, holds: Compare, steps: Callable[[Any], int], short: int = TEXT_A_STEP) -> None:
        self.holds = holds
        self.steps = steps
        self.short = short

    def __call__(self, value: Any) -> bool:
        return self.holds(value)


def _through(value: Any, number: int = 1) -> int:
    """Return the steps needed to read a value, with `number` steps for each item of a list."""
    if value.__class__ is list:
        return len(value) * number
    return len(value) // TEXT_A_STEP if value.__class__ is str else 0


class Operator(Struct, frozen=True):
    """An operator. `compile` returns the comparison for a condition's value, or raises OperatorError if it is invalid."""

    name: str
    sentence: str
    value: str
    compile: Callable[[Any], Compare]
    aliases: tuple[str, ...] = ()


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(value: Any, expected: Any) -> bool:
    """Return whether JSON values are equal: 1 equals 1.0, but true does not equal 1."""
    return value == expected and isinstance(value, bool) == isinstance(expected, bool)


def instant_of(value: Any) -> datetime | None:
    """Return an ISO 8601 date or time as an instant, or None. Without a time zone, it is in UTC."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 10:
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _equals(expected: Any) -> Compare:
    if isinstance(expected, str):  # only a string equals a string
        return lambda value: value == expected
    return lambda value: same(value, expected)


def _not_equals(expected: Any) -> Compare:
    return lambda value: value is not MISSING and not same(value, expected)


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Compare]:
    """Return a comparison of numbers with numbers, or strings with strings. A number and a string have no order."""

    def compile_order(expected: Any) -> Compare:
        if is_number(expected):
            return lambda value: value.__class__ in (int, float) and holds(value, expected)
        if isinstance(expected, str):
            return lambda value: isinstance(value, str) and holds(value, expected)
        raise OperatorError("must be a number or a string")

    return compile_order


def _list_of(expected: Any) -> list[Any]:
    if not isinstance(expected, list):
        raise OperatorError("must be an array")
    if len(expected) > VALUE_LIST_MAX:  # pyright: ignore[reportUnknownArgumentType]
        raise OperatorError(f"must have at most {VALUE_LIST_MAX} items")
    return expected  # pyright: ignore[reportUnknownVariableType]


def _in(expected: Any) -> Search:
    items = _list_of(expected)
    texts = frozenset(item for item in items if isinstance(item, str))
    others = [item for item in items if not isinstance(item, str)]

    def among(value: Any) -> bool:
        if isinstance(value, str):
            return value in texts
        if isinstance(value, list):
            return any(among(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
        return any(same(value, item) for item in others)

    # A string is looked up in a set; any other value is compared with each item.
    number = 1 + len(others)
    return Search(among, lambda value: number if value.__class__ is dict else _through(value, number))


def _not_in(expected: Any) -> Compare:
    among = _in(expected)
    return Search(lambda value: value is not MISSING and not among(value), among.steps)


def _contains(expected: Any) -> Search:
    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return isinstance(expected, str) and expected in value
        return isinstance(value, list) and any(same(item, expected) for item in value)  # pyright: ignore[reportUnknownVariableType]

    return Search(holds, _through)


def _not_contains(expected: Any) -> Compare:
    contains = _contains(expected)
    return Search(lambda value: isinstance(value, str | list) and not contains(value), contains.steps)


def _text(holds: Callable[[str, str], bool]) -> Callable[[Any], Compare]:
    def compile_text(expected: Any) -> Compare:
        if not isinstance(expected, str):
            raise OperatorError("must be a string")
        return lambda value: isinstance(value, str) and holds(value, expected)

    return compile_text


def _matches(expected: Any) -> Compare:
    if not isinstance(expected, str):
        raise OperatorError("must be a regular expression")
    try:
        pattern = Pattern(expected)
    except PatternError as error:
        raise OperatorError(str(error)) from None
    return Search(
        lambda value: isinstance(value, str) and pattern.search(value),
        lambda value: pattern.steps(value) if isinstance(value, str) else 0,
        short=0,
    )


def _between(expected: Any) -> Compare:
    bounds = _list_of(expected)
    if len(bounds) != 2 or not (all(map(is_number, bounds)) or all(isinstance(value, str) for value in bounds)):
        raise OperatorError("must be an array of two numbers or two strings, the lower one first")
    low, high = bounds
    at_least = _ordered(operator.ge)(low)
    at_most = _ordered(operator.le)(high)
    return lambda value: at_least(value) and at_most(value)


def _exists(expected: Any) -> Compare:
    must_exist = expected is not False
    return lambda value: (value is not MISSING and value is not None) is must_exist


def _not_exists(expected: Any) -> Compare:
    return _exists(expected is False)


def _in_time(holds: Callable[[datetime, datetime], bool]) -> Callable[[Any], Compare]:
    def compile_time(expected: Any) -> Compare:
        limit = instant_of(expected)
        if limit is None:
            raise OperatorError("must be an ISO 8601 date or time")
        return lambda value: (instant := instant_of(value)) is not None and holds(instant, limit)

    return compile_time


_ROWS = [
    Operator("equals", "True if the field equals the value.", "any", _equals, ("==", "=", "eq")),
    Operator("not_equals", "True if the field does not equal the value.", "any", _not_equals, ("!=", "ne")),
    Operator(
        ">",
        "True if the field is greater than the value (numbers or strings).",
        "number or string",
        _ordered(operator.gt),
        ("gt", "greater_than"),
    ),
    Operator(
        ">=",
        "True if the field is greater than or equal to the value.",
        "number or string",
        _ordered(operator.ge),
        ("gte",),
    ),
    Operator(
        "<", "True if the field is less than the value.", "number or string", _ordered(operator.lt), ("lt", "less_than")
    ),
    Operator(
        "<=",
        "True if the field is less than or equal to the value.",
        "number or string",
        _ordered(operator.le),
        ("lte",),
    ),
    Operator("in", "True if the field is one of the listed values.", "array", _in),
    Operator("not_in", "True if the field is none of the listed values.", "array", _not_in),
    Operator(
        "contains",
        "True if the text contains the value, or the array has it as an item.",
        "string, or an item of the array",
        _contains,
    ),
    Operator(
        "not_contains",
        "True if the text does not contain the value, and the array does not have it as an item.",
        "string, or an item of the array",
        _not_contains,
    ),
    Operator("starts_with", "True if the text starts with the value.", "string", _text(str.startswith)),
    Operator("ends_with", "True if the text ends with the value.", "string", _text(str.endswith)),
    Operator("matches", "True if the text matches the regular expression.", "regular expression", _matches),
    Operator("between", "True if the field lies between the two values, both included.", "array of two", _between),
    Operator("exists", "True if the field is present and not null. Takes no value.", "none", _exists),
    Operator("not_exists", "True if the field is absent or null. Takes no value.", "none", _not_exists),
    Operator("before", "True if the date or time is earlier than the value.", "date or time", _in_time(operator.lt)),
    Operator("after", "True if the date or time is later than the value.", "date or time", _in_time(operator.gt)),
]

OPERATORS: dict[str, Operator] = {name: row for row in _ROWS for name in (row.name, *row.aliases)}
