"""What a decision led to, for the one who reported the action and waited."""

from datetime import datetime
from typing import Any

from plaudit.api.http.schemas import NUMBER, OBJECT, TEXT, object_of
from plaudit.api.http.wire import Json, time_text
from plaudit.core.decision import Trace
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.core.retry_at import RETRYABLE_REFUSALS
from plaudit.engine.processed import ProcessedEvent


def outcome_view(program: Program, processed: ProcessedEvent) -> Json:
    """The transactions, coupons and notifications of a decision, and the campaigns that fired."""
    decision = processed.decision
    if decision is None:
        return {"state": processed.state}
    found: Json = {"state": processed.state}
    if decision.refusal is not None:
        found["reason"] = decision.refusal.value
    transactions: list[Json] = []
    for posting in decision.transactions:
        decimals = program.metrics[posting.metric].decimals
        transactions.append(
            {
                "transactionId": f"txn_{posting.transaction_id}",
                "metric": posting.metric,
                "amount": to_number(posting.amount, decimals),
                "balanceAfter": to_number(posting.balance_after, decimals),
                "campaignId": posting.campaign_id,
                "reason": posting.reason,
                **_next_available(posting.next_at),
            }
        )
    found["campaigns"] = [trace.campaign_id for trace in decision.trace if trace.refusal is None]
    found["transactions"] = transactions
    found["coupons"] = [
        {
            "couponId": str(issue.coupon_id),
            "code": issue.code if issue.code is not None else processed.codes.get(issue.coupon_id),
            "origin": issue.origin_id,
        }
        for issue in decision.coupons
    ]
    found["refusals"] = [
        {"campaignId": trace.campaign_id, "effect": None, "reason": trace.refusal, **_next_available(_next_at(trace))}
        for trace in decision.trace
        if trace.refusal in RETRYABLE_REFUSALS
    ] + [
        {"campaignId": trace.campaign_id, "effect": effect.index, "reason": effect.refusal}
        for trace in decision.trace
        for effect in trace.effects
        if effect.refusal is not None
    ]
    return found


def next_at_of(processed: ProcessedEvent) -> datetime | None:
    """When what was refused may succeed, if that is known."""
    if processed.decision is None:
        return None
    found = [_next_at(trace) for trace in processed.decision.trace] + [
        transaction.next_at for transaction in processed.decision.transactions
    ]
    return min((at for at in found if at is not None), default=None)


def _next_at(trace: Trace) -> datetime | None:
    return trace.progress["next_available_at"] if trace.refusal in RETRYABLE_REFUSALS else None


def _next_available(at: datetime | None) -> Json:
    return {} if at is None else {"next_available_at": time_text(at)}


def outcome_schema() -> dict[str, Any]:
    """The schema of it."""
    transaction = {
        "transactionId": TEXT,
        "metric": TEXT,
        "amount": NUMBER,
        "balanceAfter": NUMBER,
        "campaignId": TEXT,
    }
    return object_of(
        {"state": TEXT},
        {
            "reason": TEXT,
            "campaigns": {"type": "array", "items": TEXT},
            "transactions": {"type": "array", "items": object_of(transaction)},
            "coupons": {"type": "array", "items": OBJECT},
            "refusals": {"type": "array", "items": OBJECT},
        },
    )
