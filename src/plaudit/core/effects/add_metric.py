"""The effect `add_metric`."""

from collections.abc import Mapping, Sequence

from plaudit.core.metrics import Metric

from .amounts import AmountSettings, apply_amount, check_amount, compile_amount, fixed_amounts, preview_amount
from .effect_type import (
    Amount,
    EffectSettings,
    EffectType,
    Id,
    NamedDocument,
    Preview,
    PreviewReward,
    SettingsAmount,
    SettingsError,
    Text,
)


class AddMetric(EffectSettings, frozen=True):
    metric: Id
    amount: Amount
    reason: Text | None = None


def check(settings: AddMetric) -> Sequence[SettingsError]:
    return check_amount(settings.amount)


def amounts(settings: AddMetric) -> Sequence[SettingsAmount]:
    return fixed_amounts(settings.metric, settings.amount)


def compile_settings(settings: AddMetric, metrics: Mapping[str, Metric]) -> AmountSettings:
    return compile_amount(settings.metric, settings.amount, settings.reason, metrics)


def preview(settings: AddMetric, _: PreviewReward) -> Sequence[Preview]:
    return preview_amount(settings.metric, settings.amount)


EFFECT = EffectType(
    name="add_metric",
    sentence="Add an amount of any metric; a negative amount deducts it. The amount is a number or a formula.",
    settings=AddMetric,
    field_aliases={"metricId": "metric"},
    references=(NamedDocument("metric", "metric"),),
    formulas=("amount",),
    check=check,
    amounts=amounts,
    compile=compile_settings,
    apply=apply_amount,
    preview=preview,
)
