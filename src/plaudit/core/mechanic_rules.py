"""The rules of mechanics, as the core calls them. The core finds them in `MECHANIC_RULES` and knows no mechanic's name.

    a compiled document of the programme ─┐
    the member's state for the document ──┼──► the rules ──► the new state, effects, engine events
    an event, or a timer at its due time ─┘

The state contains everything that the rules know of the member's past. The document contains nothing about members.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from .cause import Cause
from .context import Context
from .decision import ConditionCheck, RefusalCode, Trace
from .member import Member, states_of
from .program import MechanicListener, Program


class MechanicRules:
    """The rules of one mechanic. Every method has a default, so a mechanic overrides only what it needs.

    `kind` is the kind of its documents and its states; `<kind>.<document id>` is the cause of its results. `collection`
    is the plural name of its states, in exports and in logged orders. A state is a frozen struct with a field `due_at`
    (None: it has no timer).
    """

    kind: str
    collection: str
    state: type[Struct]
    renews_states: bool = False  # its states follow changes of its documents (see `renewed`)
    undone_first: bool = True  # a rollback undoes it before it reverses transactions; otherwise at the end
    undo_name: str | None = None  # its key in the orders of rollbacks; None: the collection's name
    undo_type: Any = None  # the type of a document's value in such an order; None: a state, or null
    undone_counts: Sequence[str] = ()  # the names of the numbers that `count_undone` returns
    import_name: str | None = None  # its key in the orders of imports; None: it imports nothing
    import_type: Any = None  # the type of a document's value in such an order
    says_what_counted: bool = False  # a reversal's order names the documents that counted the credit
    groups_members: bool = False  # its documents are groups of members, which audiences name and profiles list

    def meet(self, context: Context, listener: MechanicListener) -> Trace | None:
        """Apply the current event to a document that listens to it. Return the trace, or None to leave none."""
        trigger = context.event.trigger if context.event.depth else None
        return Trace(listener.cause.logged, 0, listener.number, trigger=trigger)

    def count_earned(
        self, context: Context, compiled: Any, amount: int, at: datetime, counted_in: frozenset[str] | None
    ) -> Trace | None:
        """Count an amount that was earned at a given time, of a metric that the document counts. Return a trace, or None.

        A negative amount reverses a credit, which the documents `counted_in` counted (None: unknown).
        """

    def has_counted(self, compiled: Any, trace: Iterable[Trace], user_id: str, now: datetime, at: datetime) -> bool:
        """Return whether a document counted the amount that a user earned, or that was reversed, by an event.

        `now` is the event's time, `trace` its trace, and `at` the time for which the amount counts. It is called only if
        the mechanic `says_what_counted`.
        """
        return False

    def reevaluate(self, context: Context, compiled: Any) -> None:
        """Re-evaluate the member after a change of a part that the document depends on."""

    def groups_in(self, states: Mapping[str, Any]) -> frozenset[str]:
        """Return the ids of the groups that a member with these states belongs to, if the mechanic `groups_members`."""
        return frozenset()

    def checks_in(self, context: Context, compiled: Any) -> list[ConditionCheck]:
        """Return the results of a group's criteria for a member, in order; [] if the group has no criteria."""
        return []

    def path_of(self, field: str, documents: Mapping[str, Any]) -> str | None:
        """Return the path for a criterion's field that is an alias, if it refers to one of the mechanic's documents."""
        return None

    def is_dormant(self, compiled: Any) -> bool:
        """Return whether a document's timers are paused because it is not active."""
        return False

    def run_due(self, context: Context, compiled: Any, state: Any) -> None:
        """Run the state's timer, which is due. The new state must be due later, or never."""

    def update_profile(self, context: Context) -> None:
        """React to a change of the member's profile."""

    def renewed(self, compiled: Any, state: Any) -> Any:
        """Return a state adapted to the current document. It is called before any use, if the mechanic `renews_states`."""
        return state

    def fresh(self, compiled: Any | None) -> Any:
        """Return the initial state for a document, or for a deleted one (None)."""
        return self.state()

    def take_over(self, context: Context, document_id: str, compiled: Any, state: Any) -> None:
        """Add the state of a member who was merged into this one."""
        states_of(context.member, self.kind).setdefault(document_id, self.without_due(state))

    def add_former(self, context: Context, document_id: str, state: Any) -> None:
        """Add the state of a merged member for a document that the programme no longer has."""
        states_of(context.member, self.kind).setdefault(document_id, self.without_due(state))

    def import_state(self, context: Context, document_id: str, record: Any) -> RefusalCode | None:
        """Import a member's state of a document from a value of `import_type`. Return the refusal, or None."""

    def to_undo(self, program: Program, real: Member, would: Member) -> dict[str, Any]:
        """Return what a rollback undoes for a member, by document id; `would` is the member without the campaign.

        By default, these are the states of `would` (None: no state) for the documents that `is_rolled_back` selects.
        """
        others = would.states.get(self.kind, {})
        return {
            document_id: others.get(document_id)
            for document_id, state in real.states.get(self.kind, {}).items()
            if self.is_rolled_back(state, others.get(document_id))
        }

    def is_rolled_back(self, state: Any, would: Any | None) -> bool:
        """Return whether a rollback replaces a state with the one without the campaign."""
        return state != would

    def undo(self, context: Context, parts: Mapping[str, Any]) -> None:
        """Undo for a member what `to_undo` returned."""
        for document_id, state in parts.items():
            fresh = self.fresh(context.program.compiled(self.kind, document_id))
            states_of(context.member, self.kind)[document_id] = fresh if state is None else state
            context.changed_parts.update((f"{self.collection}.{document_id}", self.collection))

    def count_undone(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, int]:
        """Return how much a rollback has undone, from the states before and after: a number for each `undone_counts`."""
        return {}

    def unsound(self, state: Any) -> Iterator[str]:
        """Yield the invariants that a state violates, whatever its history."""
        yield from ()

    def without_due(self, state: Any) -> Any:
        """Return the state without a timer."""
        return structs.replace(state, due_at=None)

    def undone_from_log(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a rollback undoes, by document id, from a logged order."""
        undo_type = self.undo_type or self.state | None
        parts: Any = data.get(self.undo_name or self.collection) or {}
        return msgspec.convert(parts, dict[str, undo_type], strict=False, str_keys=True)

    def undone_as_logged(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a rollback undoes in the form of a logged order."""
        return {self.undo_name or self.collection: msgspec.to_builtins(parts, str_keys=True)}

    def states_from_log(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the states in a logged order. Null means that no state exists."""
        return msgspec.convert(
            data.get(self.collection) or {}, dict[str, self.state | None], strict=False, str_keys=True
        )

    def states_as_logged(self, states: Mapping[str, Any]) -> dict[str, Any]:
        """Return states in the form of a logged order."""
        return {self.collection: msgspec.to_builtins(states, str_keys=True)}


# By kind, in the order in which they are evaluated. The mechanics register theirs (see `mechanics.registry`).
MECHANIC_RULES: dict[str, MechanicRules] = {}


def count_earned(
    context: Context, metric_id: str, amount: int, at: datetime, counted_in: frozenset[str] | None = None
) -> None:
    """Count an amount of a metric, earned or reversed, for all documents that count the metric (see the method)."""
    for listener in context.program.earning_listeners.get(metric_id, ()):
        context.contain(
            MECHANIC_RULES[listener.mechanic].count_earned,
            listener.target,
            amount,
            at,
            counted_in,
            cause=listener.cause,
        )


def reevaluate(context: Context) -> None:
    """Re-evaluate the member for the documents that depend on changed parts."""
    changed, context.changed_parts = context.changed_parts, set()
    by_part = context.program.part_listeners
    concerned = {listener.cause.text: listener for part in changed for listener in by_part.get(part, ())}
    for name in sorted(concerned):
        listener = concerned[name]
        context.contain(MECHANIC_RULES[listener.mechanic].reevaluate, listener.target, cause=listener.cause)


def states_as_logged(states: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return states by kind in the form of a logged order."""
    data: dict[str, Any] = {}
    for kind, rules in MECHANIC_RULES.items():
        data |= rules.states_as_logged(states.get(kind, {}))
    return data


def cause_of(kind: str, document_id: str) -> Cause:
    """Return the cause of a mechanic's results."""
    return Cause(kind, document_id)


def documents_that_counted(
    program: Program, trace: Iterable[Trace], metric_id: str, user_id: str, now: datetime, at: datetime
) -> frozenset[str]:
    """Return the ids of the documents that counted an amount of a metric (see `MechanicRules.has_counted`).

    Mechanics without `says_what_counted` are left out.
    """
    return frozenset(
        listener.cause.id
        for listener in program.earning_listeners.get(metric_id, ())
        if (rules := MECHANIC_RULES[listener.mechanic]).says_what_counted
        and rules.has_counted(listener.target, trace, user_id, now, at)
    )


def says_what_counted(program: Program, metric_id: str) -> bool:
    """Return whether any mechanic with `says_what_counted` counts earned amounts of a metric."""
    listeners = program.earning_listeners.get(metric_id, ())
    return any(MECHANIC_RULES[listener.mechanic].says_what_counted for listener in listeners)
