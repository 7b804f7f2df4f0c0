"""Competitions as the core has them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from plaudit.core import program as core
from plaudit.core.conditions import compile_conditions
from plaudit.core.fields import getter_of
from plaudit.core.metrics import Metric
from plaudit.core.periods import Period

from .competition import Competition, Leagues
from .compile_effects import audience_of, effect_of


def competition_of(competition_id: str, competition: Competition, metrics: Mapping[str, Metric]) -> core.Competition:
    """A competition."""
    score = competition.score
    return core.Competition(
        competition_id=competition_id,
        active=competition.status == "active",
        starts_at=competition.start_date,
        ends_at=competition.end_date,
        metric=score.metric if score else None,
        trigger=score.trigger if score else None,
        condition=compile_conditions(score.conditions)[0] if score and score.conditions else None,
        get=getter_of(score.field)[0] if score and score.field else None,
        scope_field=competition.scope_field,
        league=_league(competition.leagues),
        excluded=frozenset(competition.excluded_user_ids),
        audience=audience_of(competition.segments),
        prizes=tuple(
            core.Prize(prize.from_rank, prize.to_rank, tuple(effect_of(spec, metrics) for spec in prize.effects))
            for prize in competition.prizes
        ),
    )


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
    return {name: tuple(each) for name, each in found.items()}
