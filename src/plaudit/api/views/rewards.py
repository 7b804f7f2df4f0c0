"""Response types of the operations on rewards."""

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType, defstruct

from plaudit.documents.reward import RewardTypeName
from plaudit.mechanics.registry import MECHANICS

from .base import Time, View
from .coupon import WithIssuedCoupon
from .documents import TYPES, snake_case

if TYPE_CHECKING:
    Reward = View
else:
    Reward = TYPES["reward"].view


class RewardCreated(View):
    """The created reward."""

    message: str
    reward: Reward


class _GrantedReward(WithIssuedCoupon, kw_only=True):
    user_id: str
    reward_id: str
    reward_type: RewardTypeName
    campaign_id: str
    granted_at: Time
    event_id: str
    transaction_id: str | UnsetType = UNSET
    amount: float | UnsetType = UNSET
    product_id: str | UnsetType = UNSET
    quantity: int | UnsetType = UNSET


# Response fields by the names in an effect's outcome, and which of them are counts.
GIVEN = {"productId": "product_id", "quantity": "quantity"}
NUMBERS = ["quantity"]


def _of_mechanics() -> list[tuple[str, Any, Any]]:
    fields: list[tuple[str, Any, Any]] = []
    for mechanic in MECHANICS.values():
        for reward in mechanic.rewards:
            names = snake_case(reward.id_field), snake_case(reward.number_field)
            fields += [(names[0], str | UnsetType, UNSET), (names[1], int | UnsetType, UNSET)]
            GIVEN.update(zip((reward.id_field, reward.number_field), names, strict=True))
            NUMBERS.append(names[1])
    return fields


if TYPE_CHECKING:
    GrantedReward = _GrantedReward
else:
    GrantedReward = defstruct(
        "GrantedReward",
        _of_mechanics(),
        bases=(_GrantedReward,),
        kw_only=True,
        rename="camel",
        namespace={
            "__doc__": "What the member got: a transaction, a product, entries or a coupon, depending on the reward's type."
        },
    )


class RewardGrantResult(View):
    """The reward was granted."""

    message: str
    result: GrantedReward
