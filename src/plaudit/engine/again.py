"""An event decided once more, with the member as they were then: to look at what deciding did not need to look at.

    the member's log before it ──► decided again ──► the event itself, with every condition looked at

Nothing is written. It is for explanations only, so it is bounded: of a member with a long log, or whose log met many
versions of the programme, an explanation says only what was taken down when the event was decided.
"""

import asyncio
from typing import Any

from msgspec import Struct, structs

from plaudit.core.conditions import Whole
from plaudit.core.decide import decide
from plaudit.core.deciding import Deciding
from plaudit.core.decision import Check, Considered
from plaudit.core.fields import Scope
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.core.segments import NOT_IN, is_in
from plaudit.errors import Unavailable
from plaudit.storage.postgres import Connection
from plaudit.storage.programs import Live, load_at_version
from plaudit.storage.queries import queries_beside

from .arrival import logged
from .outcome import outcome_from

SQL = queries_beside(__file__)

EVENTS_MAX = 2_000  # of a member's log
VERSIONS_MAX = 25  # of the programme, which are compiled for it
PAUSE_EVERY = 50  # events: others get their turn

Row = dict[str, Any]


class Again(Struct, frozen=True):
    """The trace with all conditions looked at, and what the event met: the member as they were before it."""

    trace: list[Considered]
    deciding: Deciding

    @property
    def scope(self) -> Scope:
        """What conditions saw before the event led to anything, with a budget of their own."""
        return self.deciding.scope.apart()

    def is_in(self, segment_id: str) -> bool:
        """Whether the member was in a segment."""
        state = self.deciding.member.segments.get(segment_id)
        return state is not None and state.member

    def criteria(self, segment_id: str) -> list[Check]:
        """Each criterion of a segment, as it was for the member; none where criteria do not decide."""
        checks: list[Check] = []
        segment = self.deciding.program.segments.get(segment_id)
        if segment is not None:
            is_in(self.deciding, segment, self.deciding.member.segments.get(segment_id, NOT_IN), checks)
        return checks


async def decided_again(connection: Connection, live: Live, row: Row) -> Again | None:
    """Decide an event of the log again. None if its member's log is too long, or it does not come out as it did."""
    place = (row["bucket"], row["member_id"], row["position"])
    rows = [dict(one) for one in await connection.fetch(SQL.log_of_member, *place, EVENTS_MAX + 1)]
    if not rows or len(rows) > EVENTS_MAX or rows[-1]["position"] != row["position"]:
        return None
    programs = {live.program.version: live.program}
    member = Member(member_id=row["member_id"], user_id=row["user_id"])
    for number, each in enumerate(rows[:-1], start=1):
        program = await _program(connection, programs, live, each["program_version"])
        if program is None:
            return None
        member = decide(program, member, *_met(each)).member
        if number % PAUSE_EVERY == 0:
            await asyncio.sleep(0)
    event, refused = _met(rows[-1])
    decision = decide(_looking(live.program), member, event, refused)
    if [_gist(one) for one in decision.trace] != [_gist(one) for one in outcome_from(row["outcome"]).trace]:
        return None
    return Again(decision.trace, Deciding(live.program, member, event, refused))


async def _program(connection: Connection, programs: dict[int, Program], live: Live, version: int) -> Program | None:
    if version not in programs:
        if len(programs) >= VERSIONS_MAX:
            return None
        try:
            programs[version] = (await load_at_version(connection, live.program.org_id, version)).program
        except Unavailable:  # it is not compiled again
            return None
    return programs[version]


def _met(row: Row) -> tuple[Any, frozenset[Any]]:
    """An event, and the claims that could not be had for it."""
    return logged(row).event(), frozenset(outcome_from(row["outcome"]).refused)


def _looking(program: Program) -> Program:
    """The programme, with campaigns that look at all of their conditions."""
    return structs.replace(
        program,
        listeners={
            trigger: tuple(structs.replace(one, condition=Whole(one.condition)) for one in listeners)
            for trigger, listeners in program.listeners.items()
        },
    )


def _gist(one: Considered) -> tuple[Any, ...]:
    return one.campaign_id, one.step, one.listener, one.refusal, one.trigger
