"""Adapts logged events that depend on other events to the results of these under the other programme.

A receipt credits the transferred amount, a takeover adds the merged member's state, and a reversal reverses a posted amount. If
the other programme leads to different amounts or states, these are used instead, or the event is left out.
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
    """The real and simulated follow-ups of events in the window, and the real and simulated forms of reversed transactions."""

    def __init__(self, taken_back: Collection[UUID]) -> None:
        self._taken_back = taken_back
        self._followed: set[UUID] = set()
        self._would_follow: dict[UUID, FollowUp] = {}
        self._posted: set[UUID] = set()
        self._would_be_posted: dict[UUID, Transaction] = {}

    def happened(self, was: Decision) -> None:
        """Record the result of a real decision."""
        self._followed.update(follow_up.event_id for follow_up in was.follow_ups)
        self._posted.update(
            transaction.transaction_id
            for transaction in was.transactions
            if transaction.transaction_id in self._taken_back
        )

    def would_happen(self, would: Decision) -> None:
        """Record the result of a simulated decision."""
        self._would_follow.update((follow_up.event_id, follow_up) for follow_up in would.follow_ups)
        for transaction in would.transactions:
            if transaction.transaction_id in self._taken_back:
                self._would_be_posted[transaction.transaction_id] = transaction

    def as_would_be(self, event: Event) -> Event | None:
        """Return a logged event as it would be under the other programme, or None if it would not happen."""
        if event.event_id in self._followed:
            follow_up = self._would_follow.get(event.event_id)
            return None if follow_up is None else structs.replace(event, data=follow_up.data)
        if event.kind == REVERSAL and (of := UUID(str(event.data["transactionId"]))) in self._posted:
            return _reversal_of(self._would_be_posted.get(of), event)
        return event


def _reversal_of(transaction: Transaction | None, event: Event) -> Event | None:
    """Return a reversal of the simulated transaction, whole if the real transaction was reversed as a whole."""
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
    """Yield the log rows of one commit so that follow-ups come after the events that caused them.

    The rows are in the order of their buckets, so a receipt can come before its transfer. Other rows keep their order.
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
    """Return the ids of the follow-ups that an event can have in the same commit."""
    kind, event_id = row["kind"], row["event_id"]
    if kind == TRANSFER:
        return receipt_ids(event_id)
    if kind == MERGE:
        return (takeover_id(event_id),)
    return (referral_id(event_id),) if kind == ENROLMENT else ()
