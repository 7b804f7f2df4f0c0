"""Streaks and ladders as the core has them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from msgspec import structs

from plaudit.core import program as core
from plaudit.core.conditions import All, compile_conditions
from plaudit.core.metrics import Metric, to_scaled
from plaudit.core.periods import within_calendar
from plaudit.core.typed import Open

from .campaign import Campaign
from .compile_effects import audience_of, compile_effect
from .ladder import Ladder
from .streak import PriceSpec, Streak


def compile_streak(streak_id: str, streak: Streak, metrics: Mapping[str, Metric]) -> core.Streak:
    freezes, fix = streak.freezes, streak.repair
    return core.Streak(
        streak_id=streak_id,
        name=streak.name,
        active=streak.status == "active",
        cadence=streak.cadence,
        threshold=streak.threshold,
        grace=timedelta(hours=streak.grace_hours),
        freezes_max=freezes.maximum if freezes else 0,
        freezes_at_start=freezes.at_start if freezes else 0,
        freezes_automatic=freezes.automatic if freezes else True,
        freeze_price=_price(freezes.price, metrics) if freezes else None,
        repair_days=fix.days if fix else 0,
        repair_price=_price(fix.price, metrics) if fix else None,
        pauses=tuple((pause.start, pause.end) for pause in streak.pauses),
        milestones=tuple(
            core.Milestone(
                milestone_spec.length, tuple(compile_effect(spec, metrics) for spec in milestone_spec.effects)
            )
            for milestone_spec in sorted(streak.milestones, key=lambda milestone: milestone.length)
        ),
    )


def streaks_of_campaigns(campaigns: Mapping[str, Campaign]) -> dict[str, Streak]:
    """The streaks that campaigns have as a part, under the campaigns' ids."""
    return {
        campaign_id: Streak(
            name=campaign.name,
            status="active" if campaign.listens else "paused",
            triggers=campaign.triggers,
            **structs.asdict(campaign.streak),
        )
        for campaign_id, campaign in campaigns.items()
        if campaign.streak is not None
    }


def _open(campaign: Campaign) -> Open:
    return Open(
        within_calendar(campaign.start_date), within_calendar(campaign.end_date), audience_of(campaign.segments)
    )


def ladder_of(ladder_id: str, ladder: Ladder, metrics: Mapping[str, Metric]) -> core.Ladder:
    metric = metrics.get(ladder.metric)
    rungs = tuple(
        core.Rung(
            rung_id=rung.rung_id,
            name=rung.name,
            threshold=to_scaled(rung.threshold, metric.decimals if metric else 0) or 0,
            perks=tuple(rung.perks),
            effects=tuple(compile_effect(spec, metrics) for spec in rung.effects),
            effects_once=rung.effects_once,
        )
        for rung in ladder.rungs
    )
    return core.Ladder(
        ladder_id=ladder_id,
        name=ladder.name,
        metric=ladder.metric,
        rungs=rungs,
        window=ladder.window.type,
        days=ladder.window.days,
        soft_landing=ladder.soft_landing,
        grace_days=ladder.grace_days,
        rung_ids=tuple(rung.rung_id for rung in rungs),
    )


def ladders_by_metric(ladders: Iterable[core.Ladder]) -> dict[str, tuple[core.Ladder, ...]]:
    found: dict[str, list[core.Ladder]] = defaultdict(list)
    for ladder in ladders:
        found[ladder.metric].append(ladder)
    return {metric: tuple(value) for metric, value in found.items()}


def _price(price: PriceSpec | None, metrics: Mapping[str, Metric]) -> core.Price | None:
    if price is None:
        return None
    metric = metrics.get(price.metric)
    return core.Price(price.metric, to_scaled(price.amount, metric.decimals if metric else 0) or 0)


def streak_listeners_of(
    documents: Mapping[str, Streak], streaks: Mapping[str, core.Streak], campaigns: Mapping[str, Campaign]
) -> dict[str, tuple[core.StreakListener, ...]]:
    found: dict[str, list[core.StreakListener]] = defaultdict(list)
    for streak_id, document in documents.items():
        if document.status == "active":
            for number, trigger in enumerate(document.triggers):
                condition, _ = compile_conditions(trigger.conditions)
                if streak_id in campaigns:
                    condition = All((_open(campaigns[streak_id]), condition))
                listener = core.StreakListener(streak=streaks[streak_id], number=number, condition=condition)
                found[trigger.type].append(listener)
    return {trigger: tuple(value) for trigger, value in found.items()}
