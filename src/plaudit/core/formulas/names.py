"""What a formula names, without evaluating it: `user.tags` of `count(user.tags) > 1`."""

from collections.abc import Collection, Iterator

from lark import Token, Tree

from .grammar import Branch, parse
from .limits import FormulaError


def fields_named(source: str, roots: Collection[str]) -> list[str]:
    """Return the dotted names in a formula that begin with one of `roots`. A text that is no formula names nothing."""
    try:
        tree = parse(source)
    except FormulaError:
        return []
    aliases = {str(one.children[1]) for one in tree.find_data("aliased")}  # which stand for items of lists
    return list(dict.fromkeys(_named(tree, {*roots} - aliases)))


def _named(tree: Branch, roots: Collection[str]) -> Iterator[str]:
    steps = _steps(tree)
    if len(steps) > 1 and steps[0] in roots:
        yield ".".join(steps)
        return
    for part in tree.children:
        if isinstance(part, Tree):
            yield from _named(part, roots)


def _steps(tree: Branch | Token | None) -> list[str]:
    """Return the names of `a.b["c"]`; of what is more than names, none."""
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
