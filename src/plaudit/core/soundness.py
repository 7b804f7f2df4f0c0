"""Invariants of a member's state that can be checked without its history."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from .ledger.lots import DEBT, Book
from .ledger.post import available, in_lots
from .mechanic_rules import MECHANIC_RULES
from .member import Balance, Member
from .metrics import Metric


class Unsound(StrEnum):
    """The invariants of the ledger that can be violated."""

    holds = "holds"
    debt = "debt"
    available = "available"


def unsound(member: Member, metrics: Mapping[str, Metric]) -> Iterator[tuple[str, str]]:
    """Yield the violated invariants of a member: an `Unsound` or the kind of a mechanic, and a sentence.

    Balances of deleted metrics are not checked.
    """
    for metric_id, balance in member.balances.items():
        metric = metrics.get(metric_id)
        if metric is not None:
            for invariant, sentence in _of_balance(metric, balance):
                yield invariant, f"metric {metric_id}: {sentence}"
    for kind, rules in MECHANIC_RULES.items():
        for document_id, state in member.states.get(kind, {}).items():
            for sentence in rules.unsound(state):
                yield kind, f"{kind} {document_id}: {sentence}"


def _of_balance(metric: Metric, balance: Balance) -> Iterator[tuple[Unsound, str]]:
    free = available(balance)
    if metric.minimum is not None and not metric.into_debt and free < min(metric.minimum, 0):
        yield Unsound.available, f"{free} available of a balance of {balance.amount}"
    book = balance.book
    if book is None:
        return
    reserved = dict.fromkeys((lot.number for lot in book.lots), 0)
    for hold in book.holds:
        inside = sum(part.amount for part in hold.parts)
        lacks = inside < hold.amount and metric.minimum is not None and metric.minimum >= 0 and not metric.into_debt
        if inside > hold.amount or (lacks and in_lots(metric, balance)):
            yield Unsound.holds, f"hold {hold.hold_id} reserves {hold.amount}, but its lots contain {inside}"
        for part in hold.parts:
            reserved[part.lot] = reserved.get(part.lot, 0) + part.amount
    amounts = {lot.number: lot.amount for lot in book.lots}
    for number, held in reserved.items():
        if held > max(amounts.get(number, 0), 0):
            yield Unsound.holds, f"{held} of lot {number} are held, but the lot contains {amounts.get(number, 0)}"
    yield from _of_debt(book, reserved)


def _of_debt(book: Book, reserved: Mapping[int, int]) -> Iterator[tuple[Unsound, str]]:
    """Check that a member in debt has no available points that could pay it."""
    owed = sum(lot.amount for lot in book.lots if lot.number == DEBT)
    free = sum(
        lot.amount - reserved[lot.number] for lot in book.lots if lot.number != DEBT and lot.available_at is None
    )
    if owed and free > 0:
        yield Unsound.debt, f"{-owed} are owed, although {free} are available"
