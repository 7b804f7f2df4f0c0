"""What a dry run adds to the response."""

from msgspec import UNSET, UnsetType

from .decision import OutcomeTransaction


class DryRunTransaction(OutcomeTransaction, kw_only=True):
    """A transaction that would be posted. `userId` is only present for callers who may read members."""

    user_id: str | UnsetType = UNSET
