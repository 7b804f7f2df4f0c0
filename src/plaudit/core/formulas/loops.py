"""The functions that evaluate a part of a formula for each item of a list, such as map. They cannot be nested."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from .limits import RANGE_MAX, FormulaError
from .values import Run, bounded_list, items, kind_of, read

Instruction = Callable[[Run], Any]
Items = Callable[[Run], Sequence[Any]]


def items_of_list(part: Instruction, name: str) -> Items:
    """Return a function that evaluates to the items of a list."""
    return lambda run: items(run, part(run), name)


def items_of_range(first: int, last: int, where: str) -> Items:
    """Return a function that returns the integers of a range. Raise FormulaError if there are too many."""
    integers = range(first, last + 1)
    if last - first >= RANGE_MAX:
        raise FormulaError(f"the range {where} must have at most {RANGE_MAX:,} numbers")
    return lambda _: integers


def _is_true(run: Run, item: Any, instruction: Instruction) -> bool:
    run.item = read(item)
    result = instruction(run)
    if result is True or result is False:
        return result
    raise FormulaError(f"a condition on the items of an array must be true or false (got {kind_of(result)})")


def _value(run: Run, item: Any, instruction: Instruction) -> Any:
    run.item = read(item)
    return instruction(run)


def _flat(run: Run, sequence: Sequence[Any], instruction: Instruction) -> list[Any]:
    flat: list[Any] = []
    for item in sequence:
        value = _value(run, item, instruction)
        if isinstance(value, list):
            run.spend(len(cast("list[Any]", value)))
            flat += cast("list[Any]", value)
        else:
            flat.append(value)
        bounded_list(flat)
    return flat


LOOPS: dict[str, Callable[[Run, Sequence[Any], Instruction], Any]] = {
    "all": lambda run, sequence, instruction: all(_is_true(run, item, instruction) for item in sequence),
    "some": lambda run, sequence, instruction: any(_is_true(run, item, instruction) for item in sequence),
    "none": lambda run, sequence, instruction: not any(_is_true(run, item, instruction) for item in sequence),
    "one": lambda run, sequence, instruction: sum(_is_true(run, item, instruction) for item in sequence) == 1,
    "count": lambda run, sequence, instruction: sum(_is_true(run, item, instruction) for item in sequence),
    "filter": lambda run, sequence, instruction: [item for item in sequence if _is_true(run, item, instruction)],
    "map": lambda run, sequence, instruction: [_value(run, item, instruction) for item in sequence],
    "flatMap": _flat,
}
