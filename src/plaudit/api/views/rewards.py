"""What the operations on rewards return."""

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from plaudit.documents.reward import RewardTypeName

from .base import Time, View
from .coupon import WithIssuedCoupon
from .documents import TYPES

if TYPE_CHECKING:
    Reward = View
else:
    Reward = TYPES["reward"].view


class RewardCreated(View):
    """The created reward."""

    message: str
    reward: Reward


class GrantedReward(WithIssuedCoupon, kw_only=True):
    """What the member got: a transaction, a product, entries or a coupon, depending on the reward's type."""

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
    competition_id: str | UnsetType = UNSET
    entries: int | UnsetType = UNSET


class RewardGrantResult(View):
    """The reward was granted."""

    message: str
    result: GrantedReward
