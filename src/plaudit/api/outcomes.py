"""What a decision led to, for the one who reported the action and waited."""

from typing import Any

from plaudit.core.metrics import shown
from plaudit.core.program import Program
from plaudit.engine.outcome import Processed

from .outside import Json
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
        {"campaignId": one.campaign_id, "effect": effect.index, "reason": effect.refusal}
        for one in decision.trace
        for effect in one.effects
        if effect.refusal is not None
    ]
    return found


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
