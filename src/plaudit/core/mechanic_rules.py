"""What deciding needs of a mechanic. The core finds the mechanics in `MECHANIC_RULES`, and names none.

    a compiled document (of the programme) ─┐
    the state (of the member) ──────────────┼──► the rules ──► the state afterwards, effects, events of the engine
    an event, or a timer at its due time ───┘

A state says all that the rules know of a member's past; a document says nothing of members.
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
    """The rules of one mechanic. Every method has a default, so a mechanic says only what is special about it.

    `kind` is the kind of its documents and of its states; `<kind>.<document id>` is the cause of what it does.
    `collection` is what its states are called together, in exports and in orders of the log.
    A state is a frozen struct with a field `due_at` (None: time alone changes nothing).
    """

    kind: str
    collection: str
    state: type[Struct]
    renews_states: bool = False  # its documents may change in ways that states must follow (see `renewed`)
    undone_first: bool = True  # by a rollback, before the transactions that it reverses; else after all else
    undo_name: str | None = None  # what an order of a rollback calls what it undoes; None: as its states are called
    undo_type: Any = None  # the type of what is undone of a document; None: a state, or null
    undone_counts: Sequence[str] = ()  # what a rollback counts of it
    import_name: str | None = None  # what an order of an import calls what a member brings; None: nothing
    import_type: Any = None  # the type of what is brought for a document
    says_what_counted: bool = False  # orders to reverse a credit name the documents that have counted it
    groups_members: bool = False  # its documents are groups of members, which audiences name and profiles list

    def meet(self, context: Context, listener: MechanicListener) -> Trace | None:
        """Apply the present event to a document that listens to it. Return what came of it; None if nothing is told."""
        trigger = context.event.trigger if context.event.depth else None
        return Trace(listener.cause.logged, 0, listener.number, trigger=trigger)

    def count_earned(
        self, context: Context, compiled: Any, amount: int, at: datetime, counted_in: frozenset[str] | None
    ) -> Trace | None:
        """Count what was earned at an instant of a metric that a document goes by. Return a refusal to be traced, if any.

        A negative amount was taken back, of what the documents `counted_in` had counted (None: nobody knows).
        """

    def has_counted(self, compiled: Any, trace: Iterable[Trace], user_id: str, now: datetime, at: datetime) -> bool:
        """Return whether a document has counted for a user what was earned, or taken back, in an event.

        `now` is the event's time, `trace` what it says, `at` when it counts. Asked where the mechanic `says_what_counted`.
        """
        return False

    def reevaluate(self, context: Context, compiled: Any) -> None:
        """Look at the member again: a part that the document looks at has changed."""

    def groups_in(self, states: Mapping[str, Any]) -> frozenset[str]:
        """Return the ids of the groups that a member belongs to by their states, if the mechanic `groups_members`."""
        return frozenset()

    def checks_in(self, context: Context, compiled: Any) -> list[ConditionCheck]:
        """Return what the criteria of a group come to for a member, by their numbers; none where criteria do not decide."""
        return []

    def path_of(self, field: str, documents: Mapping[str, Any]) -> str | None:
        """Return what a criterion's field means, as a path, if it is a word for one of the mechanic's documents."""
        return None

    def is_dormant(self, compiled: Any) -> bool:
        """Return whether nothing falls due for a document, because it is not active."""
        return False

    def run_due(self, context: Context, compiled: Any, state: Any) -> None:
        """Do what is due now. Afterwards the member's state must be due later, or not at all."""

    def update_profile(self, context: Context) -> None:
        """React to a change of the member's profile."""

    def renewed(self, compiled: Any, state: Any) -> Any:
        """Return a state by the document as it is now: before anything reads it, if the mechanic `renews_states`."""
        return state

    def fresh(self, compiled: Any | None) -> Any:
        """Return the state of a document that nothing has counted for; of one that is no more, if it is None."""
        return self.state()

    def take_over(self, context: Context, document_id: str, compiled: Any, state: Any) -> None:
        """Add the state of somebody else, who goes on as this member."""
        states_of(context.member, self.kind).setdefault(document_id, self.without_due(state))

    def add_former(self, context: Context, document_id: str, state: Any) -> None:
        """Add the state of somebody else, who goes on as this member, of a document that the programme no longer has."""
        states_of(context.member, self.kind).setdefault(document_id, self.without_due(state))

    def bring_in(self, context: Context, document_id: str, brought: Any) -> RefusalCode | None:
        """Give a member what an import brings for a document. Return why not, if so."""

    def to_undo(self, program: Program, real: Member, would: Member) -> dict[str, Any]:
        """Return what a rollback undoes of a member's documents, by their ids; `would` is the member as they would be.

        By default that is the states as they would be (None: as if never begun), of those that it sets back.
        """
        others = would.states.get(self.kind, {})
        return {
            document_id: others.get(document_id)
            for document_id, state in real.states.get(self.kind, {}).items()
            if self.is_rolled_back(state, others.get(document_id))
        }

    def is_rolled_back(self, state: Any, would: Any | None) -> bool:
        """Return whether a rollback sets a state to what it would be."""
        return state != would

    def undo(self, context: Context, parts: Mapping[str, Any]) -> None:
        """Undo at a member what `to_undo` has returned."""
        for document_id, state in parts.items():
            fresh = self.fresh(context.program.compiled(self.kind, document_id))
            states_of(context.member, self.kind)[document_id] = fresh if state is None else state
            context.changed_parts.update((f"{self.collection}.{document_id}", self.collection))

    def count_undone(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, int]:
        """Return what a rollback has come to, of the member's states before and after it: numbers by `undone_counts`."""
        return {}

    def unsound(self, state: Any) -> Iterator[str]:
        """Yield what does not hold of a state, whatever came before."""
        yield from ()

    def without_due(self, state: Any) -> Any:
        """Return the state with nothing due."""
        return structs.replace(state, due_at=None)

    def undone_from_log(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a rollback undoes, by the documents' ids, as an order of the log has it."""
        undo_type = self.undo_type or self.state | None
        parts: Any = data.get(self.undo_name or self.collection) or {}
        return msgspec.convert(parts, dict[str, undo_type], strict=False, str_keys=True)

    def undone_as_logged(self, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a rollback undoes as an order of the log has it: by its name."""
        return {self.undo_name or self.collection: msgspec.to_builtins(parts, str_keys=True)}

    def states_from_log(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the states that an order of the log has. One may be null: there is none."""
        return msgspec.convert(
            data.get(self.collection) or {}, dict[str, self.state | None], strict=False, str_keys=True
        )

    def states_as_logged(self, states: Mapping[str, Any]) -> dict[str, Any]:
        """Return states as an order of the log has them: by what they are called together."""
        return {self.collection: msgspec.to_builtins(states, str_keys=True)}


# By kind, in the order in which they are considered. They are registered with the mechanics (see `mechanics.registry`).
MECHANIC_RULES: dict[str, MechanicRules] = {}


def count_earned(
    context: Context, metric_id: str, amount: int, at: datetime, counted_in: frozenset[str] | None = None
) -> None:
    """Count what was earned of a metric at an instant, or taken back of it, on all documents that go by the metric."""
    for listener in context.program.earning_listeners.get(metric_id, ()):
        if context.broken and context.is_broken(listener.cause):
            continue
        try:
            refused = MECHANIC_RULES[listener.mechanic].count_earned(context, listener.target, amount, at, counted_in)
        except BaseException as problem:
            raise context.blamed(problem, listener.cause) from None
        if refused is not None:
            context.trace.append(refused)


def reevaluate(context: Context) -> None:
    """Let the documents that look at what has changed look at the member again."""
    changed, context.changed_parts = context.changed_parts, set()
    by_part = context.program.part_listeners
    concerned = {listener.cause.text: listener for part in changed for listener in by_part.get(part, ())}
    for name in sorted(concerned):
        listener = concerned[name]
        if context.broken and context.is_broken(listener.cause):
            continue
        try:
            MECHANIC_RULES[listener.mechanic].reevaluate(context, listener.target)
        except BaseException as problem:
            raise context.blamed(problem, listener.cause) from None


def states_as_logged(states: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return states by their kinds as an order of the log has them."""
    data: dict[str, Any] = {}
    for kind, rules in MECHANIC_RULES.items():
        data |= rules.states_as_logged(states.get(kind, {}))
    return data


def cause_of(kind: str, document_id: str) -> Cause:
    """Return the cause of what a mechanic does."""
    return Cause(kind, document_id)


def documents_that_counted(
    program: Program, trace: Iterable[Trace], metric_id: str, user_id: str, now: datetime, at: datetime
) -> frozenset[str]:
    """Return the documents that have counted for a user what was earned of a metric, or taken back of it, in an event.

    `now` is the event's time, `trace` what it says, `at` when it counts. Mechanics that do not say so are left out.
    """
    return frozenset(
        listener.cause.id
        for listener in program.earning_listeners.get(metric_id, ())
        if (rules := MECHANIC_RULES[listener.mechanic]).says_what_counted
        and rules.has_counted(listener.target, trace, user_id, now, at)
    )


def says_what_counted(program: Program, metric_id: str) -> bool:
    """Return whether any mechanic says which documents count what is earned of a metric."""
    listeners = program.earning_listeners.get(metric_id, ())
    return any(MECHANIC_RULES[listener.mechanic].says_what_counted for listener in listeners)
