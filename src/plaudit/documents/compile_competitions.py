"""Competitions as the core has them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import structs

from plaudit.core import program as core
from plaudit.core.conditions import compile_conditions
from plaudit.core.fields import getter_of
from plaudit.core.metrics import Metric
from plaudit.core.periods import Period, within_calendar

from .campaign import Campaign
from .competition import Competition, Leagues
from .compile_effects import audience_of, compile_effect


def compile_competition(
    competition_id: str, competition: Competition, metrics: Mapping[str, Metric], campaign: Campaign | None = None
) -> core.Competition:
    """A competition; one that is a part of a `campaign` counts while that listens."""
    score = competition.score
    return core.Competition(
        competition_id=competition_id,
        active=competition.status == "active" if campaign is None else campaign.listens,
        starts_at=within_calendar(competition.start_date),
        ends_at=within_calendar(competition.end_date),
        metric=score.metric if score else None,
        trigger=score.trigger if score else None,
        condition=compile_conditions(score.conditions)[0] if score and score.conditions else None,
        get=getter_of(score.field)[0] if score and score.field else None,
        scope_field=competition.scope_field,
        league=_league(competition.leagues),
        excluded=frozenset(competition.excluded_user_ids),
        audience=audience_of(competition.segments),
        prizes=tuple(
            core.Prize(prize.from_rank, prize.to_rank, tuple(compile_effect(spec, metrics) for spec in prize.effects))
            for prize in competition.prizes
        ),
    )


def competitions_of_campaigns(campaigns: Mapping[str, Campaign]) -> dict[str, Competition]:
    """The rankings that campaigns have as a part, under the campaigns' ids. A paused one is not shown, and counts nothing."""
    return {
        campaign_id: Competition(
            name=campaign.name,
            description=campaign.description,
            status="draft" if campaign.status in ("draft", "paused") else campaign.status,
            start_date=campaign.start_date,
            end_date=campaign.end_date,
            segments=campaign.segments,
            **structs.asdict(campaign.competition),
        )
        for campaign_id, campaign in campaigns.items()
        if campaign.competition is not None and campaign.competition.score is not None
    }


def _league(leagues: Leagues | None) -> core.League | None:
    if leagues is None:
        return None
    return core.League(Period(leagues.period), tuple(leagues.divisions), leagues.promote, leagues.relegate)


def competitions_by(competitions: Iterable[core.Competition], part: str) -> dict[str, tuple[core.Competition, ...]]:
    """The rankings by the metric, or by the trigger, that they go by."""
    found: dict[str, list[core.Competition]] = defaultdict(list)
    for competition in competitions:
        name = getattr(competition, part)
        if name is not None and competition.active:
            found[name].append(competition)
    return {name: tuple(value) for name, value in found.items()}
