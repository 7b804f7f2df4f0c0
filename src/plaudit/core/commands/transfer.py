"""A transfer to another member, who receives it in an event of their own (see `receipt`)."""

from plaudit.core.cause import MANUAL
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import Refusal, Transaction
from plaudit.core.event import TRANSFER
from plaudit.core.ledger.lots import DEBT
from plaudit.core.ledger.post import post
from plaudit.core.metrics import Metric

from .command_type import CommandResult, CommandType, on_metric
from .receipt import receipt_for, receipt_ids
from .transaction import TransactionOrder


def _transfer(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    """Spend an amount and send it, with its expiries, to another member."""
    if order.to is None:
        return Refusal.metric_not_found
    spent = post(context, EffectPlace(MANUAL, 0, 0), metric, -order.amount, order.reason, earning=False)
    if isinstance(spent, Transaction):
        parts = [(0, -part.amount, part.expires_at) for part in spent.postings or () if part.lot != DEBT]
        receipt_id, _ = receipt_ids(context.root_event.event_id)
        context.follow_ups.append(receipt_for(context, receipt_id, order, order.to, parts))
    return spent


COMMAND = CommandType(kind=TRANSFER, order=TransactionOrder, apply=on_metric(_transfer), is_own=True)
