"""Amounts of metrics, shared by `add_points` and `add_metric`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal, Transaction
from plaudit.core.expressions import Expression, ExpressionError
from plaudit.core.formulas.budget import BudgetSpent
from plaudit.core.formulas.limits import NumberTooLarge
from plaudit.core.ledger.post import amount_of, limits_met, post
from plaudit.core.metrics import AMOUNT_MAX, Metric, to_number, to_scaled

from .effect_type import Amount, Preview, SettingsAmount, SettingsError


class AmountSettings(Struct, frozen=True):
    """A compiled amount of a metric: fixed (in smallest units), or a formula."""

    metric: str
    fixed: int | None
    formula: Expression | None
    reason: str | None = None


def check_amount(amount: Amount) -> Sequence[SettingsError]:
    """Return the errors of a fixed amount."""
    if isinstance(amount, str) or (math.isfinite(amount) and 0 < abs(amount) <= AMOUNT_MAX):
        return ()
    return (SettingsError("amount", f"must be a number other than 0 (got {amount})"),)


def fixed_amounts(metric_id: str, amount: Amount) -> Sequence[SettingsAmount]:
    """Return the amount if it is fixed, or (). The value of a formula is known only when it is evaluated."""
    return () if isinstance(amount, str) else (SettingsAmount("amount", metric_id, amount),)


def compile_amount(metric_id: str, amount: Amount, reason: str | None, metrics: Mapping[str, Metric]) -> AmountSettings:
    """Return the compiled amount."""
    if isinstance(amount, str):
        return AmountSettings(metric_id, None, Expression(amount), reason)
    metric = metrics.get(metric_id)
    fixed = to_scaled(amount, metric.decimals if metric else 0)
    return AmountSettings(metric_id, fixed, None, reason)


def preview_amount(metric_id: str, amount: Amount) -> Sequence[Preview]:
    """Return the preview of an amount."""
    return (Preview("metric", metric_id, None if isinstance(amount, str) else amount),)


def apply_amount(context: Context, place: EffectPlace, settings: AmountSettings) -> EffectTrace:
    """Credit a fixed amount or a formula's value, times the multipliers, rounded once. Debit it if it is negative."""
    metric = context.program.metrics.get(settings.metric)
    if metric is None:
        return EffectTrace(place.index, Refusal.metric_not_found, settings.metric)
    amount, origin = settings.fixed, None
    if amount is None:
        assert settings.formula is not None
        try:
            value = settings.formula.amount(context.scope.names(), context.scope.budget)
        except BudgetSpent as problem:
            return EffectTrace(place.index, Refusal.evaluation_failed, str(problem))
        except ExpressionError as problem:
            too_large = isinstance(problem, NumberTooLarge)
            refusal = Refusal.amount_out_of_range if too_large else Refusal.amount_not_a_number
            return EffectTrace(place.index, refusal, str(problem))
        amount, origin = amount_of(context, metric, value, metric.decimals)
        if amount is None:
            return EffectTrace(place.index, Refusal.amount_not_a_number)
        if amount == 0:
            return EffectTrace(place.index, None, 0, origin)
    elif metric.multipliers and amount:
        amount, origin = amount_of(context, metric, amount, 0)
        if not amount:
            return EffectTrace(place.index, None, 0, origin)
    posted = post(context, place, metric, amount, settings.reason)
    if isinstance(posted, Transaction):
        if posted.amount != amount:
            origin = _with_limits(context, metric, amount, origin)
        return EffectTrace(place.index, posted.refusal, to_number(posted.amount, metric.decimals), origin)
    if posted is Refusal.balance_at_maximum:
        origin = _with_limits(context, metric, amount, origin)
    return EffectTrace(place.index, posted, to_number(amount, metric.decimals), origin)


def _with_limits(context: Context, metric: Metric, amount: int, origin: dict[str, Any] | None) -> dict[str, Any]:
    """Return the trace's explanation of an amount that the metric's limits have reduced."""
    return (origin or {}) | {"uncut": to_number(amount, metric.decimals), "limits": limits_met(context, metric)}
