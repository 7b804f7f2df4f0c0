"""Values of formulas: null, true and false, numbers, texts, lists, objects, dates; and what they have in common.

Values from outside are JSON and are left as they are: a number becomes exact where a formula reads it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from .budget import Budget
from .limits import LIST_MAX, STEPS_MAX, TEXT_A_STEP, TEXT_MAX, FormulaError
from .numbers import NUMBER_MAX, Number, number_in, number_out, number_text

NUMBERS = frozenset({int, Decimal})
OUTPUT_ITEMS_MAX = 100  # of a list that is written into a text


class Date:
    """An instant in a time zone; `at` is None for an invalid date."""

    __slots__ = ("at",)

    def __init__(self, at: datetime | None) -> None:
        self.at = at

    def instant(self) -> datetime:
        """Return it in UTC. Raises FormulaError for what was no date."""
        if self.at is None:
            raise FormulaError("a value is not a valid date")
        return self.at.astimezone(UTC)

    def __str__(self) -> str:
        return "Invalid date" if self.at is None else self.at.isoformat(timespec="seconds").replace("+00:00", "Z")


class Run:
    """One evaluation: the names it can use, the item of a list that is looked at, and the steps that are left.

    `carried` is what a chain of operators has come to so far. Each step is also one of the event's `budget`.
    """

    __slots__ = ("budget", "carried", "item", "left", "names")

    def __init__(self, names: Any, budget: Budget | None = None) -> None:
        self.names = names
        self.budget = budget
        self.item: Any = None
        self.carried: Any = None
        self.left = STEPS_MAX

    def spend(self, steps: int) -> None:
        """Count steps before they are done. Raise FormulaError if there are too many."""
        self.left -= steps
        if self.left < 0:
            raise FormulaError(f"needs more than {STEPS_MAX:,} steps")
        if self.budget is not None:
            self.budget.spend(steps)

    def spend_on(self, value: Any) -> None:
        """Count the steps of a function on a value, if that is a long text."""
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
    """Return a value from outside as formulas have it: a number exact and within its range."""
    kind = value.__class__
    if kind is float or kind is Decimal or (kind is int and not -NUMBER_MAX <= value <= NUMBER_MAX):
        return number_in(value)
    return value


def same(a: Any, b: Any) -> bool:
    """Return whether two values are equal. Values of different types are not, nor are lists and objects ever."""
    kind = a.__class__
    if kind is str or a is None:
        return a == b
    if kind in NUMBERS:
        return b.__class__ in NUMBERS and a == b
    if isinstance(a, Date):
        return isinstance(b, Date) and a.at is not None and b.at is not None and a.instant() == b.instant()
    return kind is bool and a is b


def number(value: Any, what: str) -> Number:
    """Return a number. Raises FormulaError for any other value."""
    if value.__class__ in NUMBERS:
        return value
    raise FormulaError(f"{what} needs a number (got {kind_of(value)})")


def integer(value: Any, what: str) -> int:
    """Return a number of 0 or more, without its decimals."""
    found = int(number(value, what))
    if found < 0:
        raise FormulaError(f"{what} needs a number of 0 or more (got {found})")
    return found


def text(value: Any, what: str) -> str:
    """Return a text within the bounds. Raises FormulaError for any other value."""
    if not isinstance(value, str):
        raise FormulaError(f"{what} needs a string (got {kind_of(value)})")
    return bounded_text(value)


def bounded_text(value: str) -> str:
    """Return a text that is not too long. Raises FormulaError."""
    if len(value) > TEXT_MAX:
        raise FormulaError(f"a string has more than {TEXT_MAX:,} characters")
    return value


def items(run: Run, value: Any, what: str) -> list[Any]:
    """Return the items of a list, as they are. Raises FormulaError for any other value and for too long a list."""
    if not isinstance(value, list):
        raise FormulaError(f"{what} needs an array (got {kind_of(value)})")
    found = cast("list[Any]", value)
    if len(found) > LIST_MAX:
        raise FormulaError(f"an array has more than {LIST_MAX:,} items")
    run.spend(len(found))
    return found


def numbers(run: Run, value: Any, what: str) -> list[Number]:
    """Return the items of a list of numbers."""
    return [number(read(item), what) for item in items(run, value, what)]


def bounded_list(found: list[Any]) -> list[Any]:
    """Return a list that is not too long. Raises FormulaError."""
    if len(found) > LIST_MAX:
        raise FormulaError(f"an array would have more than {LIST_MAX:,} items")
    return found


def as_text(value: Any) -> str:
    """Return null, a boolean, a number or a text as a text. Raises FormulaError for any other value."""
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
    """Return a value as it stands in a message: nothing for null, and the items of a list one after the other."""
    if value is None:
        return ""
    if isinstance(value, list):
        several = cast("list[Any]", value)[:OUTPUT_ITEMS_MAX]
        return bounded_text(", ".join(filled_in(read(item)) for item in several if not isinstance(item, list | dict)))
    return str(value) if isinstance(value, Date) else as_text(value)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers and dates as such, lists and objects without looking into them."""
    if value.__class__ is Decimal:
        return number_out(value)
    return str(value) if isinstance(value, Date) else value


def joined(run: Run, parts: Iterable[str]) -> str:
    """Return texts put together. Raises FormulaError when that is too long."""
    found: Sequence[str] = list(parts)
    length = sum(map(len, found))
    if length > TEXT_MAX:
        raise FormulaError(f"a string would have more than {TEXT_MAX:,} characters")
    run.spend(length // 16)
    return "".join(found)
