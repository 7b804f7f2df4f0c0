"""The binary operators of formulas."""

import operator
from collections.abc import Callable
from typing import Any, cast

from . import numbers as exact
from .limits import FormulaError
from .values import NUMBERS, Date, Run, bounded_text, items, kind_of, read, same

BinaryOperation = Callable[[Any, Any], Any]


def _no_numbers(sign: str) -> BinaryOperation:
    def refuse(a: Any, b: Any) -> Any:
        raise FormulaError(f"{sign} needs two numbers (got {kind_of(a)} and {kind_of(b)})")

    return refuse


def _joined(a: Any, b: Any) -> str:
    if isinstance(a, str) and isinstance(b, str):
        return bounded_text(a + b)
    raise FormulaError(f"+ needs two numbers or two texts (got {kind_of(a)} and {kind_of(b)})")


def _ordered(holds: BinaryOperation, sign: str) -> tuple[BinaryOperation, BinaryOperation]:
    def of_dates(a: Any, b: Any) -> bool:
        if isinstance(a, Date) and isinstance(b, Date):
            return holds(a.instant(), b.instant())
        raise FormulaError(f"{sign} needs two numbers or two dates (got {kind_of(a)} and {kind_of(b)})")

    return holds, of_dates


# By sign: the operation on two numbers, and the one on any other values.
OPERATIONS: dict[str, tuple[BinaryOperation, BinaryOperation]] = {
    "+": (exact.add, _joined),
    "-": (exact.subtract, _no_numbers("-")),
    "*": (exact.multiply, _no_numbers("*")),
    "/": (exact.divide, _no_numbers("/")),
    "%": (exact.remainder, _no_numbers("%")),
    "^": (exact.power, _no_numbers("^")),
    "<": _ordered(operator.lt, "<"),
    "<=": _ordered(operator.le, "<="),
    ">": _ordered(operator.gt, ">"),
    ">=": _ordered(operator.ge, ">="),
}


def among(run: Run, value: Any, several: Any) -> bool:
    """Return whether a value is an item of a list, or a string a key of an object."""
    if isinstance(several, dict) and isinstance(value, str):
        return value in several
    if isinstance(value, list | dict):
        raise FormulaError(f"in cannot search for a value of type {kind_of(value)}")
    return any(same(read(item), value) for item in items(run, several, "in"))


def within(value: Any, low: Any, high: Any, *, from_low: bool, to_high: bool) -> bool:
    """Return whether a number or a date is in a range, which includes or excludes its ends."""
    kinds = {kind_of(item) for item in (value, low, high)}
    if kinds == {"date"}:
        value, low, high = value.instant(), low.instant(), high.instant()
    elif kinds != {"number"}:
        raise FormulaError(f"a range needs numbers only, or dates only (got {', '.join(sorted(kinds))})")
    return (low <= value if from_low else low < value) and (value <= high if to_high else value < high)


def child(whole: Any, key: Any) -> Any:
    """Return the value of a key of an object, or an item of a list or a character of a string by its index, or null."""
    if isinstance(whole, dict):
        return read(cast("dict[str, Any]", whole).get(key)) if isinstance(key, str) else None
    if isinstance(whole, list | str) and key.__class__ in NUMBERS:
        index = int(key)
        if index < 0:
            raise FormulaError(f"an index must be 0 or more (got {index})")
        return read(whole[index]) if index < len(cast("list[Any]", whole)) else None
    return None


def sliced(run: Run, whole: Any, first: Any, last: Any) -> Any:
    """Return the slice of a string or a list from one index to another, both inclusive."""
    length = len(whole) if isinstance(whole, str) else len(items(run, whole, "a slice"))
    start = 0 if first is None else first
    end = length - 1 if last is None else last
    if start.__class__ not in NUMBERS or end.__class__ not in NUMBERS:
        raise FormulaError("a slice needs indexes that are numbers")
    start, end = int(start), int(end)
    if not 0 <= start <= end + 1 <= length:
        raise FormulaError(f"a slice from {start} to {end} is not within the length {length}")
    return whole[start : end + 1]
