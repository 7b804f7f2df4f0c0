"""Match debits with the credits that paid for them, from the postings on lots in ledger order.

A debit's postings name the lots that it took from. Within a lot, the oldest credit pays first. A reversal of a credit
takes from that credit first. A reversal of a debit returns the amounts to the credits, as if they had not paid for it.
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

PLAIN = -1  # the number that stands for the whole of a balance without lots
NO_DETAILS = TransactionDetails()
_DETAILS = msgspec.json.Decoder(TransactionDetails)


class Match(Struct, frozen=True):
    """A credit that paid for a debit (or expired, or was reversed with it), and the amount."""

    credit: UUID
    debit: UUID
    amount: int


def details_of(row: Row) -> TransactionDetails:
    """Return a transaction's details, which the ledger stores as JSON."""
    return NO_DETAILS if row["details"] is None else _DETAILS.decode(row["details"])


def _parts_of(row: Row) -> tuple[Posting, ...]:
    return details_of(row).parts or (Posting(PLAIN, row["amount"]),)


def matched(rows: Iterable[Row]) -> list[Match]:
    """Return the matches of all transactions of a member's metric, which must be in ledger order."""
    layers_by_lot: dict[int, list[list[Any]]] = {}  # each layer is a credit's id and its amount in the lot
    uses_by_debit: dict[UUID, list[list[Any]]] = {}  # each use is a lot, a credit's id and an amount
    for row in rows:
        own, undone = row["transaction_id"], row["reverses"]
        for part in _parts_of(row):
            layers = layers_by_lot.setdefault(part.lot, [])
            if part.amount > 0:
                left = part.amount - _put_back(layers, uses_by_debit.get(undone, ()), part)
                if left:
                    layers.append([own, left])
            else:
                uses_by_debit.setdefault(own, []).extend(_take(layers, part, undone))
    return [
        Match(credit, debit, amount) for debit, uses in uses_by_debit.items() for _, credit, amount in uses if amount
    ]


def _put_back(layers: list[list[Any]], uses: Iterable[list[Any]], part: Posting) -> int:
    """Put the amounts that a reversed debit used back into a lot's layers. Return their sum."""
    left = part.amount
    for use in reversed(list(uses)):
        amount = min(left, use[2]) if use[0] == part.lot else 0
        if amount:
            use[2] -= amount
            left -= amount
            layers.insert(0, [use[1], amount])
    return part.amount - left


def _take(layers: list[list[Any]], part: Posting, first: UUID | None) -> list[list[Any]]:
    """Take a posting's amount from a lot's layers: from the credit `first`, then from the oldest. Return the uses."""
    left, uses = -part.amount, list[list[Any]]()
    for layer in sorted(layers, key=lambda item: item[0] != first):
        amount = min(left, layer[1])
        if amount:
            layer[1] -= amount
            left -= amount
            uses.append([part.lot, layer[0], amount])
    layers[:] = [layer for layer in layers if layer[1]]
    return uses


def expired_by(rows: Iterable[Row]) -> dict[UUID, int]:
    """Return the expired amount of each credit, given all transactions of a member's metric in ledger order."""
    rows = list(rows)
    expiries = {  # releases have the same cause, and an amount of 0
        row["transaction_id"] for row in rows if row["cause_kind"] == CauseKind.expiry and row["amount"] < 0
    }
    expired: dict[UUID, int] = {}
    for match in matched(rows) if expiries else ():
        if match.debit in expiries:
            expired[match.credit] = expired.get(match.credit, 0) + match.amount
    return expired


def continued(rows: Sequence[Row], following: Sequence[Row]) -> list[Row]:
    """Return the transactions of a merged member's metric and of the remaining member, as one history of lots.

    The merge's debits and credits are left out: each lot continues under its number at the remaining member.
    """
    arrived = {row["event_id"]: row for row in following if row["cause_kind"] == CauseKind.merge}
    merged = (row for row in reversed(rows) if row["cause_kind"] == CauseKind.merge)
    merge = next((row for row in merged if takeover_id(row["event_id"]) in arrived), None)
    if merge is None:
        return [*rows, *following]
    takeover = arrived[takeover_id(merge["event_id"])]
    sent = [part.lot for part in details_of(merge).parts if part.lot != DEBT]
    received = details_of(takeover).parts
    numbers = dict(zip(sent, (part.lot for part in received), strict=False))
    own = [
        _with_parts(row, [_renumbered(part, numbers) for part in details_of(row).parts])
        for row in rows
        if row is not merge
    ]
    return own + [
        _with_parts(row, received[len(sent) :]) if row is takeover else row
        for row in following
        if row is not takeover or len(received) > len(sent)
    ]


_CLOSED = -10  # lots that were empty before the merge get numbers from here down, which no other lot has


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
    """Return the expired amount of a credit, given all transactions of its member's metric."""
    return expired_by(rows).get(row["transaction_id"], 0)


def reversals_by(rows: Iterable[Row]) -> dict[UUID, list[Row]]:
    """Return the reversals of each transaction, given all transactions of a member's metric."""
    reversals: dict[UUID, list[Row]] = {}
    for row in rows:
        if row["reverses"] is not None:
            reversals.setdefault(row["reverses"], []).append(row)
    return reversals


def parts_left(row: Row, rows: Iterable[Row], after_merge: Iterable[Row] = ()) -> tuple[Posting, ...]:
    """Return a debit's postings without the amounts that its reversals returned to the lots; a credit's unchanged.

    `after_merge` are reversals after a merge, in the remaining member's ledger. Lots have other numbers there, so they are
    matched by expiry.
    """
    parts = details_of(row).parts
    if row["amount"] > 0:
        return parts
    own = [record for record in rows if record["reverses"] == row["transaction_id"]]
    returned: Counter[Any] = Counter()
    for key_of, reversals in ((_lot_of, own), (_expiry_of, after_merge)):
        for part in (part for reversal in reversals for part in details_of(reversal).parts if part.lot != DEBT):
            returned[key_of(part)] += part.amount
    left: list[Posting] = []
    for part in reversed(parts):
        reversed_amount = 0
        for key in (_lot_of(part), _expiry_of(part)) if part.lot != DEBT else ():
            amount = min(returned[key], -part.amount - reversed_amount)
            returned[key] -= amount
            reversed_amount += amount
        if part.amount + reversed_amount:
            left.append(structs.replace(part, amount=part.amount + reversed_amount))
    return tuple(reversed(left))
