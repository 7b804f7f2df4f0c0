"""decide(program, member, event) -> Decision: what follows from one event. No I/O, no clock, no chance.

The order of everything: enrolment, the event itself, then what followed from it (first come, first looked at), each
meeting the campaigns that listen to it in the order of their priority.
"""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from .campaigns import consider
from .deciding import Deciding, Place
from .decision import Considered, Decision, Refusal
from .effects import GrantReward, grant_reward
from .event import ACTION, GRANT, MANUAL_GRANT_CAMPAIGN, PROFILE, Event
from .member import Member
from .program import Program

NOTHING_REFUSED: frozenset[UUID] = frozenset()


def decide(program: Program, member: Member, event: Event, refused: frozenset[UUID] = NOTHING_REFUSED) -> Decision:
    """What follows from `event` for `member` under `program`. The arguments are not touched.

    `refused` names the claims (see Decision.claims) that could not be had; any other is taken as granted. A member
    who has not joined is enrolled by the event, unless the organisation has settled otherwise: then the decision's
    `refusal` is `unknown_user`, and nothing follows.
    """
    deciding = Deciding(program, member, event, refused)
    if deciding.member.enrolled_at is None:
        if event.kind == ACTION and not program.settings.auto_enrol:
            return deciding.decision(Refusal.unknown_user)
        deciding.member.enrolled_at = event.occurred_at
        deciding.follow("user.enrolled", {"userId": event.user_id, "source": event.source}, "enrolment")
        _look_at_what_followed(deciding)
    present = deciding.member.present
    deciding.member.present = event.occurred_at if present is None else max(present, event.occurred_at)

    refusal = None
    deciding.turn_to(event)
    if event.kind == GRANT:
        refusal = _grant(deciding)
    elif event.kind == PROFILE:
        _set_profile(deciding)
    else:
        _meet(deciding)
    _look_at_what_followed(deciding)
    return deciding.decision(refusal)


def _look_at_what_followed(deciding: Deciding) -> None:
    while deciding.queue:
        deciding.turn_to(deciding.queue.popleft())
        _meet(deciding)


def _meet(deciding: Deciding) -> None:
    groups_taken: set[str] = set()
    for listener in deciding.program.listening_to(deciding.event.trigger):
        deciding.trace.append(consider(deciding, listener, groups_taken))


def _grant(deciding: Deciding) -> Refusal | None:
    """A reward granted by hand: no campaign's rules apply; it is booked under a campaign of that name."""
    settings = GrantReward(reward_id=str(deciding.event.data["rewardId"]))
    effect = grant_reward(deciding, Place(MANUAL_GRANT_CAMPAIGN, 0, 0), settings)
    deciding.trace.append(Considered(MANUAL_GRANT_CAMPAIGN, 0, 0, None, [], [effect]))
    return effect.refusal


def _set_profile(deciding: Deciding) -> None:
    data = deciding.event.data
    attributes = cast("dict[str, Any]", data.get("attributes") or {})
    kept = {**deciding.member.attributes, **attributes}
    deciding.member.attributes = {name: value for name, value in kept.items() if value is not None}
    deciding.identities = cast("Mapping[str, str | None]", data.get("identities") or {})
    deciding.scope.forget_names()
    deciding.follow("user.updated", {"fields": sorted(attributes)}, "profile")
