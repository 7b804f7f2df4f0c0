"""Ladders as the core has them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from plaudit.core import program as core
from plaudit.core.metrics import Metric, to_scaled

from .compile_effects import compile_effect
from .ladder import Ladder


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
