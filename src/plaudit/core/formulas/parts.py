"""The parts of compiled formulas apart from operators and functions: each reads from a run, or makes one that does."""

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
    found = dict(run.names)
    run.spend(len(found))
    return found


def looked(run: Run, pattern: Pattern, look: Callable[[Pattern, str], Any], where: str) -> Any:
    run.spend(pattern.steps(where))
    return look(pattern, where)


def truth(value: Any, word: str) -> bool:
    if value is True or value is False:
        return value
    raise FormulaError(f"{word} needs true or false (got {kind_of(value)})")


def of_two(a: Instruction, b: Instruction, of_numbers: BinaryOperation, of_others: BinaryOperation) -> Instruction:
    """Return an operation that is mostly one of numbers: a look at their classes is all that it takes then."""

    def value(run: Run) -> Any:
        x, y = a(run), b(run)
        if x.__class__ in NUMBERS and y.__class__ in NUMBERS:
            return of_numbers(x, y)
        return of_others(x, y)

    return value
