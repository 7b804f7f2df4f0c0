"""What is earned, of all that is booked: the one rule that lifetime amounts and mechanics go by.

A credit is earned, unless another member sent it or a merge moved it. Scores (of mechanics) count it when
it is available, unless the member started or was imported with it. A debit is neither. A reversal takes as much back of
what the credit is that it goes back to, and reversing that gives it back: when and where the credit counted.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from plaudit.core.cause import IMPORT, MANUAL, MERGE, OPENING
from plaudit.core.event import RECEIPT, TRANSACTION
from plaudit.core.metrics import Metric, available_at

Earned = tuple[datetime, int]  # when it counts for scores, and how much


class Booked(Struct, frozen=True):
    """What the rule reads of a transaction that reverses no other. `cause_kind` is its cause's, `kind` its event's.

    `own_expiry`: its event sets the expiry.
    """

    amount: int
    cause_kind: str
    kind: str
    occurred_at: datetime
    own_expiry: bool = False


class Origin(Struct, frozen=True):
    """What a reversal takes back, directly or through other reversals: whether it was earned, and is scored.

    `counted_at` is when it counted for scores, or will when it is released; `counted_in` are the documents of
    mechanics that counted it (None where an earlier version has not said: then all that would count it now).
    """

    transaction_id: UUID
    earned: bool
    scored: bool
    counted_at: datetime | None = None
    counted_in: frozenset[str] | None = None


def earned_and_scored(amount: int, cause_kind: str, kind: str) -> tuple[bool, bool]:
    """Return whether a transaction that reverses no other is earned, and whether scores count it.

    `cause_kind` is its cause's, `kind` its event's. The rule itself; `is_earned` and `is_scored` ask it of what is `Booked`.
    """
    if amount <= 0 or cause_kind == MERGE.kind or (kind == RECEIPT and cause_kind == MANUAL.kind):
        return False, False
    return True, cause_kind not in (OPENING.kind, IMPORT.kind)


def is_earned(booked: Booked) -> bool:
    """Return whether a transaction is a credit that was earned."""
    return earned_and_scored(booked.amount, booked.cause_kind, booked.kind)[0]


def is_scored(booked: Booked) -> bool:
    """Return whether scores count a transaction."""
    return earned_and_scored(booked.amount, booked.cause_kind, booked.kind)[1]


def counted_at(booked: Booked, metric: Metric | None, time_zone: str) -> datetime:
    """Return when a transaction of a metric counts for scores: when what is pending becomes available."""
    at_once = booked.own_expiry and booked.kind == TRANSACTION and booked.cause_kind == MANUAL.kind
    return booked.occurred_at if at_once or metric is None else available_at(metric, booked.occurred_at, time_zone)
