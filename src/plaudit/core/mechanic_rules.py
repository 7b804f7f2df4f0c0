"""What deciding needs of a mechanic. The core finds the mechanics in `MECHANIC_RULES`, and names none.

    a compiled document (of the programme) ─┐
    the state (of the member) ──────────────┼──► the rules ──► the state afterwards, effects, events of the engine
    an event, or a timer at its due time ───┘

A state says all that the rules know of a member's past; a document says nothing of members.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from .cause import Cause
from .context import Context
from .decision import Trace
from .member import states_of
from .program import MechanicListener


class MechanicRules:
    """The rules of one mechanic. Every method has a default, so a mechanic says only what is special about it.

    `kind` is the kind of its documents and of its states; `<kind>.<document id>` is the cause of what it does.
    `collection` is what its states are called together, in exports and in orders of the log.
    A state is a frozen struct with a field `due_at` (None: time alone changes nothing).
    """

    kind: str
    collection: str
    state: type[Struct]

    def meet(self, context: Context, listener: MechanicListener) -> Trace:
        """Apply the present event to a document that listens to it. Return what came of it."""
        trigger = context.event.trigger if context.event.depth else None
        return Trace(listener.cause.logged, 0, listener.number, trigger=trigger)

    def is_dormant(self, compiled: Any) -> bool:
        """Return whether nothing falls due for a document, because it is not active."""
        return False

    def run_due(self, context: Context, compiled: Any, state: Any) -> None:
        """Do what is due now. Afterwards the member's state must be due later, or not at all."""

    def update_profile(self, context: Context) -> None:
        """React to a change of the member's profile."""

    def fresh(self, compiled: Any | None) -> Any:
        """Return the state of a document that nothing has counted for; of one that is no more, if it is None."""
        return self.state()

    def take_over(self, context: Context, document_id: str, compiled: Any, state: Any) -> None:
        """Add the state of somebody else, who goes on as this member."""
        states_of(context.member, self.kind).setdefault(document_id, self.without_due(state))

    def is_rolled_back(self, state: Any, would: Any | None) -> bool:
        """Return whether a rollback sets a state to what it would be."""
        return state != would

    def unsound(self, state: Any) -> Iterator[str]:
        """Yield what does not hold of a state, whatever came before."""
        yield from ()

    def without_due(self, state: Any) -> Any:
        """Return the state with nothing due."""
        return structs.replace(state, due_at=None)


# By kind, in the order in which they are considered. They are registered with the mechanics (see `mechanics.registry`).
MECHANIC_RULES: dict[str, MechanicRules] = {}


def states_from_log(rules: MechanicRules, states: Any) -> dict[str, Any]:
    """Return states of a mechanic as an order of the log has them. One may be null: it has none."""
    return msgspec.convert(states or {}, dict[str, rules.state | None], strict=False, str_keys=True)


def states_as_logged(states: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return states by their kinds as an order of the log has them: by what each mechanic calls them together."""
    return {
        rules.collection: msgspec.to_builtins(states.get(kind, {}), str_keys=True)
        for kind, rules in MECHANIC_RULES.items()
    }


def cause_of(kind: str, document_id: str) -> Cause:
    """Return the cause of what a mechanic does."""
    return Cause(kind, document_id)
