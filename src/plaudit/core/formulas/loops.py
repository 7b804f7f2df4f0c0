"""The functions of formulas that apply a part to each item of a list: map, filter and the like. None in another."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from .limits import RANGE_MAX, FormulaError
from .values import Run, bounded_list, items, kind_of, read

Instruction = Callable[[Run], Any]
Items = Callable[[Run], Sequence[Any]]


def items_of_list(part: Instruction, name: str) -> Items:
    """Return the items of a list that is found out when the formula is evaluated."""
    return lambda run: items(run, part(run), name)


def items_of_range(first: int, last: int, where: str) -> Items:
    """Return the whole numbers of a range, which are not held in memory. Raises FormulaError when they are too many."""
    found = range(first, last + 1)
    if last - first >= RANGE_MAX:
        raise FormulaError(f"the range {where} must have at most {RANGE_MAX:,} numbers")
    return lambda _: found


def _is_true(run: Run, item: Any, each: Instruction) -> bool:
    run.item = read(item)
    found = each(run)
    if found is True or found is False:
        return found
    raise FormulaError(f"a condition on the items of a list must be true or false (got {kind_of(found)})")


def _value(run: Run, item: Any, each: Instruction) -> Any:
    run.item = read(item)
    return each(run)


def _flat(run: Run, found: Sequence[Any], each: Instruction) -> list[Any]:
    flat: list[Any] = []
    for item in found:
        value = _value(run, item, each)
        if isinstance(value, list):
            run.spend(len(cast("list[Any]", value)))
            flat += cast("list[Any]", value)
        else:
            flat.append(value)
        bounded_list(flat)
    return flat


LOOPS: dict[str, Callable[[Run, Sequence[Any], Instruction], Any]] = {
    "all": lambda run, found, each: all(_is_true(run, item, each) for item in found),
    "some": lambda run, found, each: any(_is_true(run, item, each) for item in found),
    "none": lambda run, found, each: not any(_is_true(run, item, each) for item in found),
    "one": lambda run, found, each: sum(_is_true(run, item, each) for item in found) == 1,
    "count": lambda run, found, each: sum(_is_true(run, item, each) for item in found),
    "filter": lambda run, found, each: [item for item in found if _is_true(run, item, each)],
    "map": lambda run, found, each: [_value(run, item, each) for item in found],
    "flatMap": _flat,
}
