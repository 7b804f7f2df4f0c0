"""The core's result: a Decision and its facts. A fact states a result; the engine stores it or acts on it."""

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

RefusalCode = str  # a `Refusal`, or a mechanic's refusal

# Codes of earlier versions, which old logs contain, with the current ones. The mechanics add theirs.
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

    Mechanics have their own refusals, so a field that can hold any of them is a `RefusalCode`.
    """

    unknown_user = "unknown_user"  # of an event: the member does not exist, and actions must not enrol
    member_merged = "member_merged"  # of an event: it is passed on to the member into whom this one was merged
    member_moved_on = "member_moved_on"  # of a command: another event was decided after the command was computed
    already_merged = "already_merged"  # of a merge: the member was merged before
    opted_out = "opted_out"  # of an action: the member has opted out
    campaign_in_draft = "campaign_in_draft"  # in explanations only: an active campaign would have listened
    campaign_paused = "campaign_paused"  # likewise
    campaign_not_started = "campaign_not_started"
    campaign_ended = "campaign_ended"
    not_in_segment = "not_in_segment"  # the member is outside the audience of a campaign, document or effect
    condition_failed = "condition_failed"
    evaluation_failed = "evaluation_failed"  # a fault of the server: only the part that raised is refused
    cascade_cycle = "cascade_cycle"  # the campaign is already one of the causes of this event
    cascade_too_deep = "cascade_too_deep"
    cascade_too_wide = "cascade_too_wide"
    campaign_between_occurrences = "campaign_between_occurrences"
    not_enrolled = "not_enrolled"  # the campaign requires enrolment
    event_before_enrolment = "event_before_enrolment"
    step_locked = "step_locked"
    step_already_completed = "step_already_completed"
    event_counted = "event_counted"  # another trigger of the step matched, or the event has already counted
    goal_field_missing = "goal_field_missing"
    goal_value_already_counted = "goal_value_already_counted"
    goal_window_closed = "goal_window_closed"  # the event is late, and its window is no longer remembered
    exclusive_group_taken = "exclusive_group_taken"
    processing_stopped = "processing_stopped"  # by an earlier rule of the campaign
    limit_per_member_reached = "limit_per_member_reached"
    limit_per_period_reached = "limit_per_period_reached"
    cooldown_running = "cooldown_running"
    limit_overall_reached = "limit_overall_reached"
    amount_not_a_number = "amount_not_a_number"  # the formula failed on this event's data, or returned no number
    amount_out_of_range = "amount_out_of_range"
    metric_not_found = "metric_not_found"
    balance_insufficient = "balance_insufficient"  # a debit would take the balance below its metric's minimum
    balance_at_maximum = "balance_at_maximum"
    earning_cap_reached = "earning_cap_reached"  # the transaction of 0 says when the next period begins
    reversal_too_large = "reversal_too_large"  # more than is left of the transaction
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
    coupon_redeemed = "coupon_redeemed"  # a used coupon cannot be withdrawn
    coupon_not_found = "coupon_not_found"

    @classmethod
    def _missing_(cls, value: object) -> "Refusal | None":
        """Return the current refusal for an earlier version's code."""
        code = CODES_OF_TODAY.get(value) if isinstance(value, str) else None
        return None if code is None else cls(code)


class ClaimKind(StrEnum):
    """The kinds of scarce resources, in the order in which they are locked."""

    cap = "cap"  # a campaign's overall limit; `key` is the campaign's id
    stock = "stock"  # `key` is the product's id
    code = "code"  # `key` is the pool's id
    unused = "unused"  # a code to withdraw, which must not have been redeemed; `key` is `pool/code`


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
    maximum: int | None = None  # for a cap or a stock: the number available in all


class Transaction(Struct, frozen=True, gc=False):
    """A transaction in the ledger: `amount` (signed) and `balance_after`, both scaled integers of `metric`.

    `postings` exist if the balance is kept in lots. An `amount` of 0 has the `refusal` that stopped the award, and
    `next_at`, when it can succeed again. `reverses` is the id of the transaction that this one reverses. `lifetime`, in a
    merge, is the change of the member's lifetime amount, which can differ from `amount`.
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
    """The details of a transaction that the ledger stores as JSON. `parts` are its postings."""

    parts: tuple[Posting, ...] = ()
    refusal: Refusal | None = None
    next_at: datetime | None = None
    lifetime: int | None = None


class FollowUp(Struct, frozen=True, kw_only=True):
    """An event that follows from a decision, usually for another member. The commit adds it to the inbox."""

    event_id: UUID
    user_id: str
    kind: str
    trigger: str
    occurred_at: datetime
    data: dict[str, Any]
    metadata: dict[str, Any] = {}


class Message(Struct, frozen=True):
    """A message for other systems: an engine trigger that fired, or the data of a `call_webhook` effect."""

    type: str
    data: dict[str, Any]
    only_to: str | None = None


class IssuedCoupon(Struct, frozen=True):
    """A coupon issued to a member. A unique code is taken by its claim; a shared or imported code is in `code`."""

    coupon_id: UUID
    origin_id: str  # the id of the reward, product or pool that it comes from
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
    """A member's move between the places of a mechanic's document, by their ids. None: below the first place."""

    document_id: str
    before: str | None
    after: str | None


class ConditionCheck(Struct, frozen=True, array_like=True, gc=False):
    """An evaluated condition: its number in the tree of conditions, its result, and the value that it read."""

    leaf: int
    held: bool
    actual: Any = None


class EffectTrace(Struct, frozen=True, array_like=True, gc=False):
    """The trace of one effect: its number in the step, the refusal if any, and the outcome.

    `outcome` is small and readable: an amount, an id, or the parts of a grant. `amount` explains how multipliers or
    limits changed the amount.
    """

    index: int
    refusal: RefusalCode | None = None
    outcome: Any = None
    amount: dict[str, Any] | None = None


class Trace(Struct, frozen=True, array_like=True, gc=False):
    """The result of an event for a campaign or another cause. Traces are short, because every event writes some.

    `logged` is the cause in its form in the log. `trigger` is set if the campaign met an engine event of the cascade and
    not the event itself. `listener` is the number of the matching trigger of the step, by which explanations find the
    conditions.
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
    """What a rollback removes from tables outside the member's state: coupons and notifications, by their ids.

    `returned` lists the claims that become available to others: kind, key and quantity.
    """

    coupons: tuple[UUID, ...] = ()
    notifications: tuple[UUID, ...] = ()
    returned: tuple[tuple[ClaimKind, str, int], ...] = ()


class Decision(Struct, frozen=True, gc=False):
    """The result of one event. `member` is the member's new state; `refusal` is set if the event was rejected.

    `taken_over` is the user id of a merged member, whose coupons, identities and so on become this member's (see
    `commands/takeover`).
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
