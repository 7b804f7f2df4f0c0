"""Response types of the operations on consents, export and erasure."""

from .base import Json, Time, View
from .profiles import Profile


class ConsentRecord(View):
    """A consent given or withdrawn: purpose, place and time, and who recorded it."""

    purpose: str
    granted: bool
    source: str | None
    given_at: Time
    recorded_at: Time
    recorded_by: str


class Consents(View):
    """A member's current consents by purpose, and their history, newest first."""

    consents: dict[str, bool]
    history: list[ConsentRecord]


class StoredRecords(View):
    """All stored records about a member except the profile."""

    transactions: list[Json]
    events: list[Json]
    waiting: list[Json]
    failed: list[Json]
    notifications: list[Json]
    push_subscriptions: list[Json]
    progress: list[Json]
    segments: list[Json]
    standings: list[Json]


class MergedMember(StoredRecords):
    """The stored records of a member who was merged into the exported one."""

    user_id: str


class MemberExport(StoredRecords):
    """All stored records about a member, and about those merged into them."""

    exported_at: Time
    profile: Profile
    consents: list[ConsentRecord]
    merged: list[MergedMember]
