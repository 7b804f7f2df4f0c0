"""Points that a member was overpaid and has sent on: a rollback takes back from the receivers what the member lacks.

    the member lacks 80 ──► their transfers since, newest first ──► each receiver gives back what they still have of it
                        ──► the member's order has it back, and then gives back what was overpaid

That is a reversal of the transfer, by the ledger's rules: what a receiver no longer has stays, and is told.
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


class Back(Struct, frozen=True):
    """What comes back to a member by `transfers`, by `orders` to the receivers (by the ids of their events), and what stays."""

    transfers: tuple[Undone, ...]
    orders: tuple[tuple[UUID, str, Json], ...]
    stays: tuple[Stays, ...]


class _Receiver(Struct):
    """The remaining member for one who received something, and how much they can return."""

    user_id: str
    room: int
    book: Book
    is_erased: bool


async def sent_on(
    connection: Connection,
    program: Program,
    member: Member,
    log: Sequence[Json],
    lacking: Mapping[str, int],
    event_id: UUID,
) -> Back:
    """Return what the receivers of a member's transfers give back of what the member lacks, by metric.

    `log` begins where the member was overpaid; `event_id` is the event that the member's own order comes by.
    """
    transfers: list[Undone] = []
    orders: list[tuple[UUID, str, Json]] = []
    stays: list[Stays] = []
    sent = [logged(row).event() for row in reversed(log) if row["kind"] == TRANSFER and row["state"] == "processed"]
    for metric_id, amount in lacking.items():
        short = amount
        receivers: dict[str, _Receiver] = {}
        metric, rows = program.metrics[metric_id], await of_metric(connection, member.member_id, metric_id)
        for event in sent if short > 0 else ():
            to = str(event.data["to"])
            own = _by_hand(rows, event.event_id) if event.data["metric"] == metric_id else None
            wanted = 0 if own is None else min(short, _left_of(own, rows, member.balances[metric_id].book))
            theirs: Sequence[Row] = await _history(connection, program.org_id, to, metric_id) if wanted > 0 else ()
            received = _by_hand(theirs, receipt_ids(event.event_id)[0])
            if own is None or received is None:  # it is of another metric, or has come back, or is on its way
                continue
            if to not in receivers:
                receivers[to] = await _receiver(connection, program, to, metric)
            receiver = receivers[to]
            take = max(min(wanted, _left_of(received, theirs, receiver.book), receiver.room), 0)
            if take < wanted:
                why = Refusal.unknown_user if receiver.is_erased else Refusal.balance_insufficient
                stays.append(Stays(to, metric_id, wanted - take, why.value))
            if take:
                short -= take
                receiver.room -= take
                transfers.append(_undone(own, rows, take, merged=False))
                back = _undone(received, theirs, take, merged=receiver.user_id != to)
                order = msgspec.to_builtins(back, str_keys=True)
                orders.append((derived_id(event_id, f"back:{back.transaction_id}"), receiver.user_id, order))
    return Back(tuple(transfers), tuple(orders), tuple(stays))


async def _history(connection: Connection, org_id: UUID, user_id: str, metric_id: str) -> Sequence[Row]:
    """Return the transactions of a user's metric, and those of the remaining member."""
    rows: Sequence[Row] = []
    name: str | None = user_id
    while name is not None:
        member_id = member_id_of(org_id, name)
        rows = matching.continued(rows, await of_metric(connection, member_id, metric_id))
        found = await connection.fetchrow(_SQL.receiver, bucket_of(member_id), member_id, metric_id)
        name = None if found is None else found["merged_into"]
    return rows


def _by_hand(rows: Sequence[Row], event_id: UUID) -> Row | None:
    """Return the transaction that a command made itself."""
    return next((row for row in rows if row["event_id"] == event_id and row["cause_kind"] == CauseKind.manual), None)


def _left_of(row: Row, rows: Sequence[Row], book: Book | None) -> int:
    """Return how much of a transaction can be taken back."""
    gone = 0 if book is None else book.reversed.get(str(row["transaction_id"]), 0)
    return abs(row["amount"]) - gone - (matching.expired_of(row, rows) if row["amount"] > 0 else 0)


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
