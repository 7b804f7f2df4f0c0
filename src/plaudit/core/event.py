"""What happened, to whom, when, from where."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from .cause import Cause

# Kinds: an `action` is what a client reported; the others are commands of the API, which go the same way.
ACTION: Final = "action"
GRANT: Final = "grant"  # a reward granted by hand
PROFILE: Final = "profile"  # a member's attributes or identities set by an administrator
TRANSACTION: Final = "transaction"  # a credit or debit by hand
REVERSAL: Final = "reversal"  # a transaction taken back, whole or in part
TRANSFER: Final = "transfer"  # from this member to another; arrives there as a receipt
RECEIPT: Final = "receipt"
HOLD: Final = "hold"  # an amount set apart; then captured or released
CAMPAIGN_ENROLMENT: Final = "enrolment"  # joining a campaign
ENROLMENT: Final = "registration"  # joining the programme, with a profile and a welcome bonus
IMPORT: Final = "import"  # a member who comes from elsewhere, with what they had there
BACKFILL: Final = "backfill"  # a campaign applied to an event of the past
REDEMPTION: Final = "redemption"  # a product for what it costs
REFERRAL: Final = "referral"  # somebody whom this member referred has joined
MERGE: Final = "merge"  # this member is merged into another, who receives everything by a takeover
TAKEOVER: Final = "takeover"
ROLLBACK: Final = "rollback"  # what a campaign has led to is undone, or a single item is withdrawn
EXTENSION: Final = "extension"  # what would expire lasts longer
TIMER: Final = "timer"  # something fell due (see `run_due_timers`)
CASCADE: Final = "cascade"  # followed from another event, within its decision

CHECK_IN: Final = "check_in"
MEMBER: Final = "member"  # the source of what an app sent with a member's token


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One record of the log: everything that changes a member.

    `trigger` is what campaigns listen to; `occurred_at` is when it happened, by its sender, and the only time that
    deciding knows; `received_at` is when the server took it in. `depth` counts how many events it followed from, and
    `causes` are those on that way (only for a cascade).
    """

    event_id: UUID
    member_id: UUID
    user_id: str
    kind: str
    trigger: str
    occurred_at: datetime
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    source: str = "api"
    depth: int = 0
    causes: tuple[Cause, ...] = ()


def is_own(event: Event) -> bool:
    """Return whether an event is something that its member did; so are commands that say so (see CommandType)."""
    return event.kind == ACTION or event.source == MEMBER or event.trigger == CHECK_IN
