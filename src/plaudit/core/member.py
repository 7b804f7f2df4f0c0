"""A member of a programme: everything that a decision can read. Amounts are scaled integers (see `metrics`)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from .ledger.lots import Book


class Balance(Struct, frozen=True, gc=False):
    """A member's balance of one metric: the current `amount`, and the lifetime amount `earned` (see `ledger.earned`).

    Without a `book`, the whole amount is one lot that never expires.
    """

    amount: int
    earned: int = 0
    book: Book | None = None


class StepProgress(Struct, frozen=True, array_like=True):
    """A member's progress in a step: `value` is the count, or the sum in millionths, within `window`.

    `seen` has the distinct values of a `distinct` goal; `times` has the time and the amount of each counted event, for a
    rolling window. `last_at` is the latest time that counted. `early` has remembered events (see `sequences`), each with
    its time, amount and value. `windows` is the progress in past calendar windows.
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
    """A member's progress in a campaign: completions in all, the latest one, and completions by recent period.

    `steps` is the progress of the current round, by step number. `occurrence` is the key of the recurring campaign's
    occurrence that the steps belong to. `enrolled_at` is set for campaigns that require enrolment.
    """

    completions: int = 0
    last_at: datetime | None = None
    periods: dict[str, int] = {}
    steps: dict[int, StepProgress] = {}
    occurrence: str = ""
    enrolled_at: datetime | None = None


class Holding(Struct, frozen=True, gc=False):
    """The quantity of a product that a member holds, and when the first and the last of it arrived."""

    quantity: int
    first_at: datetime
    last_at: datetime


class Member(Struct, kw_only=True):
    """A member as loaded. `decide` works on a copy and never changes its argument.

    The copy has its own dictionaries, but their values are immutable and are replaced. So a value that is no longer the
    same object has changed, and the commit needs no other marks.

    `enrolled_at` is None before enrolment. `latest_at` is the time of the latest event of any kind, and `active_at` that
    of the member's own latest event. `sequence` counts the member's events. `due_at` is when the next timer is due (see
    `run_due_timers`). `coupons` is the number of coupons by origin (a reward's, product's or pool's id). `merged_into` is
    the user id of the member into whom this one was merged. `states` has the mechanics' states by kind and document id.
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
        """Return a copy that can be changed in place without changing this member."""
        return structs.replace(
            self,  # the attributes are shared: a change replaces the whole dictionary
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
    """A kind of a member's states that are stored as JSON: their type, and the collection's name in an export."""

    type: type[Struct]
    collection: str


# By kind of states: returns the groups that a member with these states belongs to. The mechanics register theirs.
GROUPINGS: dict[str, Callable[[Mapping[str, Any]], frozenset[str]]] = {}

_NO_GROUPS: frozenset[str] = frozenset()


def groups_of(member: Member) -> frozenset[str]:
    """Return the ids of the groups that a member belongs to, as audiences name them."""
    groups = _NO_GROUPS
    for kind, groups_in in GROUPINGS.items():
        states = member.states.get(kind)
        if states:
            groups = groups | groups_in(states) if groups else groups_in(states)
    return groups


# The kinds of states that are stored as JSON, not only in tables of their own. The mechanics register theirs (see
# `mechanics.registry`).
STATE_KINDS: dict[str, StateKind] = {
    "campaign": StateKind(Progress, "campaigns"),
}


# By kind, for kinds whose states follow changes of their documents: returns a state adapted to the current document,
# which is the first argument.
RENEWED: dict[str, Callable[[Any, Any], Any]] = {}


class StateTable(Struct, frozen=True):
    """A separate table for a part of the states of a `kind`: a row for each member and document.

    `name` names the table, and the part of a member to load. `type` is the type of the part: a struct, whose fields are
    columns, or a single value. `part` returns the part of a state, or None. `put` returns a state (or, from None, a new
    one) with the part. If `follows_position`, a row also has the organisation, the user id and the position of the event
    that wrote it.
    """

    name: str
    kind: str
    type: type[Any]
    part: Callable[[Any], Any | None]
    put: Callable[[Any | None, Any], Any]
    follows_position: bool = False

    @property
    def document_column(self) -> str:
        """Return the name of the column with the document's id."""
        return f"{self.kind}_id"

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Return the names of the columns with the part itself."""
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
        """Return the row of a part. `key` is the member's bucket and id, `position` that of the event in the log."""
        values = structs.astuple(part) if isinstance(part, Struct) else (part,)
        if self.follows_position:
            return (*key, document_id, org_id, user_id, *values, position)
        return (*key, document_id, *values)


# By name. The mechanics register theirs.
STATE_TABLES: dict[str, StateTable] = {}


class StateList(Struct, frozen=True):
    """A table of the members who, according to their states, are in each document of a `kind`, and `since` when."""

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
        """Return the name of the column with the document's id."""
        return f"{self.kind}_id"

    def row(self, key: tuple[int, UUID], org_id: UUID, user_id: str, document_id: str, state: Any) -> tuple[Any, ...]:
        """Return the row of a member who is in a document."""
        return (*key, document_id, org_id, user_id, self.since(state))


# By name. The mechanics register theirs.
STATE_LISTS: dict[str, StateList] = {}


_DECODERS: dict[type[Struct], msgspec.json.Decoder[Any]] = {}


def state_decoder(kind: str) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a kind's states from their stored JSON."""
    state_type = STATE_KINDS[kind].type
    decoder = _DECODERS.get(state_type)
    if decoder is None:
        decoder = _DECODERS[state_type] = msgspec.json.Decoder(state_type)
    return decoder


def states_by_kind(member: Member) -> dict[str, dict[str, Any]]:
    """Return the states of a member that are stored as JSON, by kind and document id."""
    of_mechanics = {kind: states for kind, states in member.states.items() if kind in STATE_KINDS}
    return {"campaign": member.progress, **of_mechanics}


def states_of(member: Member, kind: str) -> dict[str, Any]:
    """Return a member's states of a kind by document id. The caller may change the dictionary."""
    match kind:
        case "campaign":
            return member.progress
        case _:
            states = member.states.get(kind)
            if states is None:
                states = member.states[kind] = {}
            return states
