"""The core's result: a Decision and its facts. Facts say what follows; the engine carries them out."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from .cause import Cause, LoggedCause, cause_from_log
from .contained import Fault
from .ledger.lots import Posting
from .member import Member

RefusalCode = str  # a `Refusal`, or a refusal of a mechanic

# What codes were called in earlier versions, whose logs still have them. The mechanics add theirs.
CODES_OF_TODAY: dict[str, str] = {
    "campaign_not_open_yet": "campaign_not_started",
    "campaign_over": "campaign_ended",
    "step_not_open_yet": "step_locked",
    "step_done": "step_already_completed",
    "goal_value_seen": "goal_value_already_counted",
    "goal_window_over": "goal_window_closed",
    "metric_missing": "metric_not_found",
    "maximum_reached": "balance_at_maximum",
    "transaction_reversed": "reversal_too_large",
    "hold_missing": "hold_not_found",
    "reward_missing": "reward_not_found",
    "product_missing": "product_not_found",
    "product_not_yet": "product_not_available_yet",
    "product_no_longer": "product_no_longer_available",
    "template_missing": "template_not_found",
    "pool_missing": "pool_not_found",
    "coupon_missing": "coupon_not_found",
}


class Refusal(StrEnum):
    """Why a campaign or an effect was refused, in order of precedence: the first that applies is reported.

    Mechanics have their own refusals, so a field that may hold any of them is a `RefusalCode`.
    """

    unknown_user = "unknown_user"  # the event: the member does not exist and may not be enrolled by an action
    member_merged = "member_merged"  # the event: the member was merged into another, to whom it is passed on
    member_moved_on = "member_moved_on"  # the event: something has happened to the member since it was worked out
    already_merged = "already_merged"  # the event: a merge of one who has been merged before
    opted_out = "opted_out"  # the event: the member does not want to take part
    campaign_in_draft = "campaign_in_draft"  # said by `explain` only: it would have listened
    campaign_paused = "campaign_paused"  # likewise
    campaign_not_started = "campaign_not_started"
    campaign_ended = "campaign_ended"
    not_in_segment = "not_in_segment"  # the campaign, the document of a mechanic or the effect is for others
    condition_failed = "condition_failed"
    evaluation_failed = "evaluation_failed"  # a fault of ours: what raised is refused, and nothing else
    cascade_cycle = "cascade_cycle"  # the campaign is already one of the causes of this very event
    cascade_too_deep = "cascade_too_deep"
    cascade_too_wide = "cascade_too_wide"
    campaign_between_occurrences = "campaign_between_occurrences"
    not_enrolled = "not_enrolled"  # the campaign asks to be joined
    event_before_enrolment = "event_before_enrolment"
    step_locked = "step_locked"
    step_already_completed = "step_already_completed"
    event_counted = (
        "event_counted"  # another trigger of the step held, or the event has counted for this campaign before
    )
    goal_field_missing = "goal_field_missing"
    goal_value_already_counted = "goal_value_already_counted"
    goal_window_closed = "goal_window_closed"  # a late event, of a window that is no longer looked at
    exclusive_group_taken = "exclusive_group_taken"
    processing_stopped = "processing_stopped"  # by a rule of the campaign that goes first
    limit_per_member_reached = "limit_per_member_reached"
    limit_per_period_reached = "limit_per_period_reached"
    cooldown_running = "cooldown_running"
    limit_overall_reached = "limit_overall_reached"
    amount_not_a_number = "amount_not_a_number"  # a formula failed on this event's data, or gave something else
    amount_out_of_range = "amount_out_of_range"
    metric_not_found = "metric_not_found"
    balance_insufficient = "balance_insufficient"  # a debit would take the balance below its metric's minimum
    balance_at_maximum = "balance_at_maximum"
    earning_cap_reached = "earning_cap_reached"  # the transaction of 0 says when the next period begins
    reversal_too_large = "reversal_too_large"  # no more of it than there was can be taken back
    hold_not_found = "hold_not_found"
    reward_not_found = "reward_not_found"
    reward_inactive = "reward_inactive"
    product_not_found = "product_not_found"
    product_inactive = "product_inactive"
    product_not_available_yet = "product_not_available_yet"
    product_no_longer_available = "product_no_longer_available"
    product_limit_reached = "product_limit_reached"
    product_not_held = "product_not_held"
    stock_empty = "stock_empty"
    template_not_found = "template_not_found"
    coupon_already_issued = "coupon_already_issued"
    pool_not_found = "pool_not_found"
    pool_inactive = "pool_inactive"
    pool_empty = "pool_empty"
    coupon_redeemed = "coupon_redeemed"  # what has been used cannot be withdrawn
    coupon_not_found = "coupon_not_found"

    @classmethod
    def _missing_(cls, value: object) -> "Refusal | None":
        """Return today's code for a code in an earlier version's log."""
        code = CODES_OF_TODAY.get(value) if isinstance(value, str) else None
        return None if code is None else cls(code)


class ClaimKind(StrEnum):
    """The kinds of scarce resources, in the order in which they are locked."""

    cap = "cap"  # a campaign's limit overall; `key` is the campaign
    stock = "stock"  # `key` is the product
    code = "code"  # `key` is the pool
    unused = "unused"  # a code that is to be withdrawn, and must not have been redeemed: `key` is `pool/code`


REFUSAL_OF_CLAIM: dict[ClaimKind, Refusal] = {
    ClaimKind.cap: Refusal.limit_overall_reached,
    ClaimKind.stock: Refusal.stock_empty,
    ClaimKind.code: Refusal.pool_empty,
    ClaimKind.unused: Refusal.coupon_redeemed,
}


class Claim(Struct, frozen=True):
    """A scarce resource that a decision needs. `claim_id` is derived, so claiming twice is claiming once."""

    claim_id: UUID
    kind: ClaimKind
    key: str
    quantity: int
    maximum: int | None = None  # of a cap or a stock: how many there may be in all


class Transaction(Struct, frozen=True, gc=False):
    """A transaction of one member's books: `amount` (signed) and `balance_after`, both scaled integers of `metric`.

    `postings` are its postings on lots, where the metric keeps them. An `amount` of 0 carries the `refusal` that stopped
    an award, and `next_at`, when it may succeed again. `reverses` is the transaction that it takes back. `lifetime` is
    what a merge moves of what was ever earned, beside what is left of it.
    """

    transaction_id: UUID
    metric: str
    amount: int
    balance_after: int
    cause: Cause
    step: int
    index: int
    occurred_at: datetime
    reason: str | None = None
    postings: tuple[Posting, ...] | None = None
    refusal: Refusal | None = None
    next_at: datetime | None = None
    reverses: UUID | None = None
    lifetime: int | None = None


class TransactionDetails(Struct, frozen=True, omit_defaults=True):
    """What the ledger stores of a transaction apart from its amount."""

    parts: tuple[Posting, ...] = ()
    refusal: Refusal | None = None
    next_at: datetime | None = None
    lifetime: int | None = None


class FollowUp(Struct, frozen=True, kw_only=True):
    """An event that follows from this one, usually for another member; it enters the inbox with the commit."""

    event_id: UUID
    user_id: str
    kind: str
    trigger: str
    occurred_at: datetime
    data: dict[str, Any]
    metadata: dict[str, Any] = {}


class Message(Struct, frozen=True):
    """A message for other systems: a trigger that was fired, or the data of `call_webhook`."""

    type: str
    data: dict[str, Any]
    only_to: str | None = None


class IssuedCoupon(Struct, frozen=True):
    """A coupon issued to a member. A unique code comes from its claim; a shared one is in `code`."""

    coupon_id: UUID
    origin_id: str  # the reward or the product that it came from
    pool_id: str | None
    code: str | None
    cause: Cause
    issued_at: datetime
    expires_at: datetime | None = None
    terms: dict[str, Any] = {}


class Notification(Struct, frozen=True, kw_only=True):
    """A notification for the member: a `message`, or the completion of a `step` or a campaign."""

    notification_id: UUID
    type: str
    cause: Cause
    step: int | None
    display: str
    title: str | None
    message: str
    created_at: datetime
    expires_at: datetime | None


class ProductChange(Struct, frozen=True, array_like=True):
    """A quantity of a product that the member received or, if negative, lost."""

    logged: LoggedCause
    product_id: str
    quantity: int

    @property
    def cause(self) -> Cause:
        """Return the cause."""
        return cause_from_log(self.logged)


class Move(Struct, frozen=True, array_like=True):
    """A move between places of a mechanic's document, by their ids; None is below the first."""

    document_id: str
    before: str | None
    after: str | None


class ConditionCheck(Struct, frozen=True, array_like=True, gc=False):
    """An evaluated condition: its number in the step's tree, whether it held, and the value read."""

    leaf: int
    held: bool
    actual: Any = None


class EffectTrace(Struct, frozen=True, array_like=True, gc=False):
    """One effect: which (its number in the step), what kept it from happening if anything did, what came of it.

    `outcome` is small and readable: an amount, an id, or the parts of a grant. `amount` says how an amount came about,
    where multipliers or limits changed it.
    """

    index: int
    refusal: RefusalCode | None = None
    outcome: Any = None
    amount: dict[str, Any] | None = None


class Trace(Struct, frozen=True, array_like=True, gc=False):
    """A campaign, or another cause, that met the event, and what became of it. Short: it is written for every event.

    `logged` is the cause as the log holds it. `trigger` is set when the campaign met a cascade rather than the event itself; `listener` numbers the trigger of
    the step that was met, so that an explanation finds the conditions by it.
    """

    logged: LoggedCause
    step: int
    listener: int
    refusal: RefusalCode | None = None
    checks: list[ConditionCheck] = []
    effects: list[EffectTrace] = []
    trigger: str | None = None
    progress: Any = None

    @property
    def cause(self) -> Cause:
        """Return the cause."""
        return cause_from_log(self.logged)


class Withdrawn(Struct, frozen=True):
    """What a rollback takes out of the tables beside what is decided on: coupons and notifications, by their ids.

    `given_back` is what can be had by others again: how much, by kind and key.
    """

    coupons: tuple[UUID, ...] = ()
    notifications: tuple[UUID, ...] = ()
    given_back: tuple[tuple[ClaimKind, str, int], ...] = ()


class Decision(Struct, frozen=True, gc=False):
    """What follows from one event. `member` is the member afterwards; `refusal` is set when the event was rejected.

    `taken_over` is the user whose coupons, names and the like become the member's with it (see `merging`).
    """

    event_id: UUID
    member: Member
    refusal: RefusalCode | None = None
    trace: list[Trace] = []
    transactions: list[Transaction] = []
    coupons: list[IssuedCoupon] = []
    notifications: list[Notification] = []
    claims: list[Claim] = []
    identities: Mapping[str, str | None] = {}
    follow_ups: list[FollowUp] = []
    messages: list[Message] = []
    items: list[ProductChange] = []
    moves: list[Move] = []
    faults: list[Fault] = []
    taken_over: str | None = None
    withdrawn: Withdrawn | None = None
