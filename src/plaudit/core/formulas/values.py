"""Values in formulas: null, true, false, numbers, strings, lists, objects and dates, and the functions for all of them.

Input values are JSON and are not converted in advance: a number becomes exact when a formula reads it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from .budget import Budget
from .limits import LIST_MAX, STEPS_MAX, TEXT_A_STEP, TEXT_MAX, FormulaError
from .numbers import NUMBER_MAX, Number, number_in, number_out, number_text

NUMBERS = frozenset({int, Decimal})
OUTPUT_ITEMS_MAX = 100  # items of a list in a message's text


class Date:
    """An instant in a time zone; `at` is None for an invalid date."""

    __slots__ = ("at",)

    def __init__(self, at: datetime | None) -> None:
        self.at = at

    def instant(self) -> datetime:
        """Return the instant in UTC. Raise FormulaError if the date is invalid."""
        if self.at is None:
            raise FormulaError("a value is not a valid date")
        return self.at.astimezone(UTC)

    def __str__(self) -> str:
        return "Invalid date" if self.at is None else self.at.isoformat(timespec="seconds").replace("+00:00", "Z")


class Run:
    """One evaluation: the names it can use, the current item of a loop, and the remaining steps.

    `carried` is the intermediate result of a chain of operators. Each step also counts against the event's `budget`.
    """

    __slots__ = ("budget", "carried", "item", "left", "names")

    def __init__(self, names: Any, budget: Budget | None = None) -> None:
        self.names = names
        self.budget = budget
        self.item: Any = None
        self.carried: Any = None
        self.left = STEPS_MAX

    def spend(self, steps: int) -> None:
        """Count steps before doing them. Raise FormulaError if there are too many."""
        self.left -= steps
        if self.left < 0:
            raise FormulaError(f"needs more than {STEPS_MAX:,} steps")
        if self.budget is not None:
            self.budget.spend(steps)

    def spend_on(self, value: Any) -> None:
        """Count the steps of a function that reads a value, if that is a long text."""
        if value.__class__ is str and len(value) >= TEXT_A_STEP:
            self.spend(len(value) // TEXT_A_STEP)


def kind_of(value: Any) -> str:
    """Return the name of a value's type, as the formula function `type()` returns it."""
    if value is None:
        return "null"
    for types, name in _KINDS:
        if isinstance(value, types):
            return name
    return "unknown"


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "bool"), ((int, float, Decimal), "number"), (str, "string"), (list, "array"), (dict, "object"),
    (Date, "date"),
)  # fmt: skip


def read(value: Any) -> Any:
    """Return an input value for use in a formula: a number becomes exact, and must be in range."""
    kind = value.__class__
    if kind is float or kind is Decimal or (kind is int and not -NUMBER_MAX <= value <= NUMBER_MAX):
        return number_in(value)
    return value


def same(a: Any, b: Any) -> bool:
    """Return whether two values are equal. Values of different types, lists and objects are never equal."""
    kind = a.__class__
    if kind is str or a is None:
        return a == b
    if kind in NUMBERS:
        return b.__class__ in NUMBERS and a == b
    if isinstance(a, Date):
        return isinstance(b, Date) and a.at is not None and b.at is not None and a.instant() == b.instant()
    return kind is bool and a is b


def number(value: Any, what: str) -> Number:
    """Return a number. Raise FormulaError for any other value."""
    if value.__class__ in NUMBERS:
        return value
    raise FormulaError(f"{what} needs a number (got {kind_of(value)})")


def integer(value: Any, what: str) -> int:
    """Return a number of 0 or more as an integer, without its decimals."""
    whole = int(number(value, what))
    if whole < 0:
        raise FormulaError(f"{what} needs a number of 0 or more (got {whole})")
    return whole


def text(value: Any, what: str) -> str:
    """Return a string. Raise FormulaError for any other value, or if the string is too long."""
    if not isinstance(value, str):
        raise FormulaError(f"{what} needs a string (got {kind_of(value)})")
    return bounded_text(value)


def bounded_text(value: str) -> str:
    """Return a string. Raise FormulaError if it is too long."""
    if len(value) > TEXT_MAX:
        raise FormulaError(f"a string has more than {TEXT_MAX:,} characters")
    return value


def items(run: Run, value: Any, what: str) -> list[Any]:
    """Return the items of a list, unconverted. Raise FormulaError for any other value, or if the list is too long."""
    if not isinstance(value, list):
        raise FormulaError(f"{what} needs an array (got {kind_of(value)})")
    array = cast("list[Any]", value)
    if len(array) > LIST_MAX:
        raise FormulaError(f"an array has more than {LIST_MAX:,} items")
    run.spend(len(array))
    return array


def numbers(run: Run, value: Any, what: str) -> list[Number]:
    """Return the items of a list of numbers."""
    return [number(read(item), what) for item in items(run, value, what)]


def bounded_list(array: list[Any]) -> list[Any]:
    """Return a list. Raise FormulaError if it is too long."""
    if len(array) > LIST_MAX:
        raise FormulaError(f"an array would have more than {LIST_MAX:,} items")
    return array


def as_text(value: Any) -> str:
    """Return null, a boolean, a number or a string as a string. Raise FormulaError for any other value."""
    if isinstance(value, str):
        return bounded_text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value.__class__ in NUMBERS:
        return number_text(value)
    raise FormulaError(f"a value of type {kind_of(value)} cannot become a string")


def filled_in(value: Any) -> str:
    """Return a value as the text for a message: "" for null, and the items of a list separated by commas."""
    if value is None:
        return ""
    if isinstance(value, list):
        several = cast("list[Any]", value)[:OUTPUT_ITEMS_MAX]
        return bounded_text(", ".join(filled_in(read(item)) for item in several if not isinstance(item, list | dict)))
    return str(value) if isinstance(value, Date) else as_text(value)


def plain(value: Any) -> Any:
    """Return a value as JSON: numbers and dates are converted; lists and objects are returned unchanged."""
    if value.__class__ is Decimal:
        return number_out(value)
    return str(value) if isinstance(value, Date) else value


def joined(run: Run, parts: Iterable[str]) -> str:
    """Join strings. Raise FormulaError if the result is too long."""
    texts: Sequence[str] = list(parts)
    length = sum(map(len, texts))
    if length > TEXT_MAX:
        raise FormulaError(f"a string would have more than {TEXT_MAX:,} characters")
    run.spend(length // 16)
    return "".join(texts)
