"""An event decided once more, with the member as they were then: to look at what deciding did not need to look at.

    the member's log before it ──► decided again ──► the event itself, with every condition looked at

Nothing is written. It is for explanations only, so it is bounded: of a member with a long log, or whose log met many
versions of the programme, an explanation says only what was taken down when the event was decided.
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

EVENTS_MAX = 2_000  # of a member's log
VERSIONS_MAX = 25  # of the programme, which are compiled for it
PAUSE_EVERY = 50  # events: others get their turn

Row = dict[str, Any]


class Again(Struct, frozen=True):
    """The trace with all conditions looked at, and what the event met: the member as they were before it."""

    trace: list[Trace]
    context: Context

    @property
    def scope(self) -> Scope:
        """What conditions saw before the event led to anything, with a budget of their own."""
        return self.context.scope.with_own_budget()

    def is_in(self, group_id: str) -> bool:
        """Whether the member belonged to a group."""
        return group_id in groups_of(self.context.member)

    def criteria(self, kind: str, group_id: str) -> list[ConditionCheck]:
        """Each criterion of a group, as it was for the member; none where criteria do not decide."""
        compiled = self.context.program.compiled(kind, group_id)
        return [] if compiled is None else MECHANIC_RULES[kind].checks_in(self.context, compiled)


async def decided_again(connection: Connection, programme: Programme, row: Row) -> Again | None:
    """Decide an event of the log again. None if its member's log is too long, or it does not come out as it did."""
    rows = await log_of_member(connection, row["member_id"], row["position"], EVENTS_MAX + 1)
    if not rows or len(rows) > EVENTS_MAX or rows[-1]["position"] != row["position"]:
        return None
    programmes = {programme.compiled.version: programme.compiled}
    member = Member(member_id=row["member_id"], user_id=row["user_id"])
    for number, record in enumerate(rows[:-1], start=1):
        program = await _program(connection, programmes, programme, record["program_version"])
        if program is None:
            return None
        member = decide_one(program, member, *_met(record)).member
        if number % PAUSE_EVERY == 0:
            await asyncio.sleep(0)
    event, refused = _met(rows[-1])
    decision = decide_one(_looking(programme.compiled), member, event, refused)
    if [_gist(trace) for trace in decision.trace] != [_gist(trace) for trace in outcome_from(row["outcome"]).trace]:
        return None
    return Again(decision.trace, Context(programme.compiled, member, event, refused))


async def _program(
    connection: Connection, programmes: dict[int, Program], programme: Programme, version: int
) -> Program | None:
    if version not in programmes:
        if len(programmes) >= VERSIONS_MAX:
            return None
        try:
            programmes[version] = (await load_at_version(connection, programme.compiled.org_id, version)).compiled
        except Unavailable:  # it is not compiled again
            return None
    return programmes[version]


def _met(row: Row) -> tuple[Any, frozenset[Any]]:
    """An event, and the claims that could not be had for it."""
    return logged(row).event(), frozenset(outcome_from(row["outcome"]).refused)


def _looking(program: Program) -> Program:
    """The programme, with campaigns that look at all of their conditions."""
    return structs.replace(
        program,
        listeners={
            trigger: tuple(structs.replace(listener, condition=Whole(listener.condition)) for listener in listeners)
            for trigger, listeners in program.listeners.items()
        },
    )


def _gist(trace: Trace) -> tuple[Any, ...]:
    return trace.cause.text, trace.step, trace.listener, trace.refusal, trace.trigger
