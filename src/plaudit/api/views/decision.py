"""The outcome of a decision, for a caller who waits for it."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET, UnsetType, field

from plaudit.api.http.wire import time_text
from plaudit.api.views.cause import Cause, cause_view
from plaudit.core.decision import EffectTrace, Trace
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.core.retry_at import RETRYABLE_REFUSALS
from plaudit.engine.processed import ProcessedEvent

from .base import Time, View
from .events import EventTransaction

# The documented spelling: the API's only snake_case field.
_NEXT_AVAILABLE = "next_available_at"


class OutcomeTransaction(EventTransaction, kw_only=True):
    """A transaction that followed. `next_available_at` is when the member can earn more, if a cap was reached."""

    next_available_at: Time | UnsetType = field(name=_NEXT_AVAILABLE, default=UNSET)


class OutcomeCoupon(View):
    """An issued coupon. `origin` is the reward or product that it comes from."""

    coupon_id: str
    code: str | None
    origin: str


class OutcomeRefusal(View):
    """Why a campaign did not fire, or one of its effects (by its index) did nothing or awarded a product without its code.

    `next_available_at` is when it can succeed, if that is known.
    """

    campaign_id: str | None
    cause: Cause
    effect: int | None
    reason: str
    next_available_at: Time | UnsetType = field(name=_NEXT_AVAILABLE, default=UNSET)


class Outcome(View):
    """An action's results: the campaigns that fired, and what the member got. Only `state` if it failed."""

    state: str
    reason: str | UnsetType = UNSET
    campaigns: list[str] | UnsetType = UNSET
    transactions: list[OutcomeTransaction] | UnsetType = UNSET
    coupons: list[OutcomeCoupon] | UnsetType = UNSET
    refusals: list[OutcomeRefusal] | UnsetType = UNSET


def outcome_of(program: Program, processed: ProcessedEvent) -> Outcome:
    """Return the transactions, coupons and refusals of a decision, and the campaigns that fired."""
    decision = processed.decision
    if decision is None:
        return Outcome(state=processed.state)
    transactions: list[OutcomeTransaction] = []
    for transaction in decision.transactions:
        decimals = program.metrics[transaction.metric].decimals
        transactions.append(
            OutcomeTransaction(
                transaction_id=f"txn_{transaction.transaction_id}",
                metric=transaction.metric,
                amount=to_number(transaction.amount, decimals),
                balance_after=to_number(transaction.balance_after, decimals),
                **cause_view(transaction.cause),
                reason=transaction.reason,
                next_available_at=_next_available(transaction.next_at),
            )
        )
    coupons = [
        OutcomeCoupon(
            coupon_id=str(issue.coupon_id),
            code=issue.code if issue.code is not None else processed.codes.get(issue.coupon_id),
            origin=issue.origin_id,
        )
        for issue in decision.coupons
    ]
    return Outcome(
        state=processed.state,
        reason=UNSET if decision.refusal is None else str(decision.refusal),
        campaigns=[
            trace.cause.id for trace in decision.trace if trace.refusal is None and trace.cause.campaign_id is not None
        ],
        transactions=transactions,
        coupons=coupons,
        refusals=[*_refused_campaigns(decision.trace), *_refused_effects(decision.trace)],
    )


def _refused_campaigns(traces: Sequence[Trace]) -> list[OutcomeRefusal]:
    return [
        OutcomeRefusal(
            **cause_view(trace.cause),
            effect=None,
            reason=trace.refusal,
            next_available_at=_next_available(_next_at(trace)),
        )
        for trace in traces
        if trace.refusal is not None and trace.refusal in RETRYABLE_REFUSALS
    ]


def _refused_effects(traces: Sequence[Trace]) -> list[OutcomeRefusal]:
    return [
        OutcomeRefusal(**cause_view(trace.cause), effect=effect.index, reason=reason)
        for trace in traces
        for effect in trace.effects
        for reason in _refusals_of(effect)
    ]


def _refusals_of(effect: EffectTrace) -> list[str]:
    """Return why an effect did nothing, or why a product that it awarded has no code."""
    if effect.refusal is not None:
        return [effect.refusal]
    match effect.outcome:
        case {"coupon": {"refusal": str(reason)}}:
            return [str(reason)]
        case _:
            return []


def next_at_of(processed: ProcessedEvent) -> datetime | None:
    """Return when a refused effect can succeed, or None if that is unknown."""
    if processed.decision is None:
        return None
    instants = [_next_at(trace) for trace in processed.decision.trace] + [
        transaction.next_at for transaction in processed.decision.transactions
    ]
    return min((at for at in instants if at is not None), default=None)


def _next_at(trace: Trace) -> datetime | None:
    return trace.progress["next_available_at"] if trace.refusal in RETRYABLE_REFUSALS else None


def _next_available(at: datetime | None) -> Time | UnsetType:
    return UNSET if at is None else time_text(at)
