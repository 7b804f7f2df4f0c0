"""Decides an event again, with the member as they were then, to evaluate the conditions that the decision skipped.

    the member's log before the event ──► decided again ──► the event itself, with every condition evaluated

Nothing is written. Explanations are the only use, so the effort is bounded: if the member's log is long or contains many
versions of the programme, an explanation only shows what was recorded when the event was decided.
"""

import asyncio
from typing import Any

from msgspec import Struct, structs

from plaudit.core.conditions import Whole
from plaudit.core.context import Context
from plaudit.core.decide_one import decide_one
from plaudit.core.decision import ConditionCheck, Trace
from plaudit.core.fields import Scope
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import Member, groups_of
from plaudit.core.program import Program
from plaudit.engine.arrival import logged
from plaudit.engine.processed import outcome_from
from plaudit.errors import Unavailable
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme, load_at_version

from .member_log import log_of_member

EVENTS_MAX = 2_000  # the most events of a member's log that are decided again
VERSIONS_MAX = 25  # the most versions of the programme that are compiled for it
PAUSE_EVERY = 50  # events after which other tasks can run

Row = dict[str, Any]


class Redecision(Struct, frozen=True):
    """An event decided again: its trace with all conditions evaluated, and its context with the member before it."""

    trace: list[Trace]
    context: Context

    @property
    def scope(self) -> Scope:
        """The scope of conditions before the event changed anything, with a budget of its own."""
        return self.context.scope.with_own_budget()

    def is_in(self, group_id: str) -> bool:
        """Return whether the member belonged to a group."""
        return group_id in groups_of(self.context.member)

    def criteria(self, kind: str, group_id: str) -> list[ConditionCheck]:
        """Return the results of a group's criteria for the member; none if criteria do not decide."""
        compiled = self.context.program.compiled(kind, group_id)
        return [] if compiled is None else MECHANIC_RULES[kind].checks_in(self.context, compiled)


async def redecide(connection: Connection, programme: Programme, row: Row) -> Redecision | None:
    """Decide an event of the log again. Return None if its member's log is too long, or if the result differs."""
    rows = await log_of_member(connection, row["member_id"], row["position"], EVENTS_MAX + 1)
    if not rows or len(rows) > EVENTS_MAX or rows[-1]["position"] != row["position"]:
        return None
    programmes = {programme.compiled.version: programme.compiled}
    member = Member(member_id=row["member_id"], user_id=row["user_id"])
    for number, record in enumerate(rows[:-1], start=1):
        program = await _program(connection, programmes, programme, record["program_version"])
        if program is None:
            return None
        member = decide_one(program, member, *_event_and_refused(record)).member
        if number % PAUSE_EVERY == 0:
            await asyncio.sleep(0)
    event, refused = _event_and_refused(rows[-1])
    decision = decide_one(_with_whole_conditions(programme.compiled), member, event, refused)
    if [_summary(trace) for trace in decision.trace] != [
        _summary(trace) for trace in outcome_from(row["outcome"]).trace
    ]:
        return None
    return Redecision(decision.trace, Context(programme.compiled, member, event, refused))


async def _program(
    connection: Connection, programmes: dict[int, Program], programme: Programme, version: int
) -> Program | None:
    if version not in programmes:
        if len(programmes) >= VERSIONS_MAX:
            return None
        try:
            programmes[version] = (await load_at_version(connection, programme.compiled.org_id, version)).compiled
        except Unavailable:  # an earlier attempt to compile it failed, so it is not compiled again
            return None
    return programmes[version]


def _event_and_refused(row: Row) -> tuple[Any, frozenset[Any]]:
    """Return a logged event, and the claims that were refused for it."""
    return logged(row).event(), frozenset(outcome_from(row["outcome"]).refused)


def _with_whole_conditions(program: Program) -> Program:
    """Return the programme with campaigns that evaluate all of their conditions."""
    return structs.replace(
        program,
        listeners={
            trigger: tuple(structs.replace(listener, condition=Whole(listener.condition)) for listener in listeners)
            for trigger, listeners in program.listeners.items()
        },
    )


def _summary(trace: Trace) -> tuple[Any, ...]:
    return trace.cause.text, trace.step, trace.listener, trace.refusal, trace.trigger
