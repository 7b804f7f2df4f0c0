"""Where a condition's field is found: dotted paths into the event's data, and the scopes that reach further."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, cast

from plaudit.core.formulas.budget import Budget

from .event import Event
from .member import Member, StreakState
from .metrics import Metric, to_number


class Missing:
    """The value of a field that is not there (null is there)."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


class _Rung(Protocol):
    @property
    def rung_id(self) -> str: ...


class _Ladder(Protocol):
    """What is read of a ladder of the programme, which imports this module."""

    @property
    def rungs(self) -> Sequence[_Rung]: ...


class _Product(Protocol):
    """What is read of a product of the programme."""

    @property
    def type(self) -> str: ...


# What a path without one of these as its first word means is `data.` and the path.
SCOPES = ("data", "event", "metadata", "user", "metrics", "segments", "ladders", "streaks", "campaigns", "badges")
CUSTOM = ("customFields", "custom")  # how the documents address custom fields, which are of the profile
LISTS = ("segments", "badges")  # scopes that are lists of ids themselves
EVENT_FIELDS = ("id", "type", "action", "timestamp", "source")
# The scopes whose first step is an id, and what there is of each.
PARTS_OF_NAMED = {
    "metrics": (), "streaks": ("current", "longest", "freezes", "alive"), "ladders": ("rung", "number"),
    "campaigns": ("completions",),
}  # fmt: skip


class Scope:
    """What conditions and formulas can see: one event and one member, in the words of the API.

    `budget` is what they may spend: of all that follows from one event, unless it is given another.
    """

    __slots__ = ("_budget", "_names", "event", "ladders", "member", "metrics", "products")

    def __init__(
        self,
        event: Event,
        member: Member,
        metrics: Mapping[str, Metric],
        ladders: Mapping[str, _Ladder],
        products: Mapping[str, _Product],
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget
        self.event = event
        self.member = member
        self.metrics = metrics
        self.ladders = ladders
        self.products = products
        self._names: Names | None = None

    @property
    def budget(self) -> Budget:
        """What may be spent; few conditions spend anything, so it is made when it is asked for."""
        if self._budget is None:
            self._budget = Budget()
        return self._budget

    @property
    def refused(self) -> int:
        """How often something was refused for lack of budget."""
        return 0 if self._budget is None else self._budget.refused

    def apart(self) -> "Scope":
        """The same, with a budget of its own: to look at what must not cost the event anything."""
        return Scope(self.event, self.member, self.metrics, self.ladders, self.products)

    def names(self) -> "Names":
        """All scopes as plain values, for formulas; the fields of `data` are also there without a prefix."""
        if self._names is None:
            self._names = Names(self)
        return self._names

    def forget_names(self) -> None:
        """To be called when the member has changed."""
        self._names = None

    def root(self, scope: str) -> Any:
        """The object that a scope's paths start in."""
        match scope:
            case "event":
                return _event_fields(self.event)
            case "metadata":
                return self.event.metadata
            case "user":
                return {**self.member.attributes, **computed_fields(self), "userId": self.member.user_id}
            case "metrics":
                return self._metrics()
            case "streaks":
                return {streak_id: streak_fields(state) for streak_id, state in self.member.streaks.items()}
            case "ladders":
                return {
                    ladder_id: self._ladder(ladder_id, state.effective)
                    for ladder_id, state in self.member.ladders.items()
                }
            case "campaigns":
                return {key: {"completions": progress.completions} for key, progress in self.member.progress.items()}
            case "segments":
                return sorted(segment_id for segment_id, state in self.member.segments.items() if state.member)
            case "badges":
                return badges_of(sorted(self.member.holdings), self.products)
            case _:
                return {}

    def _ladder(self, ladder_id: str, rung: int) -> dict[str, Any]:
        ladder = self.ladders.get(ladder_id)
        known = ladder is not None and 0 <= rung < len(ladder.rungs)
        return {"rung": ladder.rungs[rung].rung_id if known and ladder is not None else None, "number": rung + 1}

    def _metrics(self) -> dict[str, Any]:
        balances = self.member.balances
        found: dict[str, Any] = {}
        for metric_id, metric in self.metrics.items():
            balance = balances.get(metric_id)
            found[metric_id] = to_number(metric.default if balance is None else balance.amount, metric.decimals)
        return found


class Names:
    """What formulas can name. A scope is put together when it is asked for: most formulas look at one or two."""

    __slots__ = ("_roots", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._roots: dict[str, Any] = {"data": scope.event.data}

    def get(self, name: str) -> Any:
        """Return a scope, else a field of the event's data, else None."""
        found = self._roots.get(name)
        if found is None:
            if name not in _SCOPES:
                return self._scope.event.data.get(name)
            found = self._roots[name] = self._scope.root(name)
        return found

    def keys(self) -> list[str]:
        """Return all names."""
        return list(self._scope.event.data.keys() | _SCOPES)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)


_SCOPES = frozenset(SCOPES)

XP_PER_LEVEL = 1_000

ACTIVE = "active"  # the part of a member that is when they last did something
REFERRALS = "referralCount"  # the field of the profile that counts whom a member has referred

PRESENT = "present"  # the part that is when anything last happened to them

# The parts of a member that the computed fields of `user` follow from: whoever looks at one looks at these.
COMPUTED_FROM = {
    "points": ("metrics.points",), "lifetimePoints": ("metrics.points",), "xp": ("metrics.xp",),
    "level": ("metrics.xp",), "coins": ("metrics.coins",), "badges": ("badges",), "badgeCount": ("badges",),
    "streak": ("streaks",), "longestStreak": ("streaks",), "segments": ("segments",), "tier": ("ladders",),
    "createdAt": ("user",), "enrolledAt": ("user",), "lastActiveAt": (ACTIVE,), "updatedAt": (PRESENT,),
    REFERRALS: ("user",),
}  # fmt: skip


def computed_fields(scope: Scope) -> dict[str, Any]:
    """The properties of a user, in the documents' words, that the books keep.

    `level` is 1 and one more for each 1,000 xp, `tier` the rung of the first ladder, `streak` the longest that runs.
    """
    member, balances = scope.member, scope.member.balances
    found: dict[str, Any] = {}
    for name in ("points", "xp", "coins"):
        metric = scope.metrics.get(name)
        if metric is not None:
            balance = balances.get(name)
            found[name] = to_number(metric.default if balance is None else balance.amount, metric.decimals)
            if name == "points":
                found["lifetimePoints"] = to_number(0 if balance is None else balance.earned, metric.decimals)
    found[REFERRALS] = member.attributes.get(REFERRALS, 0)
    found["level"] = level_of(found.get("xp", 0))
    found["badges"] = badges_of(sorted(member.holdings), scope.products)
    found["badgeCount"] = len(found["badges"])
    found["streak"] = max((streak.current for streak in member.streaks.values()), default=0)
    found["longestStreak"] = max((streak.longest for streak in member.streaks.values()), default=0)
    found["segments"] = sorted(segment_id for segment_id, state in member.segments.items() if state.member)
    for ladder_id, ladder in scope.ladders.items():
        state = member.ladders.get(ladder_id)
        rung = -1 if state is None else state.effective
        found["tier"] = ladder.rungs[rung].rung_id if 0 <= rung < len(ladder.rungs) else None
        break
    joined = member.enrolled_at
    if joined is not None:
        updated, active = member.latest_at or joined, last_active_at(member) or joined
        instants = (("createdAt", joined), ("enrolledAt", joined), ("lastActiveAt", active), ("updatedAt", updated))
        for name, instant in instants:
            found[name] = instant.isoformat().replace("+00:00", "Z")
    return found


def last_active_at(member: Member) -> datetime | None:
    """Return when a member last did something; for who has done nothing yet, when they joined."""
    return member.active_at or member.enrolled_at


def badges_of(held: Iterable[str], products: Mapping[str, _Product]) -> list[str]:
    """Return which of the products that a member has are badges, by their ids, in the order given."""
    return [name for name in held if name in products and products[name].type == "badge"]


def level_of(xp: float) -> int:
    """Return the level that so many xp are: 1, and one more for each 1,000."""
    return 1 + int(xp) // XP_PER_LEVEL


def streak_fields(state: StreakState) -> dict[str, Any]:
    """What conditions and formulas see of a streak."""
    return {"current": state.current, "longest": state.longest, "freezes": state.freezes, "alive": state.alive}


def _event_fields(event: Event) -> dict[str, Any]:
    timestamp = event.occurred_at.isoformat().replace("+00:00", "Z")
    return {
        "id": str(event.event_id),
        "type": event.trigger,
        "action": event.trigger,
        "timestamp": timestamp,
        "source": event.source,
    }


Getter = Callable[[Scope], Any]


def getter_of(path: str) -> tuple[Getter, bool]:
    """A function that finds `path` in a scope (MISSING when it is not there), and whether it finds several values.

    `items[0].sku` and `items.0.sku` look into lists by index; `items[].sku` means any of them, and the function then
    answers a list of what it found.
    """
    scope, steps = scope_and_steps(path)
    if "" in steps:
        return lambda read: list(_all_found(_root(read, scope), steps)), True
    if scope == "data" and len(steps) == 1:
        name = steps[0]
        return lambda read: read.event.data.get(name, MISSING), False
    return lambda read: _found(_root(read, scope), steps), False


def scope_and_steps(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the scope that a path starts in, and the steps from there: an empty one is any item of a list."""
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
