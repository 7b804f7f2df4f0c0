"""decide(program, member, event) -> Decision: what follows from one event. No I/O, no clock, no chance.

The order of everything: enrolment, the event itself, then what followed from it (first come, first looked at), each
meeting the streaks that listen to it, then the campaigns in the order of their priority.
"""

from uuid import UUID

from . import competitions
from .campaigns import consider
from .commands import COMMANDS, run_command
from .deciding import Deciding
from .decision import Decision, Refusal
from .event import ACTION, IMPORT, REGISTRATION, TIMER, Event
from .member import Member
from .program import Program
from .segments import judge, tally
from .streaks import meet
from .timers import fall_due

OPTED_OUT = "optedOut"  # the field of the profile: true while the member does not want to take part
NOTHING_REFUSED: frozenset[UUID] = frozenset()


def decide(program: Program, member: Member, event: Event, refused: frozenset[UUID] = NOTHING_REFUSED) -> Decision:
    """What follows from `event` for `member` under `program`. The arguments are not touched.

    `refused` names the claims (see Decision.claims) that could not be had; any other is taken as granted. A member
    who has not joined is enrolled by the event, unless the organisation has settled otherwise: then the decision's
    `refusal` is `unknown_user`, and nothing follows; nor from an action of one who has opted out (`opted_out`). What falls
    due before the event is `advance`'s to see to.
    """
    deciding = Deciding(program, member, event, refused)
    if deciding.member.enrolled_at is None:
        if event.kind == ACTION and not program.settings.auto_enrol:
            return deciding.decision(Refusal.unknown_user)
        deciding.member.enrolled_at = event.occurred_at
        deciding.touched.add("all")
        if event.kind not in (REGISTRATION, IMPORT):  # these see to it themselves, when there is a profile to look at
            deciding.follow("user.enrolled", {"userId": event.user_id, "source": event.source}, "enrolment")
            _look_at_what_followed(deciding)
    if event.kind == ACTION and member.attributes.get(OPTED_OUT):
        return deciding.decision(Refusal.opted_out)
    present = deciding.member.present
    deciding.member.present = event.occurred_at if present is None else max(present, event.occurred_at)

    if deciding.event is not event:
        deciding.turn_to(event)
    if event.kind in COMMANDS:
        refusal = run_command(deciding)
        if refusal is not None:  # whole or not at all: what it did before it was refused is forgotten
            rejected = Deciding(program, member, event, refused)
            rejected.member.present = deciding.member.present if member.enrolled_at is not None else None
            rejected.trace = deciding.trace
            return rejected.decision(refusal)
    elif event.kind == TIMER:
        fall_due(deciding)
    else:
        _meet(deciding)
    _look_at_what_followed(deciding)
    return deciding.decision()


def _look_at_what_followed(deciding: Deciding) -> None:
    """Whatever followed, and whoever came into segments or left them by it, until nothing more does."""
    while True:
        while deciding.queue:
            deciding.turn_to(deciding.queue.popleft())
            _meet(deciding)
        if not deciding.touched or not deciding.program.segments:
            return
        judge(deciding)


def _meet(deciding: Deciding) -> None:
    trigger = deciding.event.trigger
    if trigger in deciding.program.segments_by_trigger:
        tally(deciding)
    if trigger in deciding.program.competitions_by_trigger:
        competitions.meet(deciding)
    if trigger in deciding.program.streak_listeners:
        for one in deciding.program.streak_listeners[trigger]:
            deciding.trace.append(meet(deciding, one))
    groups_taken: set[str] = set()
    for listener in deciding.program.listening_to(trigger):
        deciding.trace.append(consider(deciding, listener, groups_taken))
