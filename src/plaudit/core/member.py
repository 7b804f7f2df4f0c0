"""A member of a programme, with everything that deciding may look at. Amounts are scaled integers (see `metrics`)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from .ledger.lots import Book


class Balance(Struct, frozen=True, gc=False):
    """What a member has of one metric: `amount` now, `earned` ever (scaled integers; see `ledger.earned_by`).

    `book` is there where it matters what was earned when; without one, the whole amount is one lot that never expires.
    """

    amount: int
    earned: int = 0
    book: Book | None = None


class StepProgress(Struct, frozen=True, array_like=True):
    """How far a member is in a step: `value` counts or sums (in millionths) within `window`.

    `seen` holds the distinct values of a `distinct` goal, `times` what counted when, for a rolling window. `last_at` is
    the latest time that counted. `early` is what came before the step was open, by time: an amount and a value each.
    `windows` is how far it was in calendar windows that are over.
    """

    value: int = 0
    window: str = ""
    seen: tuple[Any, ...] = ()
    times: tuple[tuple[datetime, int], ...] = ()
    done_at: datetime | None = None
    last_at: datetime | None = None
    early: tuple[tuple[datetime, int, Any], ...] = ()
    windows: tuple["StepProgress", ...] = ()


class Progress(Struct, frozen=True, array_like=True, gc=False):
    """How often a member has completed a campaign, when last, and how often in each recent period (key to count).

    `steps` is how far the present go is, by the step's number; `occurrence` names the time of a recurring campaign
    that it belongs to; `enrolled_at` is set for campaigns that ask to be joined.
    """

    completions: int = 0
    last_at: datetime | None = None
    periods: dict[str, int] = {}
    steps: dict[int, StepProgress] = {}
    occurrence: str = ""
    enrolled_at: datetime | None = None


class Holding(Struct, frozen=True, gc=False):
    """How many of a product a member holds, since when, and when the last one came."""

    quantity: int
    first_at: datetime
    last_at: datetime


class Member(Struct, kw_only=True):
    """A member as loaded; `decide` works on a copy and never touches the one that it was given.

    The dictionaries are copied, their values are immutable and replaced: what has changed is what is no longer the
    same object, so the commit needs no marks. `enrolled_at` is None for somebody who has not joined yet.
    `latest_at` is the time of the latest event of any kind, `active_at` that of the latest of the member's own doing (None: none yet).
    `sequence` counts the member's events; `due_at` is when something falls due without one (see `run_due_timers`).
    `coupons` counts the coupons had by what they came from (`reward_id` or `product_id`). `merged_into` is the user into
    whom the member was merged. `states` are what the mechanics keep: by kind, then by the document that they are of.
    """

    member_id: UUID
    user_id: str
    enrolled_at: datetime | None = None
    latest_at: datetime | None = None
    active_at: datetime | None = None
    sequence: int = 0
    due_at: datetime | None = None
    merged_into: str | None = None
    attributes: dict[str, Any] = {}
    balances: dict[str, Balance] = {}
    progress: dict[str, Progress] = {}
    holdings: dict[str, Holding] = {}
    coupons: dict[str, int] = {}
    states: dict[str, dict[str, Any]] = {}

    def working_copy(self) -> "Member":
        """A member that may be changed in place without touching this one."""
        return structs.replace(
            self,  # with the attributes, which are replaced as a whole when they change
            balances=self.balances.copy(),
            progress=self.progress.copy(),
            holdings=self.holdings.copy(),
            coupons=self.coupons.copy(),
            states={kind: states.copy() for kind, states in self.states.items()} if self.states else {},
        )


def earliest_due(member: Member) -> datetime | None:
    """Return the member's next due time without an event, or None."""
    due: datetime | None = None
    for balance in member.balances.values():
        if balance.book is not None:
            at = balance.book.due_at
            if at is not None and (due is None or at < due):
                due = at
    for states in member.states.values():
        if not states:
            continue
        for state in states.values():
            if state.due_at is not None and (due is None or state.due_at < due):
                due = state.due_at
    return due


class StateKind(Struct, frozen=True):
    """A kind of a member's states that are stored as documents: their type, and the collection's name in an export."""

    type: type[Struct]
    collection: str


# By kind of states, which groups a member belongs to by them. They are registered with the mechanics.
GROUPINGS: dict[str, Callable[[Mapping[str, Any]], frozenset[str]]] = {}

_NO_GROUPS: frozenset[str] = frozenset()


def groups_of(member: Member) -> frozenset[str]:
    """Return the ids of the groups that a member belongs to: those that audiences name."""
    groups = _NO_GROUPS
    for kind, groups_in in GROUPINGS.items():
        states = member.states.get(kind)
        if states:
            groups = groups | groups_in(states) if groups else groups_in(states)
    return groups


# All kinds, but those that have tables of their own. Those of the mechanics are registered with them (see `mechanics.registry`).
STATE_KINDS: dict[str, StateKind] = {
    "campaign": StateKind(Progress, "campaigns"),
}


# What returns a state by what its document (the first) is now, of the kinds whose documents' changes states must follow.
RENEWED: dict[str, Callable[[Any, Any], Any]] = {}


class StateTable(Struct, frozen=True):
    """A table of its own for a part of the states of a `kind`: a row for each member and document.

    `name` is its own, and that of the part of a member that must be loaded. `type` is what its rows hold: a struct, whose
    fields are its columns, or a single value. `part` returns that of a state, None if there is none; `put` returns a state
    (None: there is nothing of it yet) with it. If `follows_position`, rows also say whose they are, and which event of the
    log wrote them.
    """

    name: str
    kind: str
    type: type[Any]
    part: Callable[[Any], Any | None]
    put: Callable[[Any | None, Any], Any]
    follows_position: bool = False

    @property
    def document_column(self) -> str:
        """Return the name of the column that has the document's id."""
        return f"{self.kind}_id"

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Return the names of the columns that have the part itself."""
        return self.type.__struct_fields__ if issubclass(self.type, Struct) else (self.name,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of a row's columns, in the order of `row`."""
        key = ("bucket", "member_id", self.document_column)
        if self.follows_position:
            return (*key, "org_id", "user_id", *self.value_columns, "position")
        return (*key, *self.value_columns)

    def row(
        self, key: tuple[int, UUID], org_id: UUID, user_id: str, document_id: str, part: Any, position: int
    ) -> tuple[Any, ...]:
        """Return the row of a part: of a member by `key`, for a document, as of an event's position in the log."""
        values = structs.astuple(part) if isinstance(part, Struct) else (part,)
        if self.follows_position:
            return (*key, document_id, org_id, user_id, *values, position)
        return (*key, document_id, *values)


# By their names. They are registered with the mechanics.
STATE_TABLES: dict[str, StateTable] = {}


class StateList(Struct, frozen=True):
    """A table that lists who is in each document of a `kind`, as their states say, and `since` when."""

    name: str
    kind: str
    is_in: Callable[[Any], bool]
    since: Callable[[Any], datetime | None]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of a row's columns, in the order of `row`."""
        return ("bucket", "member_id", self.document_column, "org_id", "user_id", "since")

    @property
    def document_column(self) -> str:
        """Return the name of the column that has the document's id."""
        return f"{self.kind}_id"

    def row(self, key: tuple[int, UUID], org_id: UUID, user_id: str, document_id: str, state: Any) -> tuple[Any, ...]:
        """Return the row of a member who is in a document."""
        return (*key, document_id, org_id, user_id, self.since(state))


# By their names. They are registered with the mechanics.
STATE_LISTS: dict[str, StateList] = {}


_DECODERS: dict[type[Struct], msgspec.json.Decoder[Any]] = {}


def state_decoder(kind: str) -> msgspec.json.Decoder[Any]:
    """Return what decodes the small documents of a kind as they are stored."""
    of = STATE_KINDS[kind].type
    decoder = _DECODERS.get(of)
    if decoder is None:
        decoder = _DECODERS[of] = msgspec.json.Decoder(of)
    return decoder


def states_by_kind(member: Member) -> dict[str, dict[str, Any]]:
    """Return all the small documents of a member."""
    small = {kind: states for kind, states in member.states.items() if kind in STATE_KINDS}
    return {"campaign": member.progress, **small}


def states_of(member: Member, kind: str) -> dict[str, Any]:
    """Return the small documents of a kind, to be changed in place."""
    match kind:
        case "campaign":
            return member.progress
        case _:
            states = member.states.get(kind)
            if states is None:
                states = member.states[kind] = {}
            return states
