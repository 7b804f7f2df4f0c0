"""Look up the fields that conditions and formulas name: paths into the event's data, or into other scopes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from msgspec import Struct

from plaudit.core.formulas.budget import Budget

from .event import Event
from .member import Member
from .metrics import Metric, to_number
from .profile_fields import FIELDS, MISSING, ProductLike, computed_fields

# A path that starts with none of these is a path into `data`. The mechanics add theirs with `add_scope`.
SCOPES: dict[str, None] = dict.fromkeys(("data", "event", "metadata", "user", "metrics", "campaigns", "badges"))
CUSTOM = ("customFields", "custom")  # how documents refer to custom profile fields
LISTS: dict[str, None] = dict.fromkeys(("badges",))  # scopes that are lists of ids: profile fields
EVENT_FIELDS = ("id", "type", "action", "timestamp", "source")
# Scopes whose first step is a document's id, with the fields of each document.
PARTS_OF_NAMED: dict[str, tuple[str, ...]] = {
    "metrics": (), "campaigns": ("completions",),
}  # fmt: skip
# The kinds of these documents.
KIND_OF_NAMED = {"metrics": "metric", "campaigns": "campaign"}


class StateScope(Struct, frozen=True):
    """A scope with a mechanic's states, for conditions and formulas.

    `fields` returns what they can read of a state of this `kind`, given its compiled document (None if deleted) and the
    state. `parts` are the keys of that dictionary.
    """

    kind: str
    parts: tuple[str, ...]
    fields: Callable[[Any, Any], dict[str, Any]]


_STATE_SCOPES: dict[str, StateScope] = {}


def add_scope(name: str, scope: StateScope) -> None:
    """Add a scope with a mechanic's states, which conditions and formulas can then read."""
    SCOPES[name] = None
    PARTS_OF_NAMED[name], KIND_OF_NAMED[name], _STATE_SCOPES[name] = scope.parts, scope.kind, scope


def remove_scope(name: str) -> None:
    """Remove a scope that `add_scope` added."""
    del SCOPES[name], PARTS_OF_NAMED[name], KIND_OF_NAMED[name], _STATE_SCOPES[name]


def add_list(name: str) -> None:
    """Add a scope that is a list: a profile field with ids of a mechanic's documents."""
    SCOPES[name] = LISTS[name] = None


def remove_list(name: str) -> None:
    """Remove a list that `add_list` added."""
    del SCOPES[name], LISTS[name]


class Scope:
    """The event and the member that conditions and formulas can read, with the API's names.

    `budget` limits their cost. The event and all events that it causes share one budget.
    """

    __slots__ = ("_budget", "_names", "event", "mechanics", "member", "metrics", "products")

    def __init__(
        self,
        event: Event,
        member: Member,
        metrics: Mapping[str, Metric],
        mechanics: Mapping[str, Mapping[str, Any]],
        products: Mapping[str, ProductLike],
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget
        self.event = event
        self.member = member
        self.metrics = metrics
        self.mechanics = mechanics
        self.products = products
        self._names: Names | None = None

    @property
    def budget(self) -> Budget:
        """Return the budget. It is created on first use, because few conditions need it."""
        if self._budget is None:
            self._budget = Budget()
        return self._budget

    @property
    def refused(self) -> int:
        """Return how many evaluations were refused because the budget was spent."""
        return 0 if self._budget is None else self._budget.refused

    def with_own_budget(self) -> "Scope":
        """Return the same scope with its own budget, for evaluations that must not cost the event anything."""
        return Scope(self.event, self.member, self.metrics, self.mechanics, self.products)

    def names(self) -> "Names":
        """Return all scopes as plain values, for formulas. The fields of `data` need no prefix."""
        if self._names is None:
            self._names = Names(self)
        return self._names

    def forget_names(self) -> None:
        """Discard the cached values. Call this when the member has changed."""
        self._names = None

    def root(self, scope: str) -> Any:
        """Return the value that a scope's paths start from."""
        match scope:
            case "event":
                return _event_fields(self.event)
            case "metadata":
                return self.event.metadata
            case "user":
                return {**self.member.attributes, **_as_values(computed_fields(self)), "userId": self.member.user_id}
            case "metrics":
                return self._metrics()
            case "campaigns":
                return {key: {"completions": progress.completions} for key, progress in self.member.progress.items()}
            case _ if scope in LISTS:
                return FIELDS[scope].compute(self)
            case _:
                return self._states(_STATE_SCOPES[scope]) if scope in _STATE_SCOPES else {}

    def _states(self, scope: StateScope) -> dict[str, Any]:
        documents = self.mechanics.get(scope.kind, {})
        states = self.member.states.get(scope.kind, {})
        return {key: scope.fields(documents.get(key), state) for key, state in states.items()}

    def _metrics(self) -> dict[str, Any]:
        balances = self.member.balances
        amounts: dict[str, Any] = {}
        for metric_id, metric in self.metrics.items():
            balance = balances.get(metric_id)
            amounts[metric_id] = to_number(metric.default if balance is None else balance.amount, metric.decimals)
        return amounts


class Names:
    """The names that formulas can use. A scope is built on first use, because most formulas read one or two."""

    __slots__ = ("_roots", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._roots: dict[str, Any] = {"data": scope.event.data}

    def get(self, name: str) -> Any:
        """Return the scope with this name, or the field of the event's data, or None."""
        root = self._roots.get(name)
        if root is None:
            if name not in SCOPES:
                return self._scope.event.data.get(name)
            root = self._roots[name] = self._scope.root(name)
        return root

    def keys(self) -> list[str]:
        """Return all names."""
        return list(self._scope.event.data.keys() | SCOPES.keys())

    def __getitem__(self, name: str) -> Any:
        return self.get(name)


def _as_values(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _instant(value) if isinstance(value, datetime) else value for name, value in fields.items()}


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _event_fields(event: Event) -> dict[str, Any]:
    return {
        "id": str(event.event_id),
        "type": event.trigger,
        "action": event.trigger,
        "timestamp": _instant(event.occurred_at),
        "source": event.source,
    }


Getter = Callable[[Scope], Any]


def getter_of(path: str) -> tuple[Getter, bool]:
    """Return a function that reads `path` in a scope (or MISSING), and whether it returns a list of several values.

    `items[0].sku` and `items.0.sku` read an item of a list by its index. `items[].sku` means any item: the function then
    returns a list with the value of each item that has one.
    """
    scope, steps = scope_and_steps(path)
    if "" in steps:
        return lambda read: list(_all_found(_root(read, scope), steps)), True
    if scope == "data" and len(steps) == 1:
        name = steps[0]
        return lambda read: read.event.data.get(name, MISSING), False
    return lambda read: _found(_root(read, scope), steps), False


def scope_and_steps(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the scope that a path starts in, and the steps from there. An empty step means any item of a list."""
    words = path.replace("[", ".[").split(".")
    words = [word for word in words if word]
    scope = "data"
    if len(words) > 1 and words[0] in CUSTOM:
        scope, words = "user", words[1:]
    elif words and words[0] in SCOPES and (len(words) > 1 or words[0] in LISTS):
        scope, words = words[0], words[1:]
    return scope, tuple(word[1:-1] if word.startswith("[") and word.endswith("]") else word for word in words)


def _root(read: Scope, scope: str) -> Any:
    return read.event.data if scope == "data" else read.root(scope)


def _found(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        value = _child(value, step)
        if value is MISSING:
            return MISSING
    return value


def _all_found(value: Any, steps: tuple[str, ...]) -> list[Any]:
    values: list[Any] = [value]
    for step in steps:
        if step == "":
            values = [item for branch in values if isinstance(branch, list) for item in cast("list[Any]", branch)]
        else:
            values = [child for branch in values if (child := _child(branch, step)) is not MISSING]
    return values


def _child(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, MISSING)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):  # pyright: ignore[reportUnknownArgumentType]
        return value[int(step)]  # pyright: ignore[reportUnknownVariableType]
    return MISSING
