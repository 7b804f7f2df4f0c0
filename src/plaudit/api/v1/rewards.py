"""Rewards granted by hand."""

from typing import Any

from msgspec import Struct, field

from plaudit import clock
from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json, UserId, time_text
from plaudit.api.schemas import TEXT, TIME, object_of
from plaudit.core.decision import Refusal
from plaudit.core.event import GRANT, MANUAL_GRANT_CAMPAIGN
from plaudit.core.metrics import shown
from plaudit.engine.arrival import Payload, arrival_of
from plaudit.engine.inline import RefusedError, process_inline
from plaudit.errors import Conflict, FieldError, NotFound, PlauditError, invalid_fields

GRANT_SECONDS_MAX = 30.0

_SENTENCES = {
    Refusal.reward_inactive: "The reward is inactive",
    Refusal.pool_empty: "The code pool has no codes left",
    Refusal.pool_inactive: "The code pool is inactive or has expired",
    Refusal.stock_empty: "The product is out of stock",
    Refusal.coupon_already_issued: "The user already has a coupon of this reward",
    Refusal.maximum_reached: "The balance is at its maximum",
    Refusal.competition_not_open: "The competition is not open",
    Refusal.product_inactive: "The product is inactive",
}


class GrantBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A reward for one user, at once and past all campaign rules."""

    reward_id: str
    user_id: UserId
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


async def grant(call: Call) -> Json:
    """Grant a reward, whole or not at all."""
    body: GrantBody = call.body
    program = (await call.services.programs.live(call.org_id)).program
    reward = program.rewards.get(body.reward_id)
    if reward is None:
        raise NotFound("Reward not found", code="reward_not_found")
    now = clock.now()
    try:
        arrival = arrival_of(
            org_id=call.org_id,
            user_id=body.user_id,
            kind=GRANT,
            trigger="reward.grant",
            occurred_at=now,
            received_at=now,
            payload=Payload({"rewardId": body.reward_id}, body.metadata),
            source=call.by,
            event_id=clock.new_id(),
        )
    except OverflowError:
        raise invalid_fields([FieldError("metadata", "must not have integers beyond 64 bits")]) from None
    try:
        outcome = await process_inline(
            call.services.engine_pool, program, arrival, seconds=GRANT_SECONDS_MAX, whole=True
        )
    except RefusedError as error:
        raise _refusal(error) from None
    if outcome is None or outcome.processed.decision is None:
        raise PlauditError("Failed to grant reward", code="grant_failed")
    decision = outcome.processed.decision
    result: Json = {
        "userId": body.user_id,
        "rewardId": reward.reward_id,
        "rewardType": reward.type,
        "campaignId": MANUAL_GRANT_CAMPAIGN,
        "grantedAt": time_text(now),
        "eventId": f"evt_{arrival.event_id}",
    }
    for posting in decision.postings:
        if posting.campaign_id == MANUAL_GRANT_CAMPAIGN:
            result["transactionId"] = f"txn_{posting.transaction_id}"
            result["amount"] = shown(posting.amount, program.metrics[posting.metric].decimals)
    for issue in decision.coupons:
        if issue.campaign_id == MANUAL_GRANT_CAMPAIGN:
            result["couponId"] = str(issue.coupon_id)
            result["code"] = issue.code or outcome.processed.codes[issue.coupon_id]
    return {"message": "Reward granted successfully", "result": result}


def _refusal(error: RefusedError) -> PlauditError:
    decision = error.processed.decision
    if decision is None or decision.refusal is None:
        return PlauditError("Failed to grant reward", code="grant_failed")
    return Conflict(_SENTENCES.get(decision.refusal, "The reward cannot be granted"), code=decision.refusal.value)


_RESULT = object_of(
    {"userId": TEXT, "rewardId": TEXT, "rewardType": TEXT, "campaignId": TEXT, "grantedAt": TIME, "eventId": TEXT},
    {"transactionId": TEXT, "amount": {"type": "number"}, "couponId": TEXT, "code": TEXT},
)

OPERATIONS = [
    Operation(
        method="POST",
        path="/v1/rewards/grant",
        summary="Grant a reward to a user at once, past all campaign rules",
        run=grant,
        scope="admin:write",
        tag="Rewards",
        body=GrantBody,
        answer=object_of({"message": TEXT, "result": _RESULT}),
        errors=(400, 404, 409, 413),
    )
]
