"""The effect `add_points`."""

from collections.abc import Mapping, Sequence

from plaudit.core.metrics import Metric

from .amounts import AmountSettings, apply_amount, check_amount, compile_amount, fixed_amounts, preview_amount
from .effect_type import (
    Amount,
    EffectSettings,
    EffectType,
    NamedDocument,
    Preview,
    PreviewReward,
    SettingsAmount,
    SettingsError,
    Text,
)

POINTS = "points"


class AddPoints(EffectSettings, frozen=True):
    amount: Amount
    reason: Text | None = None


def check(settings: AddPoints) -> Sequence[SettingsError]:
    return check_amount(settings.amount)


def amounts(settings: AddPoints) -> Sequence[SettingsAmount]:
    return fixed_amounts(POINTS, settings.amount)


def compile_settings(settings: AddPoints, metrics: Mapping[str, Metric]) -> AmountSettings:
    return compile_amount(POINTS, settings.amount, settings.reason, metrics)


def preview(settings: AddPoints, _: PreviewReward) -> Sequence[Preview]:
    return preview_amount(POINTS, settings.amount)


EFFECT = EffectType(
    name="add_points",
    sentence="Add points; a negative amount deducts them.",
    settings=AddPoints,
    aliases=("award_points",),
    rule_name="award_points",
    references=(NamedDocument("metric", document_id=POINTS),),
    formulas=("amount",),
    check=check,
    amounts=amounts,
    compile=compile_settings,
    apply=apply_amount,
    preview=preview,
)
