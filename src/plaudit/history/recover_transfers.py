"""Recovers points that a member was overpaid and then transferred: a rollback takes them back from the receivers.

    the member lacks 80 ──► their transfers since then, newest first ──► each receiver returns what they still have of them
                        ──► the member's order gets the points back, and then returns what was overpaid

The transfers are reversed by the ledger's rules. Points that a receiver no longer has stay, and are reported.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.cause import MANUAL, CauseKind
from plaudit.core.commands.receipt import receipt_ids
from plaudit.core.commands.rollback import Stays, Undone
from plaudit.core.decision import Refusal
from plaudit.core.event import TRANSFER
from plaudit.core.ids import bucket_of, derived_id, member_id_of
from plaudit.core.ledger import lots, matching
from plaudit.core.ledger.lots import Book
from plaudit.core.member import Member
from plaudit.core.metrics import AMOUNT_MAX, Metric
from plaudit.core.program import Program
from plaudit.engine.arrival import logged
from plaudit.reads.transactions import of_metric
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Json = dict[str, Any]
Row = matching.Row
_BOOK = msgspec.json.Decoder(Book)


class Recovery(Struct, frozen=True):
    """The member's `transfers` to reverse, the `orders` to their receivers, and the amounts that `stay` there.

    Each order has the id of its event, the receiver's user id, and its data.
    """

    transfers: tuple[Undone, ...]
    orders: tuple[tuple[UUID, str, Json], ...]
    stays: tuple[Stays, ...]


class _Receiver(Struct):
    """A receiver, or the member they were merged into, and how much they can return (`room`)."""

    user_id: str
    room: int
    book: Book
    is_erased: bool


async def recover_transfers(
    connection: Connection,
    program: Program,
    member: Member,
    log: Sequence[Json],
    lacking: Mapping[str, int],
    event_id: UUID,
) -> Recovery:
    """Return what the receivers of a member's transfers can return of the amounts that the member lacks, by metric.

    `log` is the member's log from the overpayment on; `event_id` is the event of the member's own order.
    """
    transfers: list[Undone] = []
    orders: list[tuple[UUID, str, Json]] = []
    stays: list[Stays] = []
    own = [logged(row).event() for row in reversed(log) if row["kind"] == TRANSFER and row["state"] == "processed"]
    for metric_id, amount in lacking.items():
        short = amount
        receivers: dict[str, _Receiver] = {}
        metric, rows = program.metrics[metric_id], await of_metric(connection, member.member_id, metric_id)
        for event in own if short > 0 else ():
            receiver_id = str(event.data["to"])
            sent = _transaction_of(rows, event.event_id) if event.data["metric"] == metric_id else None
            requested = 0 if sent is None else min(short, _reversible(sent, rows, member.balances[metric_id].book))
            receiver_rows: Sequence[Row] = (
                await _history(connection, program.org_id, receiver_id, metric_id) if requested > 0 else ()
            )
            received = _transaction_of(receiver_rows, receipt_ids(event.event_id)[0])
            if sent is None or received is None:  # it is of another metric, was returned, or has not arrived yet
                continue
            if receiver_id not in receivers:
                receivers[receiver_id] = await _receiver(connection, program, receiver_id, metric)
            receiver = receivers[receiver_id]
            take = max(min(requested, _reversible(received, receiver_rows, receiver.book), receiver.room), 0)
            if take < requested:
                reason = Refusal.unknown_user if receiver.is_erased else Refusal.balance_insufficient
                stays.append(Stays(receiver_id, metric_id, requested - take, reason.value))
            if take:
                short -= take
                receiver.room -= take
                transfers.append(_undone(sent, rows, take, merged=False))
                undone = _undone(received, receiver_rows, take, merged=receiver.user_id != receiver_id)
                order = msgspec.to_builtins(undone, str_keys=True)
                orders.append((derived_id(event_id, f"back:{undone.transaction_id}"), receiver.user_id, order))
    return Recovery(tuple(transfers), tuple(orders), tuple(stays))


async def _history(connection: Connection, org_id: UUID, user_id: str, metric_id: str) -> Sequence[Row]:
    """Return the transactions of a user's metric, continued by those of the members they were merged into."""
    rows: Sequence[Row] = []
    name: str | None = user_id
    while name is not None:
        member_id = member_id_of(org_id, name)
        rows = matching.continued(rows, await of_metric(connection, member_id, metric_id))
        row = await connection.fetchrow(_SQL.receiver, bucket_of(member_id), member_id, metric_id)
        name = None if row is None else row["merged_into"]
    return rows


def _transaction_of(rows: Sequence[Row], event_id: UUID) -> Row | None:
    """Return the transaction that a command's event made itself, or None."""
    return next((row for row in rows if row["event_id"] == event_id and row["cause_kind"] == CauseKind.manual), None)


def _reversible(row: Row, rows: Sequence[Row], book: Book | None) -> int:
    """Return how much of a transaction can still be reversed."""
    reversed_before = 0 if book is None else book.reversed.get(str(row["transaction_id"]), 0)
    return abs(row["amount"]) - reversed_before - (matching.expired_of(row, rows) if row["amount"] > 0 else 0)


async def _receiver(connection: Connection, program: Program, user_id: str, metric: Metric) -> _Receiver:
    while True:
        member_id = member_id_of(program.org_id, user_id)
        row = await connection.fetchrow(_SQL.receiver, bucket_of(member_id), member_id, metric.metric_id)
        if row is None or row["erased_at"] is not None:
            return _Receiver(user_id, 0, lots.EMPTY, is_erased=True)
        if row["merged_into"] is None:
            break
        user_id = row["merged_into"]
    book = lots.EMPTY if row["book"] is None else _BOOK.decode(row["book"])
    minimum = -AMOUNT_MAX if metric.minimum is None else metric.minimum
    return _Receiver(user_id, (row["amount"] or 0) - lots.held(book) - minimum, book, is_erased=False)


def _undone(row: Row, rows: Sequence[Row], take: int, *, merged: bool) -> Undone:
    return Undone(
        transaction_id=row["transaction_id"],
        metric=row["metric"],
        amount=row["amount"],
        take=take,
        parts=matching.parts_left(row, rows),
        reason="Rolled back: sent on",
        expired=matching.expired_of(row, rows) if row["amount"] > 0 else 0,
        whole=True,
        earned=False,
        counted_at=row["occurred_at"],
        merged=merged,
        logged=MANUAL.logged,
    )
