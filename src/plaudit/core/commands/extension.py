"""Extend the expiry of a member's balance."""

from datetime import datetime

from msgspec import Struct

from plaudit.core.context import Context
from plaudit.core.event import EXTENSION
from plaudit.core.ledger import lots
from plaudit.core.ledger.post import balance_of, replace_book
from plaudit.core.metrics import Metric

from .command_type import CommandResult, CommandType, on_metric


class ExtensionOrder(Struct, frozen=True, rename="camel"):
    """The metric, and the new expiry of lots that would expire earlier."""

    metric: str
    expires_at: datetime


def _extend(context: Context, order: ExtensionOrder, metric: Metric) -> CommandResult:
    """Extend every earlier expiry of a metric's lots to this time."""
    book = balance_of(context, metric).book
    if book is not None:
        replace_book(context, metric, lots.extend_expiry(book, order.expires_at, context.now))
    return None


COMMAND = CommandType(kind=EXTENSION, order=ExtensionOrder, apply=on_metric(_extend))
