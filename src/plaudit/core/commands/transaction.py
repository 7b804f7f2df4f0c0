"""A manual credit or debit, and the order that transfers and receipts also use."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field

from plaudit.core.cause import MANUAL
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import Refusal, Transaction
from plaudit.core.event import TRANSACTION
from plaudit.core.ledger import lots
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.post import append_transaction, balance_of, open_book, post
from plaudit.core.metrics import Metric

from .command_type import CommandResult, CommandType, on_metric


class TransactionOrder(Struct, frozen=True, rename="camel"):
    """A manual credit, debit (negative) or transfer, in smallest units. `expires_at` replaces the metric's expiry.

    A receipt of a transfer has the `sender`, the sender's lots (`parts`) and, if the receiver refused it, `returned`.
    """

    metric: str
    amount: int
    reason: str | None = None
    to: str | None = None
    sender: str | None = field(default=None, name="from")
    parts: tuple[Posting, ...] = ()
    transfer_id: str | None = None
    returned: bool = False
    expires_at: datetime | None = None


def _transaction(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    if order.expires_at is not None and order.amount > 0:
        if metric.maximum is not None and balance_of(context, metric).amount + order.amount > metric.maximum:
            return Refusal.balance_at_maximum
        return credit_parts(context, metric, (Posting(0, order.amount, order.expires_at),), order.reason)
    return post(context, EffectPlace(MANUAL, 0, 0), metric, order.amount, order.reason, earning=False)


def credit_parts(context: Context, metric: Metric, parts: Sequence[Posting], reason: str | None) -> Transaction:
    """Credit amounts with their own expiries, in one transaction."""
    amount = sum(part.amount for part in parts)
    book, postings = open_book(balance_of(context, metric)), list[Posting]()
    for part in parts:
        book, added = lots.credit(book, part.amount, part.expires_at, None)
        postings += added
    return append_transaction(context, EffectPlace(MANUAL, 0, 0), metric, amount, book, tuple(postings), reason)


COMMAND = CommandType(kind=TRANSACTION, order=TransactionOrder, apply=on_metric(_transaction))
