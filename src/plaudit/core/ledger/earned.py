"""Which transactions are earned: the one rule for lifetime amounts and for the scores of mechanics.

A credit is earned, unless another member sent it or a merge moved it. Scores count an earned credit when it becomes
available, unless it is an opening balance or was imported. A debit is neither earned nor scored. A reversal of a credit
reduces what the credit had added, at the time and in the documents in which it counted; reversing the reversal adds it
again.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from plaudit.core.cause import IMPORT, MANUAL, MERGE, OPENING
from plaudit.core.event import RECEIPT, TRANSACTION
from plaudit.core.metrics import Metric, available_at

Earned = tuple[datetime, int]  # the time at which an amount counts for scores, and the amount


class Booked(Struct, frozen=True):
    """The fields that the rule reads of a transaction that is not a reversal.

    `cause_kind` is the kind of its cause, `kind` that of its event. `own_expiry`: the event sets the expiry.
    """

    amount: int
    cause_kind: str
    kind: str
    occurred_at: datetime
    own_expiry: bool = False


class Origin(Struct, frozen=True):
    """The transaction that a reversal goes back to, directly or through other reversals.

    It says whether that transaction was earned and is scored. `counted_at` is when it counts for scores (in the future
    if it is pending). `counted_in` are the ids of mechanics' documents that counted it (None, from earlier versions: all
    that would count it now).
    """

    transaction_id: UUID
    earned: bool
    scored: bool
    counted_at: datetime | None = None
    counted_in: frozenset[str] | None = None


def earned_and_scored(amount: int, cause_kind: str, kind: str) -> tuple[bool, bool]:
    """Return whether a transaction that is not a reversal is earned, and whether it counts for scores. See `Booked`."""
    if amount <= 0 or cause_kind == MERGE.kind or (kind == RECEIPT and cause_kind == MANUAL.kind):
        return False, False
    return True, cause_kind not in (OPENING.kind, IMPORT.kind)


def is_earned(booked: Booked) -> bool:
    """Return whether a transaction is a credit that was earned."""
    return earned_and_scored(booked.amount, booked.cause_kind, booked.kind)[0]


def is_scored(booked: Booked) -> bool:
    """Return whether a transaction counts for scores."""
    return earned_and_scored(booked.amount, booked.cause_kind, booked.kind)[1]


def counted_at(booked: Booked, metric: Metric | None, time_zone: str) -> datetime:
    """Return when a transaction of a metric counts for scores: when its amount becomes available."""
    # A manual credit with its own expiry is never pending.
    is_immediate = booked.own_expiry and booked.kind == TRANSACTION and booked.cause_kind == MANUAL.kind
    return booked.occurred_at if is_immediate or metric is None else available_at(metric, booked.occurred_at, time_zone)
