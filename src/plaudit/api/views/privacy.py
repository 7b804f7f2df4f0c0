"""What the operations on consents, export and erasure return."""

from .base import Json, Time, View
from .profiles import Profile


class ConsentRecord(View):
    """A consent that was given or withdrawn: for what, where and when, and who recorded it."""

    purpose: str
    granted: bool
    source: str | None
    given_at: Time
    recorded_at: Time
    recorded_by: str


class Consents(View):
    """What a member consents to now, by purpose, and how it came about, newest first."""

    consents: dict[str, bool]
    history: list[ConsentRecord]


class StoredRecords(View):
    """Everything that is stored about a member besides the profile, as it is stored."""

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
    """What is stored about a member who was merged into the exported one."""

    user_id: str


class MemberExport(StoredRecords):
    """Everything that is stored about a member, and about those who were merged into them."""

    exported_at: Time
    profile: Profile
    consents: list[ConsentRecord]
    merged: list[MergedMember]
