"""Events: what happened, to which member, when, and who reported it."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from .cause import Cause

# Kinds: an `action` is reported by a client; the others are commands, timers and cascades.
ACTION: Final = "action"
GRANT: Final = "grant"  # grants a reward manually
PROFILE: Final = "profile"  # sets a member's attributes or identities
TRANSACTION: Final = "transaction"  # credits or debits manually
REVERSAL: Final = "reversal"  # reverses a transaction, in whole or in part
TRANSFER: Final = "transfer"  # sends an amount to another member, to whom it arrives as a receipt
RECEIPT: Final = "receipt"
HOLD: Final = "hold"  # reserves an amount; later captures or releases it
CAMPAIGN_ENROLMENT: Final = "enrolment"  # enrols the member in a campaign
ENROLMENT: Final = "registration"  # enrols the member in the programme, with a profile and a welcome bonus
IMPORT: Final = "import"  # imports a member from another system, with balances, products and so on
BACKFILL: Final = "backfill"  # applies a campaign to a past event
REDEMPTION: Final = "redemption"  # redeems a product for its price
REFERRAL: Final = "referral"  # a user whom this member referred has enrolled
MERGE: Final = "merge"  # merges this member into another, who receives everything in a takeover
TAKEOVER: Final = "takeover"
ROLLBACK: Final = "rollback"  # undoes the results of a campaign, or withdraws a single item
EXTENSION: Final = "extension"  # extends the expiry of a balance
TIMER: Final = "timer"  # a timer became due (see `run_due_timers`)
CASCADE: Final = "cascade"  # an engine event, caused by another event within its decision

CHECK_IN: Final = "check_in"

# Sources: how an event arrived. Those that the engine, a rollback or a backfill makes have their own.
API: Final = "api"  # a server's call
MEMBER: Final = "member"  # an app's call with a member's token
FILE: Final = "import"  # a line of an imported file


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One record of the log: everything that changes a member.

    Campaigns listen to its `trigger`. `occurred_at` is when it happened, according to its sender, and the only time that
    a decision uses. For a cascade, `depth` is the number of events that led to it, and `causes` are the causes of each.
    """

    event_id: UUID
    member_id: UUID
    user_id: str
    kind: str
    trigger: str
    occurred_at: datetime
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    source: str = API
    depth: int = 0
    causes: tuple[Cause, ...] = ()


def is_own(event: Event) -> bool:
    """Return whether the member did this themselves. Commands can say the same by `CommandType.is_own`."""
    return event.kind == ACTION or event.source == MEMBER or event.trigger == CHECK_IN
