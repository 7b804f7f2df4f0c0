"""Which credits paid for which debits, and what is left of either: read off the postings on lots, in their order.

A debit names the lots that it took from; within a lot, what was put in first is taken first. A reversal of a credit takes
the credit's own first, and a reversal of a debit puts back what the debit had taken: then the one never paid for the other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from plaudit.core.cause import CauseKind
from plaudit.core.decision import TransactionDetails
from plaudit.core.ids import takeover_id

from .lots import DEBT, Posting

Row = Mapping[str, Any]

PLAIN = -1  # where no lots are kept, all is one
NO_DETAILS = TransactionDetails()
_DETAILS = msgspec.json.Decoder(TransactionDetails)


class Match(Struct, frozen=True):
    """A credit that paid for a debit (or expired, or was reversed with it), and the amount."""

    credit: UUID
    debit: UUID
    amount: int


def details_of(row: Row) -> TransactionDetails:
    """Return what the ledger stores of a transaction apart from its amount."""
    return NO_DETAILS if row["details"] is None else _DETAILS.decode(row["details"])


def _parts_of(row: Row) -> tuple[Posting, ...]:
    return details_of(row).parts or (Posting(PLAIN, row["amount"]),)


def matched(rows: Iterable[Row]) -> list[Match]:
    """Return the matches of all transactions of a member's metric, given in their order."""
    there: dict[int, list[list[Any]]] = {}  # by lot: whose it is, and how much
    taken: dict[UUID, list[list[Any]]] = {}  # by debit: from which lot, whose, how much
    for row in rows:
        own, undone = row["transaction_id"], row["reverses"]
        for part in _parts_of(row):
            layers = there.setdefault(part.lot, [])
            if part.amount > 0:
                left = part.amount - _put_back(layers, taken.get(undone, ()), part)
                if left:
                    layers.append([own, left])
            else:
                taken.setdefault(own, []).extend(_take(layers, part, undone))
    return [Match(credit, debit, amount) for debit, value in taken.items() for _, credit, amount in value if amount]


def _put_back(layers: list[list[Any]], taken: Iterable[list[Any]], part: Posting) -> int:
    """Return to a lot's credits what a debit took. Return the amount."""
    left = part.amount
    for item in reversed(list(taken)):
        given = min(left, item[2]) if item[0] == part.lot else 0
        if given:
            item[2] -= given
            left -= given
            layers.insert(0, [item[1], given])
    return part.amount - left


def _take(layers: list[list[Any]], part: Posting, first: UUID | None) -> list[list[Any]]:
    """Take a posting's amount from a lot: from one credit first, then from the oldest. Return the credits."""
    left, found = -part.amount, list[list[Any]]()
    for layer in sorted(layers, key=lambda item: item[0] != first):
        amount = min(left, layer[1])
        if amount:
            layer[1] -= amount
            left -= amount
            found.append([part.lot, layer[0], amount])
    layers[:] = [layer for layer in layers if layer[1]]
    return found


def expired_by(rows: Iterable[Row]) -> dict[UUID, int]:
    """Return how much of each credit has expired, of all transactions of a member's metric, in their order."""
    rows = list(rows)
    expired = {  # so do releases call theirs, which come to 0
        row["transaction_id"] for row in rows if row["cause_kind"] == CauseKind.expiry and row["amount"] < 0
    }
    found: dict[UUID, int] = {}
    for match in matched(rows) if expired else ():
        if match.debit in expired:
            found[match.credit] = found.get(match.credit, 0) + match.amount
    return found


def continued(rows: Sequence[Row], following: Sequence[Row]) -> list[Row]:
    """Return the transactions of a member's metric with those of the remaining member, as one history of lots.

    What a merge hands over is no debit here and no credit there: each lot goes on under the number that it has there.
    """
    arrived = {row["event_id"]: row for row in following if row["cause_kind"] == CauseKind.merge}
    merged = (row for row in reversed(rows) if row["cause_kind"] == CauseKind.merge)
    merge = next((row for row in merged if takeover_id(row["event_id"]) in arrived), None)
    if merge is None:
        return [*rows, *following]
    takeover = arrived[takeover_id(merge["event_id"])]
    went = [part.lot for part in details_of(merge).parts if part.lot != DEBT]
    came = details_of(takeover).parts
    numbers = dict(zip(went, (part.lot for part in came), strict=False))
    own = [
        _with_parts(row, [_renumbered(part, numbers) for part in details_of(row).parts])
        for row in rows
        if row is not merge
    ]
    return own + [
        _with_parts(row, came[len(went) :]) if row is takeover else row
        for row in following
        if row is not takeover or len(came) > len(went)
    ]


_CLOSED = -10  # before the merge: below it, no lot of another member has such a number


def _renumbered(part: Posting, numbers: Mapping[int, int]) -> Posting:
    return part if part.lot <= DEBT else structs.replace(part, lot=numbers.get(part.lot, _CLOSED - part.lot))


def _with_parts(row: Row, parts: Sequence[Posting]) -> Row:
    if not parts:
        return row
    return {**row, "details": msgspec.json.encode(structs.replace(details_of(row), parts=tuple(parts)))}


def _lot_of(part: Posting) -> tuple[str, int]:
    return "lot", part.lot


def _expiry_of(part: Posting) -> tuple[str, datetime | None]:
    return "expiry", part.expires_at


def expired_of(row: Row, rows: Iterable[Row]) -> int:
    """Return how much of a credit has expired, of all transactions of its member's metric."""
    return expired_by(rows).get(row["transaction_id"], 0)


def reversals_by(rows: Iterable[Row]) -> dict[UUID, list[Row]]:
    """Return the reversals of each transaction, of all transactions of a member's metric."""
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        if row["reverses"] is not None:
            found.setdefault(row["reverses"], []).append(row)
    return found


def parts_left(row: Row, rows: Iterable[Row], after_merge: Iterable[Row] = ()) -> tuple[Posting, ...]:
    """Return the postings of a debit without what its reversals have given back to their lots; those of a credit.

    `after_merge` are reversals at the remaining member, where lots have other numbers and are matched by their expiries.
    """
    parts = details_of(row).parts
    if row["amount"] > 0:
        return parts
    own = [record for record in rows if record["reverses"] == row["transaction_id"]]
    back: Counter[Any] = Counter()
    for named, reversals in ((_lot_of, own), (_expiry_of, after_merge)):
        for part in (part for reversal in reversals for part in details_of(reversal).parts if part.lot != DEBT):
            back[named(part)] += part.amount
    left: list[Posting] = []
    for part in reversed(parts):
        given = 0
        for name in (_lot_of(part), _expiry_of(part)) if part.lot != DEBT else ():
            more = min(back[name], -part.amount - given)
            back[name] -= more
            given += more
        if part.amount + given:
            left.append(structs.replace(part, amount=part.amount + given))
    return tuple(reversed(left))
