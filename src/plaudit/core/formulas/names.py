"""Find the names in a formula without evaluating it, such as `user.tags` in `count(user.tags) > 1`."""

from collections.abc import Iterator
from functools import lru_cache

from lark import Token, Tree

from .grammar import Branch, parse
from .limits import FormulaError


@lru_cache(maxsize=8_192)  # the formulas of a document are searched several times before it is stored
def fields_named(source: str) -> tuple[str, ...]:
    """Return the dotted names in a formula. An invalid formula has none, and keys that contain dots are left out."""
    try:
        tree = parse(source)
    except FormulaError:
        return ()
    aliases = {str(item.children[-1]) for item in tree.find_data("aliased")}  # these are items of lists, not fields
    paths = dict.fromkeys(tuple(steps) for steps in _named(tree) if steps[0] not in aliases)
    return tuple(".".join(steps) for steps in paths if not any("." in step or "[" in step for step in steps))


def _named(tree: Branch) -> Iterator[list[str]]:
    steps = _steps(tree)
    if steps:
        yield steps
        return
    for part in tree.children:
        if isinstance(part, Tree):
            yield from _named(part)


def _steps(tree: Branch | Token | None) -> list[str]:
    """Return the names of a path such as `a.b["c"]`, or [] for anything else."""
    if not isinstance(tree, Tree):
        return []
    if tree.data == "name":
        return [str(tree.children[0])]
    if tree.data not in ("member", "index"):
        return []
    whole, last = _steps(tree.children[0]), tree.children[1]
    if isinstance(last, Tree):
        last = str(last.children[0])[1:-1] if last.data == "text" else ""
    return [*whole, str(last)] if whole and last else []
