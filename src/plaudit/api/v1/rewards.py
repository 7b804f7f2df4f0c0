"""Rewards granted by hand."""

from typing import Any

from msgspec import Struct, field

from plaudit.api.commands import run_command
from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json, UserId, time_text
from plaudit.api.schemas import TEXT, TIME, object_of
from plaudit.core.event import GRANT, MANUAL_GRANT_CAMPAIGN
from plaudit.core.metrics import shown
from plaudit.errors import NotFound


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
    processed, now, event_id = await run_command(
        call, kind=GRANT, trigger="reward.grant", user_id=body.user_id, data={"rewardId": body.reward_id},
        metadata=body.metadata,
    )  # fmt: skip
    decision = processed.decision
    assert decision is not None
    result: Json = {
        "userId": body.user_id,
        "rewardId": reward.reward_id,
        "rewardType": reward.type,
        "campaignId": MANUAL_GRANT_CAMPAIGN,
        "grantedAt": time_text(now),
        "eventId": f"evt_{event_id}",
    }
    for posting in decision.postings:
        if posting.campaign_id == MANUAL_GRANT_CAMPAIGN:
            result["transactionId"] = f"txn_{posting.transaction_id}"
            result["amount"] = shown(posting.amount, program.metrics[posting.metric].decimals)
    for issue in decision.coupons:
        if issue.campaign_id == MANUAL_GRANT_CAMPAIGN:
            result["couponId"] = str(issue.coupon_id)
            result["code"] = issue.code or processed.codes[issue.coupon_id]
    return {"message": "Reward granted successfully", "result": result}


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
