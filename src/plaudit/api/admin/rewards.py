"""Manual grants of rewards."""

from typing import Any, cast

from msgspec import Struct, field

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import Json, UserId, time_text
from plaudit.api.run_command import run_command
from plaudit.api.views.coupon import issued_coupon_fields
from plaudit.api.views.rewards import GIVEN, NUMBERS, GrantedReward, RewardGrantResult
from plaudit.core.cause import MANUAL_GRANT, CauseKind
from plaudit.core.decision import Decision
from plaudit.core.event import GRANT
from plaudit.core.metrics import to_number
from plaudit.errors import NotFound


class RewardGrantRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A reward for one user, immediately and regardless of campaigns' rules."""

    reward_id: str
    user_id: UserId
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


async def grant(call: Call) -> RewardGrantResult:
    """Grant a reward, entirely or not at all."""
    body: RewardGrantRequest = call.body
    programme = await call.programme()
    program = programme.compiled
    reward = program.rewards.get(body.reward_id)
    if reward is None:
        raise NotFound("Reward not found", code="reward_not_found")
    data: Json = {"rewardId": body.reward_id}
    if isinstance(reason := body.metadata.get("reason"), str):
        data["reason"] = reason
    processed, now, event_id = await run_command(
        call, kind=GRANT, trigger="reward.grant", user_id=body.user_id, data=data, metadata=body.metadata
    )
    decision = processed.decision
    assert decision is not None
    granted: dict[str, Any] = {}
    for transaction in decision.transactions:
        if transaction.cause == MANUAL_GRANT:
            granted["transaction_id"] = f"txn_{transaction.transaction_id}"
            granted["amount"] = to_number(transaction.amount, program.metrics[transaction.metric].decimals)
    for issue in decision.coupons:
        if issue.cause == MANUAL_GRANT:
            granted |= issued_coupon_fields(programme, processed, issue)
    result = GrantedReward(
        user_id=body.user_id,
        reward_id=reward.reward_id,
        reward_type=reward.type,
        campaign_id=CauseKind.manual_grant.value,
        granted_at=time_text(now),
        event_id=f"evt_{event_id}",
        **{**granted, **_granted_fields(decision)},
    )
    return RewardGrantResult(message="Reward granted successfully", result=result)


def _granted_fields(decision: Decision) -> dict[str, Any]:
    """Return the fields of a grant other than transactions and coupons: its product, its entries, and their number."""
    for considered in decision.trace:
        if considered.cause != MANUAL_GRANT:
            continue
        outcome: Json = considered.effects[0].outcome
        result = cast("Json", outcome["given"]) if isinstance(outcome["given"], dict) else {}
        fields = {field: result[name] for name, field in GIVEN.items() if name in result}
        number = next((fields[name] for name in NUMBERS if name in fields), None)
        return fields if number is None else {"amount": number, **fields}
    return {}


OPERATIONS = [
    Operation(
        name="grantReward",
        method="POST",
        path="/v1/rewards/grant",
        summary="Grant a reward directly, bypassing campaign rules",
        description="Takes effect immediately.",
        run=grant,
        scope="admin:write",
        tag="Rewards",
        body=RewardGrantRequest,
        response=RewardGrantResult,
        errors=(400, 404, 409, 413),
    )
]
