"""Parts of compiled formulas other than operators and functions: they read values from a run."""

from collections.abc import Callable
from typing import Any

from plaudit.core.patterns import Pattern

from .limits import FormulaError
from .operations import BinaryOperation
from .values import NUMBERS, Run, kind_of

Instruction = Callable[[Run], Any]


def carried(run: Run) -> Any:
    return run.carried


def the_item(run: Run) -> Any:
    return run.item


def everything(run: Run) -> dict[str, Any]:
    names = dict(run.names)
    run.spend(len(names))
    return names


def searched(run: Run, pattern: Pattern, search: Callable[[Pattern, str], Any], text: str) -> Any:
    run.spend(pattern.steps(text))
    return search(pattern, text)


def truth(value: Any, word: str) -> bool:
    if value is True or value is False:
        return value
    raise FormulaError(f"{word} needs true or false (got {kind_of(value)})")


def of_two(a: Instruction, b: Instruction, of_numbers: BinaryOperation, of_others: BinaryOperation) -> Instruction:
    """Return a binary operation with a fast path for two numbers, as most operations are."""

    def value(run: Run) -> Any:
        x, y = a(run), b(run)
        if x.__class__ in NUMBERS and y.__class__ in NUMBERS:
            return of_numbers(x, y)
        return of_others(x, y)

    return value
