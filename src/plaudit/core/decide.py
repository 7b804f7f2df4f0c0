"""decide(program, member, event) -> Decision: what follows from one event. No I/O, no clock, no chance.

The order of everything: enrolment, the event itself, then what followed from it (first come, first looked at), each
meeting the streaks that listen to it, then the campaigns in the order of their priority.
"""

from collections.abc import Mapping
from uuid import UUID

from . import competitions
from .bookkeeping import returns
from .campaigns import consider
from .commands import COMMANDS, run_command
from .contained import BROKEN_MAX, NOTHING_BROKEN, Broken, Part
from .deciding import Deciding
from .decision import Decision, Refusal
from .event import (
    ACTION,
    BACKFILL,
    IMPORT,
    LADDER,
    MERGE,
    PRIZE,
    RECEIPT,
    REFERRAL,
    REGISTRATION,
    ROLLBACK,
    SEGMENT,
    TAKEOVER,
    TIMER,
    Event,
    is_own,
)
from .fields import ACTIVE, PRESENT
from .member import Member
from .merging import is_passed_on, pass_on
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
    due before the event is `advance`'s to see to. A part of the decision that raises is refused (see `contained`).
    """
    broken = NOTHING_BROKEN
    while True:
        try:
            return _decided(program, member, event, refused, broken)
        except Broken as found:  # once for each part that raises: faults are rare, and a decision is short
            if len(broken) >= BROKEN_MAX:
                raise found.problem from None
            broken = {**broken, found.part: found.problem}


def _decided(
    program: Program, member: Member, event: Event, refused: frozenset[UUID], broken: Mapping[Part, BaseException]
) -> Decision:
    deciding = Deciding(program, member, event, refused, broken)
    if deciding.member.enrolled_at is None:
        looked_at = event.kind == LADDER and event.source == "engine"
        if looked_at or (event.kind in (SEGMENT, PRIZE, REFERRAL, BACKFILL) and event.source != "api"):
            return _rejected(deciding, member, Refusal.unknown_user)  # the member has been erased meanwhile
        if event.kind in (MERGE, TAKEOVER, ROLLBACK):  # they have been members before
            return _rejected(deciding, member, Refusal.unknown_user)
        if event.kind in (ACTION, RECEIPT) and not program.settings.auto_enrol:
            return _rejected(deciding, member, Refusal.unknown_user)
        deciding.member.enrolled_at = event.occurred_at
        deciding.touched.add("all")
        if event.kind not in (REGISTRATION, IMPORT):  # these see to it themselves, when there is a profile to look at
            deciding.follow("user.enrolled", {"userId": event.user_id, "source": event.source}, "enrolment")
            _look_at_what_followed(deciding)
    if member.merged_into is not None and is_passed_on(member, event):
        return deciding.decision(pass_on(deciding))
    if event.kind == ACTION and member.attributes.get(OPTED_OUT):
        return deciding.decision(Refusal.opted_out)
    present = deciding.member.present
    deciding.member.present = event.occurred_at if present is None else max(present, event.occurred_at)
    if PRESENT in program.segments_by_part:
        deciding.touched.add(PRESENT)
    if is_own(event):
        active_at = deciding.member.active_at
        deciding.member.active_at = event.occurred_at if active_at is None else max(active_at, event.occurred_at)
        if ACTIVE in program.segments_by_part:
            deciding.touched.add(ACTIVE)

    if deciding.event is not event:
        deciding.turn_to(event)
    if event.kind in COMMANDS:
        refusal = run_command(deciding)
        if refusal is not None:  # whole or not at all: what it did before it was refused is forgotten
            return _rejected(deciding, member, refusal)
    elif event.kind == TIMER:
        fall_due(deciding)
    else:
        _meet(deciding)
    _look_at_what_followed(deciding)
    return deciding.decision()


def _rejected(deciding: Deciding, member: Member, refusal: Refusal) -> Decision:
    """An event that changes nothing but when the member was last heard of. A transfer that cannot arrive goes back."""
    rejected = Deciding(deciding.program, member, deciding.root, NOTHING_REFUSED, deciding.broken)
    if member.enrolled_at is not None:
        rejected.member.present, rejected.member.active_at = deciding.member.present, deciding.member.active_at
    rejected.trace = deciding.trace
    if deciding.root.kind == RECEIPT:
        rejected.onward = returns(deciding)
    return rejected.decision(refusal)


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
            if deciding.broken and deciding.is_broken(f"streak.{one.streak.streak_id}", ~one.number):
                continue
            try:
                deciding.trace.append(meet(deciding, one))
            except BaseException as problem:
                raise deciding.blamed(problem, f"streak.{one.streak.streak_id}", ~one.number) from None
    for listener in deciding.program.listening_to(trigger):
        if deciding.broken and deciding.is_broken(listener.campaign.campaign_id, ~listener.number, listener.step):
            continue
        try:
            deciding.trace.append(consider(deciding, listener))
        except BaseException as problem:
            campaign_id = listener.campaign.campaign_id
            raise deciding.blamed(problem, campaign_id, ~listener.number, listener.step) from None
