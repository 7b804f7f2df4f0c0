"""Checks each event and each member during a replay of the log."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from msgspec import Struct, field

from plaudit.core.decision import Trace
from plaudit.core.event import BACKFILL, MERGE, ROLLBACK, TAKEOVER
from plaudit.core.member import Member
from plaudit.core.metrics import Metric
from plaudit.core.soundness import Unsound, unsound
from plaudit.engine.arrival import Arrival
from plaudit.mechanics.base import Recount as MechanicRecount
from plaudit.mechanics.registry import MECHANICS
from plaudit.storage.programmes import Programme

_OTHER_TRACES = frozenset({MERGE, TAKEOVER, BACKFILL, ROLLBACK})  # commands whose traces do not show what counted


class Recount(Struct):
    """The numbers of events and members checked, and the violations. `mechanics` are the checks of the mechanics."""

    events: int = 0
    members: int = 0
    counted_twice: list[str] = field(default_factory=list[str])
    unsound: dict[str, list[str]] = field(
        default_factory=lambda: {kind: list[str]() for kind in (*Unsound, *MECHANICS)}
    )
    mechanics: dict[str, MechanicRecount] = field(
        default_factory=lambda: {kind: mechanic.recount() for kind, mechanic in MECHANICS.items()}
    )
    _changed_by_commands: set[UUID] = field(default_factory=set[UUID])

    def see_event(self, arrival: Arrival, trace: list[Trace], programme: Programme) -> None:
        """Check an event's trace, with the programme that decided it."""
        self.events += 1
        if arrival.kind in (MERGE, TAKEOVER, ROLLBACK):
            self._changed_by_commands.add(arrival.member_id)
        if arrival.kind in _OTHER_TRACES or _is_command_of_mechanic(arrival.kind):
            return
        counted = [
            entry for entry in trace if entry.refusal is None and entry.trigger is None and _counts(entry, programme)
        ]
        if len(counted) > 1:
            times = Counter(f"{entry.cause.text}, step {entry.step}" for entry in counted)
            times += Counter(f"{entry.cause.text}, a round" for entry in counted if _completed(entry))
            self.counted_twice += [f"event {arrival.event_id}: {what}" for what, number in times.items() if number > 1]
        for entry in trace:
            kind, document_id = entry.cause.kind, entry.cause.id
            if kind in self.mechanics:
                compiled = programme.compiled.compiled(kind, document_id)
                self.mechanics[kind].see_event(
                    arrival.member_id, document_id, compiled, arrival.occurred_at, entry.refusal
                )

    def see_member(self, member: Member, metrics: Mapping[str, Metric]) -> None:
        """Check a member's state after all of their events."""
        self.members += 1
        for invariant, problem in unsound(member, metrics):
            self.unsound[invariant].append(f"member {member.member_id}, {problem}")
        by_events = member.member_id not in self._changed_by_commands
        for kind, states in member.states.items():
            for document_id, state in states.items():
                self.mechanics[kind].see_state(member.member_id, document_id, state, by_events=by_events)


def _is_command_of_mechanic(kind: str) -> bool:
    return any(command.kind == kind for mechanic in MECHANICS.values() for command in mechanic.commands)


def _counts(trace: Trace, programme: Programme) -> bool:
    """Return whether an entry of a trace belongs to a campaign, a rule or a mechanic that counts events."""
    cause = trace.cause
    if cause.campaign_id in programme.campaigns or cause.campaign_id in programme.rules:
        return True
    mechanic = MECHANICS.get(cause.kind)
    return mechanic is not None and mechanic.counts_events


def _completed(trace: Trace) -> bool:
    return isinstance(trace.progress, dict) and "completed" in trace.progress
