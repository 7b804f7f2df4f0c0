"""A streak that is part of a campaign of type `Streak`.

The campaign's triggers extend the streak, and the campaign's effects run each time it is extended.
"""

from typing import Any

from msgspec import structs

from plaudit.core.conditions import Condition
from plaudit.core.decision import ConditionCheck
from plaudit.core.fields import Scope
from plaudit.errors import FieldError
from plaudit.mechanics.base import CampaignPart

from .document import StreakPart, check_terms, terms_amounts, terms_references
from .state import KIND
from .triggers import EXTENDED


class OfStreak:
    """The implicit condition of a campaign with a streak: the event is about this streak."""

    __slots__ = ("_streak_id",)

    def __init__(self, streak_id: str) -> None:
        self._streak_id = streak_id

    def holds(self, scope: Scope, checks: list[ConditionCheck]) -> bool:
        """Return whether the event's data names the streak."""
        return scope.event.data.get("streakId") == self._streak_id


def _listener(campaign_id: str) -> tuple[str, Condition]:
    return EXTENDED, OfStreak(campaign_id)


def _complete(campaign: Any) -> Any:
    if campaign.streak is not None or not campaign.simplified_mode or campaign.steps:
        return campaign
    return structs.replace(campaign, streak=StreakPart())


def _pays(part: StreakPart) -> bool:
    return bool(part.milestones)


def _wrong_part(campaign: Any) -> list[FieldError]:
    """Return the errors in a campaign's streak, and in the fields that cannot be combined with it."""
    if campaign.streak is not None and campaign.type != "Streak":
        return [FieldError("streak", f"must be absent: it is for a campaign of type Streak (got {campaign.type!r})")]
    if campaign.streak is not None and not campaign.simplified_mode:
        return [FieldError("streak", "must be absent in advanced mode: rules do not extend a streak")]
    wrong = [] if campaign.streak is None else [error.under("streak") for error in check_terms(campaign.streak)]
    if campaign.type != "Streak" or not campaign.simplified_mode:
        return wrong
    if campaign.steps:
        wrong.append(FieldError("steps", "must be absent in a Streak: use streak.milestones instead"))
    if campaign.mode == "recurring":
        why = "must be always-on or time-bound in a Streak: streak.cadence says how it recurs (got 'recurring')"
        wrong.append(FieldError("mode", why))
    if campaign.enrolment == "required":
        wrong.append(
            FieldError("enrolment", "must be open in a Streak: the first action starts the streak (got 'required')")
        )
    return wrong


CAMPAIGN_PART = CampaignPart(
    name=KIND,
    campaign_type="Streak",
    sentence="a `Streak` runs its `effects` in each period that counts for its `streak`",
    type=StreakPart,
    fixed=("cadence",),
    effects_in="milestones",
    complete=_complete,
    check=_wrong_part,
    references=terms_references,
    amounts=terms_amounts,
    pays=_pays,
    listener=_listener,
)
