"""Trees of conditions, compiled once to small objects that both judge and explain.

A tree is a list (all must hold), `{"and": […]}`, `{"or": […]}`, `{"not": …}`, `{"expression": "…"}`, or one condition
`{"field", "operator", "value"}`. Leaves are numbered in the order of writing; a trace names them by number.
"""

from typing import Any, Protocol, cast

from plaudit.core.formulas.budget import BudgetSpent

from .contained import sentence_of
from .decision import ConditionCheck
from .expressions import Expression, ExpressionError, must_pass
from .fields import MISSING, Getter, Scope, getter_of
from .operators import OPERATORS, Compare, Operator, OperatorError, Search

DEPTH_MAX = 16
LEAVES_MAX = 200
ERRORS_MAX = 50  # of a tree that are told
ACTUAL_TEXT_MAX = 64  # longer texts are cut in the trace
_SHORT = frozenset({int, float, bool, type(None)})  # what a trace keeps as it is


class ConditionError(ValueError):
    """A tree that cannot be compiled: `field` is the path of the invalid part, the message what it must be.

    `further` are the other invalid parts.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.further: list[ConditionError] = []


class Condition(Protocol):
    """One node of a compiled tree."""

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        """Return whether it holds; append each evaluated leaf to `checks`, with its value."""
        ...


class Leaf:
    """A field compared with a value."""

    __slots__ = ("_compare", "_get", "_several", "field", "number", "operator", "value")

    def __init__(self, number: int, field: str, operator: Operator, value: Any, compare: Compare) -> None:
        self.number = number
        self.field = field
        self.operator = operator
        self.value = value
        self._compare = compare
        get, several = getter_of(field)
        self._get: Getter = get
        self._several = several

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        try:
            found = self._get(scope)
            held = any(map(self._compare, found or (MISSING,))) if self._several else self._compare(found)
        except BaseException as problem:
            if must_pass(problem):
                raise
            found, held = sentence_of(problem), False
        checks.append(ConditionCheck(self.number, held, found if found.__class__ in _SHORT else _for_trace(found)))
        return held


class LongLeaf(Leaf):
    """A leaf whose work grows with the value it reads: its steps count against the event's budget."""

    __slots__ = ("_short", "_steps")

    def __init__(self, number: int, field: str, operator: Operator, value: Any, compare: Compare) -> None:
        search = compare if isinstance(compare, Search) else Search(compare, _one_step)
        super().__init__(number, field, operator, value, search.holds)
        self._steps = search.steps
        self._short = search.short

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        try:
            found = self._get(scope)
            if self._several:
                scope.budget.spend(len(found) + sum(map(self._steps, found)))
                held = any(map(self._compare, found or (MISSING,)))
            else:
                kind = found.__class__
                if kind not in _SHORT and (kind is not str or len(found) > self._short):
                    scope.budget.spend(self._steps(found))
                held = self._compare(found)
        except BaseException as problem:
            if must_pass(problem):
                raise
            found, held = str(problem) if isinstance(problem, BudgetSpent) else sentence_of(problem), False
        checks.append(ConditionCheck(self.number, held, found if found.__class__ in _SHORT else _for_trace(found)))
        return held


def _one_step(_: Any) -> int:
    return 1


class Formula:
    """An expression that must be true; if it fails, it is not true."""

    __slots__ = ("_expression", "number", "source")

    def __init__(self, number: int, expression: Expression) -> None:
        self.number = number
        self.source = expression.source
        self._expression = expression

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        try:
            found = self._expression.evaluate(scope.names(), scope.budget)
        except ExpressionError as error:
            found = str(error)
        checks.append(ConditionCheck(self.number, found is True, _for_trace(found)))
        return found is True


class All:
    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self.parts = parts

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        for part in self.parts:  # noqa: SIM110  (a loop: all() would cost a generator on the hottest path)
            if not part.holds(scope, checks):
                return False
        return True


class AnyOf:
    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self.parts = parts

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        return any(part.holds(scope, checks) for part in self.parts)


class Not:
    __slots__ = ("part",)

    def __init__(self, part: Condition) -> None:
        self.part = part

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        refused = scope.refused
        held = self.part.holds(scope, checks)
        return not held and scope.refused == refused  # what was not looked at is not met, either way


class Whole:
    """A condition that also records the leaves that its result did not need, after those that it did.

    The others are evaluated separately: they spend nothing of the event's budget, and do not change the result.
    """

    __slots__ = ("_condition", "_leaves")

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._leaves = _leaves_of(condition)

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        held = self._condition.holds(scope, checks)
        seen = {check.leaf for check in checks}
        apart = scope.apart()
        for leaf in self._leaves:
            if leaf.number not in seen:
                leaf.holds(apart, checks)
        return held


def _leaves_of(condition: Condition) -> list[Leaf | Formula]:
    match condition:
        case Leaf() | Formula():
            return [condition]
        case All() | AnyOf():
            return [leaf for part in condition.parts for leaf in _leaves_of(part)]
        case Not():
            return _leaves_of(condition.part)
        case _:
            return []


ALWAYS = All(())


def compile_conditions(tree: Any, at: str = "conditions") -> tuple[Condition, list[Leaf | Formula]]:
    """Return the compiled tree and its leaves by number. Raise ConditionError naming the invalid part.

    None and `{}` always hold.
    """
    leaves: list[Leaf | Formula] = []
    return _compiled(tree, at, 0, leaves), leaves


def _compiled(tree: Any, at: str, depth: int, leaves: list[Leaf | Formula]) -> Condition:
    if depth > DEPTH_MAX:
        raise ConditionError(at, f"must be nested at most {DEPTH_MAX} levels deep")
    if tree is None or tree == {}:
        return ALWAYS
    if isinstance(tree, list):
        return _only(All(_parts(cast("list[Any]", tree), at, depth, leaves)))
    if not isinstance(tree, dict):
        raise ConditionError(at, "must be a condition or an array of conditions")
    node = cast("dict[str, Any]", tree)
    words = node.keys() & {"and", "or", "not", "all", "any", "expression"}
    if words and len(node) != 1:
        raise ConditionError(at, f"'{min(words)}' cannot be combined with other keys (got {', '.join(sorted(node))})")
    match node:
        case {"and": parts} | {"all": parts}:
            return _only(All(_parts(parts, f"{at}.{next(iter(node))}", depth, leaves)))
        case {"or": parts} | {"any": parts}:
            return AnyOf(_parts(parts, f"{at}.{next(iter(node))}", depth, leaves))
        case {"not": part}:
            return Not(_compiled(part, f"{at}.not", depth + 1, leaves))
        case {"expression": source}:
            return _numbered(leaves, at, _formula(source, at, len(leaves)))
        case _:
            return _numbered(leaves, at, _leaf(node, at, len(leaves)))


def _only(node: All) -> Condition:
    """Return the only item of a list of one: one call less per event."""
    return node.parts[0] if len(node.parts) == 1 else node


def _parts(parts: Any, at: str, depth: int, leaves: list[Leaf | Formula]) -> tuple[Condition, ...]:
    if not isinstance(parts, list):
        raise ConditionError(at, "must be an array of conditions")
    compiled: list[Condition] = []
    wrong: list[ConditionError] = []
    for i, part in enumerate(cast("list[Any]", parts)):
        try:
            compiled.append(_compiled(part, f"{at}[{i}]", depth + 1, leaves))
        except ConditionError as error:
            wrong += [error, *error.further]
            error.further = []
            if len(wrong) >= ERRORS_MAX:
                break
    if wrong:
        wrong[0].further = wrong[1:]
        raise wrong[0]
    return tuple(compiled)


def _numbered(leaves: list[Leaf | Formula], at: str, leaf: Leaf | Formula) -> Leaf | Formula:
    if len(leaves) >= LEAVES_MAX:
        raise ConditionError(at, f"must contain at most {LEAVES_MAX} conditions")
    leaves.append(leaf)
    return leaf


def _formula(source: Any, at: str, number: int) -> Formula:
    if not isinstance(source, str):
        raise ConditionError(f"{at}.expression", "must be a string")
    try:
        return Formula(number, Expression(source))
    except ExpressionError as error:
        raise ConditionError(f"{at}.expression", f"is not a valid formula: {error}") from None


def _leaf(node: dict[str, Any], at: str, number: int) -> Leaf:
    unknown = node.keys() - {"field", "operator", "value"}
    if unknown:
        raise ConditionError(f"{at}.{min(unknown)}", "is not a known key; a condition has field, operator and value")
    field, name = node.get("field"), node.get("operator")
    if not isinstance(field, str) or not 1 <= len(field) <= 256:
        raise ConditionError(f"{at}.field", "must be a string of 1 to 256 characters")
    operator = OPERATORS.get(name) if isinstance(name, str) else None
    if operator is None:
        raise ConditionError(f"{at}.operator", f"must be one of {', '.join(OPERATORS)} (got {name!r})")
    if "value" not in node and operator.value != "none":
        raise ConditionError(f"{at}.value", "is missing")
    value = node.get("value")
    try:
        compare = operator.compile(value)
        long = isinstance(compare, Search) or getter_of(field)[1]
        return (LongLeaf if long else Leaf)(number, field, operator, value, compare)
    except OperatorError as error:
        raise ConditionError(f"{at}.value", f"{error} (for {operator.name})") from None


def _for_trace(found: Any) -> Any:
    """Return a value as a trace stores it: short, and never a whole document."""
    if isinstance(found, str):
        return found if len(found) <= ACTUAL_TEXT_MAX else found[: ACTUAL_TEXT_MAX - 1] + "…"
    if isinstance(found, dict):
        return "(an object)"
    if isinstance(found, list):
        items = cast("list[Any]", found)
        return [_for_trace(item) for item in items[:5]] + ([f"… {len(items)} in all"] if len(items) > 5 else [])
    return None if found is MISSING else found
