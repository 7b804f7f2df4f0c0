"""Decide one event: `decide_one(program, member, event) -> Decision`. No I/O, no clock, no randomness.

Order: enrolment, the event itself, then the engine events that it caused, first in, first out. Each event is passed to
the mechanics that listen to it, then to the campaigns by priority.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from . import cause
from .campaigns import evaluate
from .commands.command_type import Strangers
from .commands.passed_on import is_passed_on, pass_on
from .commands.registry import COMMANDS
from .contained import BROKEN_MAX, NOTHING_BROKEN, Broken, BrokenPart
from .context import Context
from .decision import Decision, Refusal, RefusalCode
from .due import run_due
from .effects.registry import EFFECTS
from .event import ACTION, TIMER, Event, is_own
from .mechanic_rules import MECHANIC_RULES, reevaluate
from .member import Member
from .profile_fields import ACTIVE, PRESENT
from .program import MechanicListener, Program

OPTED_OUT = "optedOut"  # the profile field: true while the member has opted out
NOTHING_REFUSED: frozenset[UUID] = frozenset()
_OTHERS = Strangers.join  # for events that are neither actions nor commands


def decide_one(program: Program, member: Member, event: Event, refused: frozenset[UUID] = NOTHING_REFUSED) -> Decision:
    """Return the decision on `event` for `member` under `program`. The arguments are not changed.

    `refused` contains the ids of claims (see Decision.claims) that failed; all others are assumed to succeed. An event
    enrols a new member unless the organisation's settings forbid it; the refusal is then `unknown_user`. An action of a
    member who has opted out is refused (`opted_out`). Timers due before the event are decided by `run_due_timers`. A
    part of the decision that raises is refused (see `contained`).
    """
    broken = NOTHING_BROKEN
    while True:
        try:
            return _decided(program, member, event, refused, broken)
        except Broken as error:  # decide again for each part that raises: faults are rare, and a decision is short
            if len(broken) >= BROKEN_MAX:
                raise error.problem from None
            broken = {**broken, error.part: error.problem}


def _decided(
    program: Program, member: Member, event: Event, refused: frozenset[UUID], broken: Mapping[BrokenPart, BaseException]
) -> Decision:
    context = Context(program, member, event, refused, broken, EFFECTS.appliers)
    command = COMMANDS.get(event.kind)
    strangers = _OTHERS if command is None else command.strangers
    if command is not None:
        context.is_silent, context.triggers_nothing = command.is_silent, command.triggers_nothing
    if context.member.enrolled_at is None:
        if event.kind == ACTION:
            strangers = Strangers.join_if_allowed
        if not strangers.may_join(event, auto_enrol=program.settings.auto_enrol):
            return _rejected(context, member, Refusal.unknown_user)
        context.member.enrolled_at = event.occurred_at
        context.changed_parts.add("all")
        if strangers is not Strangers.join_themselves:  # these emit `user.enrolled` themselves, after the profile
            context.emit("user.enrolled", {"userId": event.user_id, "source": event.source}, cause.ENROLMENT)
            _process_cascade(context)
    if member.merged_into is not None and is_passed_on(member, event, command):
        return context.build_decision(pass_on(context, command))
    if event.kind == ACTION and member.attributes.get(OPTED_OUT):
        return context.build_decision(Refusal.opted_out)
    present = context.member.latest_at
    context.member.latest_at = event.occurred_at if present is None else max(present, event.occurred_at)
    if PRESENT in program.part_listeners:
        context.changed_parts.add(PRESENT)
    if is_own(event) or (command is not None and command.is_own):
        active_at = context.member.active_at
        context.member.active_at = event.occurred_at if active_at is None else max(active_at, event.occurred_at)
        if ACTIVE in program.part_listeners:
            context.changed_parts.add(ACTIVE)

    if context.event is not event:
        context.switch_to(event)
    if command is not None:
        refusal = command.run(context)
        if refusal is not None:  # a command succeeds as a whole or changes nothing
            return _rejected(context, member, refusal)
    elif event.kind == TIMER:
        run_due(context)
    else:
        _apply_event(context)
    _process_cascade(context)
    return context.build_decision()


def _rejected(context: Context, member: Member, refusal: RefusalCode) -> Decision:
    """Return a decision that refuses the event: only the member's latest times change."""
    rejected = Context(context.program, member, context.root_event, NOTHING_REFUSED, context.broken)
    if member.enrolled_at is not None:
        rejected.member.latest_at, rejected.member.active_at = context.member.latest_at, context.member.active_at
    rejected.trace = context.trace
    command = COMMANDS.get(context.root_event.kind)
    if command is not None:
        rejected.follow_ups = list(command.after_refusal(context))
    return rejected.build_decision(refusal)


def _process_cascade(context: Context) -> None:
    """Process the queued engine events, and re-evaluate what depends on changed parts, until nothing is left."""
    while True:
        while context.queue:
            context.switch_to(context.queue.popleft())
            _apply_event(context)
        if not context.changed_parts or not context.program.part_listeners:
            return
        reevaluate(context)


def _apply_event(context: Context) -> None:
    trigger = context.event.trigger
    if trigger in context.program.mechanic_listeners:
        _meet_mechanics(context, context.program.mechanic_listeners[trigger])
    for listener in context.program.listeners_of(trigger):
        if context.broken and context.is_broken(listener.campaign.cause, ~listener.number, listener.step):
            continue
        try:
            context.trace.append(evaluate(context, listener))
        except BaseException as problem:
            raise context.as_broken(problem, listener.campaign.cause, ~listener.number, listener.step) from None


def _meet_mechanics(context: Context, listeners: Sequence[MechanicListener]) -> None:
    for listener in listeners:
        context.contain(MECHANIC_RULES[listener.mechanic].meet, listener, cause=listener.cause, number=~listener.number)
