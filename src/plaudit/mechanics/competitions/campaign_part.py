"""A ranking that is part of a campaign of type `Competition`. It has the campaign's dates and segments."""

from typing import Any, Final

from msgspec import structs

from plaudit.errors import FieldError
from plaudit.mechanics.base import CampaignPart

from .document import CompetitionPart, Score, check_ranking, prize_amounts, ranking_references
from .state import KIND

_TYPE: Final = "Competition"


def _with_score(campaign: Any) -> Any:
    """Return the campaign with a default score: if it has exactly one trigger, the number of events that match it."""
    part = campaign.competition or CompetitionPart()
    if part.score is not None or len(campaign.triggers) != 1:
        return campaign
    score = Score(trigger=campaign.triggers[0].type, conditions=campaign.triggers[0].conditions)
    return structs.replace(campaign, competition=structs.replace(part, score=score))


def _wrong_part(campaign: Any) -> list[FieldError]:
    """Return the errors in a campaign's ranking, and in the fields that cannot be combined with it."""
    part = campaign.competition
    if campaign.type != _TYPE:
        why = f"must be absent: it is for a campaign of type Competition (got {campaign.type!r})"
        return [] if part is None else [FieldError("competition", why)]
    required = "is required in a Competition: score must say what is ranked, a metric or a trigger"
    if part is None:
        is_live = campaign.simplified_mode and campaign.status == "active"
        return [FieldError("competition", required)] if is_live else []
    wrong = [error.under("competition") for error in check_ranking(part, campaign.end_date)]
    if part.score is None:
        wrong.append(FieldError("competition.score", required.replace("score must say", "it must say")))
    if campaign.effects and not campaign.triggers and not campaign.steps:
        why = "must have at least one item if the campaign has effects (prizes for ranks go in competition.prizes)"
        wrong.append(FieldError("triggers", why))
    if campaign.mode == "recurring":
        why = "must be always-on or time-bound in a Competition: competition.leagues recur automatically (got 'recurring')"
        wrong.append(FieldError("mode", why))
    if campaign.enrolment == "required":
        why = "must be open in a Competition: use segments to restrict who competes (got 'required')"
        wrong.append(FieldError("enrolment", why))
    return wrong


CAMPAIGN_PART = CampaignPart(
    name=KIND,
    campaign_type=_TYPE,
    sentence="a `Competition` ranks by `competition.score`, and its places win prizes",
    type=CompetitionPart,
    fixed=("score", "leagues"),
    effects_in="prizes",
    complete=_with_score,
    check=_wrong_part,
    references=ranking_references,
    amounts=prize_amounts,
    stands_alone=True,
)
