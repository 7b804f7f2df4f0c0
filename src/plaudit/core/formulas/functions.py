"""The functions of formulas. A new one is a row of FUNCTIONS and a line in docs/reference/formulas.md."""

from collections import Counter
from collections.abc import Callable
from decimal import ROUND_DOWN
from functools import reduce
from typing import Any, cast

from msgspec import Struct

from . import numbers as exact
from .dates import date
from .fuzzy import likeness
from .limits import FormulaError, NumberTooLarge
from .numbers import Number
from .values import (
    Date,
    Run,
    as_text,
    bounded_list,
    bounded_text,
    integer,
    items,
    kind_of,
    number,
    numbers,
    read,
    same,
    text,
)

Object = dict[str, Any]
_MERGE_DEPTH_MAX = 20


class Function(Struct, frozen=True):
    """A function: its number of arguments, and its implementation (run, *arguments)."""

    least: int
    most: int
    call: Callable[..., Any]


def length(run: Run, value: Any) -> int:
    """Return the number of characters of a string, or of items of a list."""
    return len(value) if isinstance(value, str) else len(items(run, value, "len"))


def contains(run: Run, whole: Any, part: Any) -> bool:
    """Return whether a string contains a part, or a list an item."""
    if isinstance(whole, str):
        return text(part, "contains") in bounded_text(whole)
    return any(same(read(item), part) for item in items(run, whole, "contains"))


def flatten(run: Run, value: Any) -> list[Any]:
    """Return a list in which each list is replaced by its items, one level deep."""
    flat: list[Any] = []
    for item in items(run, value, "flatten"):
        flat += items(run, item, "flatten") if isinstance(item, list) else [item]
        bounded_list(flat)
    return flat


def merge(run: Run, value: Any) -> Any:
    """Join lists, or merge objects, in which later values win."""
    parts = [item for item in items(run, value, "merge") if item is not None]
    if parts and isinstance(parts[0], list):
        joined: list[Any] = []
        for part in parts:
            joined += items(run, part, "merge")
            bounded_list(joined)
        return joined
    merged: Object = {}
    for part in parts:
        merged |= _object(run, part, "merge")
    return merged


def merge_deep(run: Run, value: Any) -> Object:
    """Merge objects, and also the objects and lists in them."""
    parts = [_object(run, item, "mergeDeep") for item in items(run, value, "mergeDeep") if item is not None]
    return reduce(lambda base, patch: _merged(run, base, patch, _MERGE_DEPTH_MAX), parts, {})


def _merged(run: Run, base: Any, patch: Any, depth: int) -> Any:
    if depth == 0:
        raise FormulaError(f"mergeDeep merges at most {_MERGE_DEPTH_MAX} levels of objects")
    if isinstance(base, dict) and isinstance(patch, dict):
        base, patch = cast("Object", base), cast("Object", patch)
        run.spend(len(base) + len(patch))
        merged = dict(base)
        for key, value in patch.items():
            merged[key] = _merged(run, base[key], value, depth - 1) if key in base else value
        return merged
    if isinstance(base, list) and isinstance(patch, list):
        return bounded_list(items(run, base, "mergeDeep") + items(run, patch, "mergeDeep"))
    return patch


def _object(run: Run, value: Any, what: str) -> Object:
    if not isinstance(value, dict):
        raise FormulaError(f"{what} needs an object (got {kind_of(value)})")
    as_object = cast("Object", value)
    run.spend(len(as_object))
    return as_object


def split(run: Run, whole: Any, separator: Any) -> list[str]:
    """Return the parts of a string between separators."""
    whole, separator = text(whole, "split"), text(separator, "split")
    parts = ["", *whole, ""] if separator == "" else whole.split(separator)
    run.spend(len(parts))
    return bounded_list(cast("list[Any]", parts))


def fuzzy(run: Run, value: Any, expected: Any) -> Any:
    """Return the similarity of two strings, from 0 to 1; for a list of strings, the similarity of each."""
    if isinstance(value, list):
        return [likeness(run, item, expected) for item in items(run, value, "fuzzyMatch")]
    return likeness(run, value, expected)


def _extreme(choose: Callable[..., Any], what: str) -> Callable[[Run, Any], Any]:
    def call(run: Run, value: Any) -> Any:
        values = [read(item) for item in items(run, value, what)]
        if not values:
            raise FormulaError(f"{what} needs an array with items")
        if isinstance(values[0], Date):
            if not all(isinstance(item, Date) for item in values):
                raise FormulaError(f"{what} needs numbers only, or dates only")
            return choose(values, key=Date.instant)
        return choose([number(item, what) for item in values])

    return call


def total(run: Run, value: Any) -> Number:
    """Return the sum of a list of numbers."""
    return reduce(exact.add, numbers(run, value, "sum"), 0)


def average(run: Run, value: Any) -> Number | None:
    """Return the mean of a list of numbers."""
    terms = numbers(run, value, "avg")
    if not terms:
        raise FormulaError("avg needs an array with items")
    return exact.divide(reduce(exact.add, terms, 0), len(terms))


def median(run: Run, value: Any) -> Number | None:
    """Return the middle one of the sorted numbers, or the mean of the middle two."""
    ordered = sorted(numbers(run, value, "median"))
    if not ordered:
        raise FormulaError("median needs an array with items")
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else exact.divide(exact.add(ordered[middle - 1], ordered[middle]), 2)


def mode(run: Run, value: Any) -> Number:
    """Return the most frequent number of a list; ties: the greatest."""
    counts = Counter(numbers(run, value, "mode"))
    if not counts:
        raise FormulaError("mode needs an array with items")
    return max(counts, key=lambda count: (counts[count], count))


def rounded(_: Run, value: Any, places: Any = 0) -> Number:
    """Round a number to `places` decimal places; halves are rounded away from zero."""
    return exact.rounded(number(value, "round"), integer(places, "round"))


def truncated(_: Run, value: Any, places: Any = 0) -> Number:
    """Truncate a number to `places` decimal places."""
    return exact.rounded(number(value, "trunc"), integer(places, "trunc"), ROUND_DOWN)


def to_number(_: Run, value: Any) -> Number:
    """Convert a number, a string, true (1) or false (0) to a number."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        converted = exact.number_from(value)
        if converted is None:
            raise FormulaError("number needs a string that is a number")
        return converted
    return number(value, "number")


def to_text(_: Run, value: Any) -> str:
    """Convert null, true, false, a number or a string to a string."""
    return as_text(value)


def type_name(_: Run, value: Any) -> str:
    """Return the name of a value's type."""
    return kind_of(value)


def is_numeric(_: Run, value: Any) -> bool:
    """Return whether a value is a number, or a string that represents one."""
    if isinstance(value, str):
        try:
            return exact.number_from(value) is not None
        except NumberTooLarge:  # formulas cannot compute with it
            return False
    return kind_of(value) == "number"


def to_bool(_: Run, value: Any) -> bool:
    """Return true for true, "true", numbers other than 0, lists, objects and dates."""
    return value.strip() == "true" if isinstance(value, str) else value not in (None, False, 0)


def keys(run: Run, value: Any) -> list[Any]:
    """Return the keys of an object, or the indexes of a list."""
    if isinstance(value, list):
        return list(range(len(items(run, value, "keys"))))
    return bounded_list(list(_object(run, value, "keys")))


def values(run: Run, value: Any) -> list[Any]:
    """Return the values of an object."""
    return bounded_list(list(_object(run, value, "values").values()))


def _of_text(change: Callable[[str], str], what: str) -> Callable[[Run, Any], str]:
    return lambda _, value: bounded_text(change(text(value, what)))


def _of_texts(holds: Callable[[str, str], bool], what: str) -> Callable[[Run, Any, Any], bool]:
    return lambda _, whole, part: holds(text(whole, what), text(part, what))


def _of_number(change: Callable[[Number], Number], what: str) -> Callable[[Run, Any], Number]:
    return lambda _, value: change(number(value, what))


FUNCTIONS: dict[str, Function] = {
    "len": Function(1, 1, length),
    "contains": Function(2, 2, contains),
    "flatten": Function(1, 1, flatten),
    "merge": Function(1, 1, merge),
    "mergeDeep": Function(1, 1, merge_deep),
    "upper": Function(1, 1, _of_text(str.upper, "upper")),
    "lower": Function(1, 1, _of_text(str.lower, "lower")),
    "trim": Function(1, 1, _of_text(str.strip, "trim")),
    "startsWith": Function(2, 2, _of_texts(str.startswith, "startsWith")),
    "endsWith": Function(2, 2, _of_texts(str.endswith, "endsWith")),
    "split": Function(2, 2, split),
    "fuzzyMatch": Function(2, 2, fuzzy),
    "abs": Function(1, 1, _of_number(abs, "abs")),
    "sum": Function(1, 1, total),
    "avg": Function(1, 1, average),
    "min": Function(1, 1, _extreme(min, "min")),
    "max": Function(1, 1, _extreme(max, "max")),
    "median": Function(1, 1, median),
    "mode": Function(1, 1, mode),
    "floor": Function(1, 1, _of_number(exact.floor, "floor")),
    "ceil": Function(1, 1, _of_number(exact.ceil, "ceil")),
    "round": Function(1, 2, rounded),
    "trunc": Function(1, 2, truncated),
    "isNumeric": Function(1, 1, is_numeric),
    "string": Function(1, 1, to_text),
    "number": Function(1, 1, to_number),
    "bool": Function(1, 1, to_bool),
    "type": Function(1, 1, type_name),
    "keys": Function(1, 1, keys),
    "values": Function(1, 1, values),
    "d": Function(1, 2, date),
}

# Functions of ZEN that are not allowed, because their results depend on the time of evaluation, or are random.
IMPURE = frozenset(
    [
        "rand",
        "date",
        "time",
        "duration",
        "year",
        "dayOfWeek",
        "dayOfMonth",
        "dayOfYear",
        "weekOfYear",
        "monthOfYear",
        "monthString",
        "dateString",
        "weekdayString",
        "startOf",
        "endOf",
        "now",
    ]
)
IMPURE_METHODS = frozenset({"isToday", "isYesterday", "isTomorrow"})
