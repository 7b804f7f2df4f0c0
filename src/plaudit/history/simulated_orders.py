"""What events of the log say of others, as it would be under another programme.

A receipt brings what was sent, a takeover what was handed over, a reversal takes back what was posted. Where the other
programme leads to something else, they bring and take that instead, or do not happen.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from plaudit.core.commands.enrolment import referral_id
from plaudit.core.commands.receipt import receipt_ids
from plaudit.core.decision import Decision, FollowUp, Transaction
from plaudit.core.event import ENROLMENT, MERGE, REVERSAL, TRANSFER, Event
from plaudit.core.ids import takeover_id

Row = dict[str, Any]


class Orders:
    """What followed and would follow from events of the window, and what was and would be posted of what is reversed."""

    def __init__(self, taken_back: Collection[UUID]) -> None:
        self._taken_back = taken_back
        self._followed: set[UUID] = set()
        self._would_follow: dict[UUID, FollowUp] = {}
        self._posted: set[UUID] = set()
        self._would_be_posted: dict[UUID, Transaction] = {}

    def happened(self, was: Decision) -> None:
        """Record what an event led to."""
        self._followed.update(follow_up.event_id for follow_up in was.follow_ups)
        self._posted.update(
            transaction.transaction_id
            for transaction in was.transactions
            if transaction.transaction_id in self._taken_back
        )

    def would_happen(self, would: Decision) -> None:
        """Record what an event would lead to."""
        self._would_follow.update((follow_up.event_id, follow_up) for follow_up in would.follow_ups)
        for transaction in would.transactions:
            if transaction.transaction_id in self._taken_back:
                self._would_be_posted[transaction.transaction_id] = transaction

    def as_would_be(self, event: Event) -> Event | None:
        """Return an event of the log as it would be; None if it would not."""
        if event.event_id in self._followed:
            follow_up = self._would_follow.get(event.event_id)
            return None if follow_up is None else structs.replace(event, data=follow_up.data)
        if event.kind == REVERSAL and (of := UUID(str(event.data["transactionId"]))) in self._posted:
            return _reversal_of(self._would_be_posted.get(of), event)
        return event


def _reversal_of(transaction: Transaction | None, event: Event) -> Event | None:
    """Return a reversal of the simulated transaction: of all of it if the real reversal was of the whole amount."""
    data = event.data
    if transaction is None or not transaction.amount or (transaction.amount > 0) != (data["amount"] > 0):
        return None
    if transaction.amount == data["amount"]:
        return event
    most = abs(transaction.amount)
    take = most if data["take"] == abs(data["amount"]) else min(data["take"], most)
    parts = msgspec.to_builtins(transaction.postings or ())
    expired = min(data.get("expired", 0), most)
    return structs.replace(
        event, data={**data, "amount": transaction.amount, "take": take, "parts": parts, "expired": expired}
    )


def causes_first(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield rows of the log that were decided in one commit: what follows from another, after that.

    They are in the order of their buckets, so a transfer may stand behind its receipt. The rest keeps its order.
    """
    waiting: dict[UUID, list[Row]] = {}
    to_come = {follower for row in rows for follower in _followers(row)} if len(rows) > 1 else set[UUID]()
    for row in rows:
        if row["event_id"] in to_come or row["member_id"] in waiting:
            waiting.setdefault(row["member_id"], []).append(row)
        else:
            to_come.difference_update(_followers(row))
            yield row
    for held in waiting.values():
        yield from held


def _followers(row: Row) -> Collection[UUID]:
    """Return the ids of what may follow from an event, in the same commit."""
    kind, event_id = row["kind"], row["event_id"]
    if kind == TRANSFER:
        return receipt_ids(event_id)
    if kind == MERGE:
        return (takeover_id(event_id),)
    return (referral_id(event_id),) if kind == ENROLMENT else ()
