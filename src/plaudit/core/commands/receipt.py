"""The arrival of a transfer at its receiver, or back at its sender."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.cause import MANUAL
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import FollowUp, Refusal
from plaudit.core.event import RECEIPT
from plaudit.core.ids import derived_id
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.post import append_transaction, balance_of, expiry_of, in_lots, open_book
from plaudit.core.metrics import AMOUNT_MAX, Metric

from .command_type import CommandResult, CommandType, Strangers, decode_order, on_metric
from .transaction import TransactionOrder, credit_parts


def receipt_for(
    context: Context, event_id: UUID, order: TransactionOrder, to: str, parts: Sequence[Any], *, returned: bool = False
) -> FollowUp:
    """Return the event that delivers an amount to a member. Its id comes from the transfer's (see `receipt_ids`)."""
    data = {"metric": order.metric, "amount": order.amount, "reason": order.reason, "parts": parts}
    return FollowUp(
        event_id=event_id,
        user_id=to,
        kind=RECEIPT,
        trigger=RECEIPT,
        occurred_at=context.now,
        data=msgspec.to_builtins(data)
        | {"from": context.member.user_id, "transferId": order.transfer_id or str(context.root_event.event_id)}
        | ({"returned": True} if returned else {}),
    )


def receipt_ids(transfer_id: UUID) -> tuple[UUID, UUID]:
    """Return the ids of the events by which a transfer arrives at its receiver and, if it cannot, comes back."""
    receipt_id = derived_id(transfer_id, RECEIPT)
    return receipt_id, _return_id(receipt_id)


def _return_id(receipt_id: UUID) -> UUID:
    return derived_id(receipt_id, "return")


def _returns(context: Context) -> list[FollowUp]:
    """Return the follow-up of a refused receipt: the amount goes back to its sender, with its lots."""
    order: TransactionOrder = decode_order(context.root_event.data, TransactionOrder)
    if order.returned or not order.sender:
        return []
    return_id = _return_id(context.root_event.event_id)
    return [receipt_for(context, return_id, order, order.sender, msgspec.to_builtins(order.parts), returned=True)]


def _receipt(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    """Post a transfer's amount, whole or not at all. A part without lots at the sender expires as a credit does."""
    before = balance_of(context, metric)
    after = before.amount + order.amount
    if after > AMOUNT_MAX or (metric.maximum is not None and after > metric.maximum and not order.returned):
        return Refusal.balance_at_maximum
    if not (in_lots(metric, before) or any(part.expires_at is not None for part in order.parts)):
        return append_transaction(
            context, EffectPlace(MANUAL, 0, 0), metric, order.amount, before.book, None, order.reason
        )
    book = open_book(before)
    missing = order.amount - sum(part.amount for part in order.parts)
    more = (Posting(0, missing, expiry_of(context, metric, book)),) if missing else ()
    return credit_parts(context, metric, (*order.parts, *more), order.reason)


COMMAND = CommandType(
    kind=RECEIPT,
    order=TransactionOrder,
    apply=on_metric(_receipt),
    strangers=Strangers.join_if_allowed,
    after_refusal=_returns,
)
