"""Trees of conditions, compiled once to small objects that evaluate them and record the values for explanations.

A tree is a list (all must hold), `{"and": […]}`, `{"or": […]}`, `{"not": …}`, `{"expression": "…"}`, or one condition
`{"field", "operator", "value"}`. Leaves are numbered in the order in which they are written; traces use the numbers.
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
ERRORS_MAX = 50  # errors of a tree that are reported
ACTUAL_TEXT_MAX = 64  # characters of a string in the trace
_SHORT = frozenset({int, float, bool, type(None)})  # types that a trace stores unchanged


class ConditionError(ValueError):
    """An invalid part of a tree: `field` is its path, and the message says what it must be.

    `further` has the errors of the tree's other invalid parts.
    """

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field
        self.further: list[ConditionError] = []


class Condition(Protocol):
    """One node of a compiled tree."""

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        """Return whether the condition holds; append each evaluated leaf to `checks`, with the value it read."""
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
            value = self._get(scope)
            held = any(map(self._compare, value or (MISSING,))) if self._several else self._compare(value)
        except BaseException as problem:
            if must_pass(problem):
                raise
            value, held = sentence_of(problem), False
        checks.append(ConditionCheck(self.number, held, value if value.__class__ in _SHORT else _for_trace(value)))
        return held


class LongLeaf(Leaf):
    """A leaf whose cost grows with the value it reads: its steps count against the event's budget."""

    __slots__ = ("_short", "_steps")

    def __init__(self, number: int, field: str, operator: Operator, value: Any, compare: Compare) -> None:
        search = compare if isinstance(compare, Search) else Search(compare, _one_step)
        super().__init__(number, field, operator, value, search.holds)
        self._steps = search.steps
        self._short = search.short

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        try:
            value = self._get(scope)
            if self._several:
                scope.budget.spend(len(value) + sum(map(self._steps, value)))
                held = any(map(self._compare, value or (MISSING,)))
            else:
                kind = value.__class__
                if kind not in _SHORT and (kind is not str or len(value) > self._short):
                    scope.budget.spend(self._steps(value))
                held = self._compare(value)
        except BaseException as problem:
            if must_pass(problem):
                raise
            value, held = str(problem) if isinstance(problem, BudgetSpent) else sentence_of(problem), False
        checks.append(ConditionCheck(self.number, held, value if value.__class__ in _SHORT else _for_trace(value)))
        return held


def _one_step(_: Any) -> int:
    return 1


class Formula:
    """An expression that must be true. If it raises, it is not true."""

    __slots__ = ("_expression", "number", "source")

    def __init__(self, number: int, expression: Expression) -> None:
        self.number = number
        self.source = expression.source
        self._expression = expression

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        try:
            value = self._expression.evaluate(scope.names(), scope.budget)
        except ExpressionError as error:
            value = str(error)
        checks.append(ConditionCheck(self.number, value is True, _for_trace(value)))
        return value is True


class All:
    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Condition, ...]) -> None:
        self.parts = parts

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        for part in self.parts:  # noqa: SIM110  (all() would need a generator, on the hottest path)
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
        return not held and scope.refused == refused  # a condition that exceeds the budget fails, negated or not


class Whole:
    """A condition that also records the leaves that its result did not need, after those that it needed.

    The others are evaluated with a separate budget, so they cost the event nothing and do not change the result.
    """

    __slots__ = ("_condition", "_leaves")

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        self._leaves = _leaves_of(condition)

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        held = self._condition.holds(scope, checks)
        seen = {check.leaf for check in checks}
        separate = scope.with_own_budget()
        for leaf in self._leaves:
            if leaf.number not in seen:
                leaf.holds(separate, checks)
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
    """Return the compiled tree and its leaves in order. Raise ConditionError for an invalid part.

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
    """Return the item of a list of one, which saves a call per event."""
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


def _for_trace(value: Any) -> Any:
    """Return a value in the short form that a trace stores."""
    if isinstance(value, str):
        return value if len(value) <= ACTUAL_TEXT_MAX else value[: ACTUAL_TEXT_MAX - 1] + "…"
    if isinstance(value, dict):
        return "(an object)"
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_for_trace(item) for item in items[:5]] + ([f"… {len(items)} in all"] if len(items) > 5 else [])
    return None if value is MISSING else value
