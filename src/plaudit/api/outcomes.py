"""What a decision led to, for the one who reported the action and waited."""

from datetime import datetime
from typing import Any

from plaudit.core.decision import Considered
from plaudit.core.metrics import shown
from plaudit.core.next_at import ENDS_BY_ITSELF
from plaudit.core.program import Program
from plaudit.engine.outcome import Processed

from .outside import Json, time_text
from .schemas import NUMBER, OBJECT, TEXT, object_of


def shown_outcome(program: Program, processed: Processed) -> Json:
    """The transactions, coupons and notifications of a decision, and the campaigns that fired."""
    decision = processed.decision
    if decision is None:
        return {"state": processed.state}
    found: Json = {"state": processed.state}
    if decision.refusal is not None:
        found["reason"] = decision.refusal.value
    transactions: list[Json] = []
    for posting in decision.postings:
        decimals = program.metrics[posting.metric].decimals
        transactions.append(
            {
                "transactionId": f"txn_{posting.transaction_id}",
                "metric": posting.metric,
                "amount": shown(posting.amount, decimals),
                "balanceAfter": shown(posting.balance_after, decimals),
                "campaignId": posting.campaign_id,
                "reason": posting.reason,
                **_next_available(posting.next_at),
            }
        )
    found["campaigns"] = [one.campaign_id for one in decision.trace if one.refusal is None]
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
        {"campaignId": one.campaign_id, "effect": None, "reason": one.refusal, **_next_available(_next_at(one))}
        for one in decision.trace
        if one.refusal in ENDS_BY_ITSELF
    ] + [
        {"campaignId": one.campaign_id, "effect": effect.index, "reason": effect.refusal}
        for one in decision.trace
        for effect in one.effects
        if effect.refusal is not None
    ]
    return found


def next_at_of(processed: Processed) -> datetime | None:
    """When what was refused may succeed, if that is known."""
    if processed.decision is None:
        return None
    found = [_next_at(one) for one in processed.decision.trace] + [one.next_at for one in processed.decision.postings]
    return min((at for at in found if at is not None), default=None)


def _next_at(one: Considered) -> datetime | None:
    return one.progress["next_available_at"] if one.refusal in ENDS_BY_ITSELF else None


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
