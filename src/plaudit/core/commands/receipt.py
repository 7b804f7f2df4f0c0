"""Receive a transfer, or get it back if the receiver refused it."""

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
    """Return the event that delivers a transferred amount to a member. For `event_id`, see `receipt_ids`."""
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
    """Return the ids of a transfer's receipt, and of the receipt that returns the amount to the sender if refused."""
    receipt_id = derived_id(transfer_id, RECEIPT)
    return receipt_id, _return_id(receipt_id)


def _return_id(receipt_id: UUID) -> UUID:
    return derived_id(receipt_id, "return")


def _returns(context: Context) -> list[FollowUp]:
    """Return the follow-up of a refused receipt, which returns the amount to its sender, with its expiries."""
    order: TransactionOrder = decode_order(context.root_event.data, TransactionOrder)
    if order.returned or not order.sender:
        return []
    return_id = _return_id(context.root_event.event_id)
    return [receipt_for(context, return_id, order, order.sender, msgspec.to_builtins(order.parts), returned=True)]


def _receipt(context: Context, order: TransactionOrder, metric: Metric) -> CommandResult:
    """Credit a transfer's whole amount, or refuse it. An amount without the sender's lots expires like a new credit."""
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
    rest = (Posting(0, missing, expiry_of(context, metric, book)),) if missing else ()
    return credit_parts(context, metric, (*order.parts, *rest), order.reason)


COMMAND = CommandType(
    kind=RECEIPT,
    order=TransactionOrder,
    apply=on_metric(_receipt),
    strangers=Strangers.join_if_allowed,
    after_refusal=_returns,
)
