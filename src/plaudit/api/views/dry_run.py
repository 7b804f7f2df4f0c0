"""What a dry run returns next to the response."""

from msgspec import UNSET, UnsetType, field

from .base import Time, View
from .cause import Cause


class DryRunTransaction(View):
    """A transaction that would be posted. `userId` is there for callers who may read members."""

    transaction_id: str
    metric: str
    amount: float
    balance_after: float
    campaign_id: str | None
    cause: Cause
    reason: str | None
    user_id: str | UnsetType = UNSET
    next_available_at: Time | UnsetType = field(name="next_available_at", default=UNSET)
