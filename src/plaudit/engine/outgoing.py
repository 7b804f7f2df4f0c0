"""The messages that a decision sends to other systems: rows of the outbox."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from plaudit.core.cause import Cause, public_campaign_id
from plaudit.core.decision import Decision, Notification, Transaction
from plaudit.core.ids import derived_id
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.documents.webhook import NOTIFICATION_CREATED, TRANSACTION_CREATED
from plaudit.messages import CauseData, MessageData, NotificationData, TransactionData, payload_of
from plaudit.view import time_text

from .arrival import Arrival, correlation_id_of


def message_rows(
    arrival: Arrival, program: Program, decision: Decision, position: int, at: datetime
) -> Iterator[tuple[Any, ...]]:
    """Yield the messages of a decision as rows. Their position is the event's position in its bucket's log."""
    messages: list[tuple[str, MessageData | dict[str, Any], str | None]] = [
        (message.type, message.data, message.only_to) for message in decision.messages
    ]
    if NOTIFICATION_CREATED in program.outbound:
        messages += [(NOTIFICATION_CREATED, _notification(note), None) for note in decision.notifications]
    if TRANSACTION_CREATED in program.outbound:
        posted = [transaction for transaction in decision.transactions if transaction.amount]
        messages += [(TRANSACTION_CREATED, _transaction(program, transaction), None) for transaction in posted]
    if not messages:
        return
    correlation_id = correlation_id_of(arrival.payload)
    for number, (type_, data, only_to) in enumerate(messages):
        message_id = derived_id(arrival.event_id, f"message:{number}")
        payload = payload_of(
            message_id, type_, arrival.org_id, at, data, user_id=arrival.user_id,
            event_id=arrival.event_id, occurred_at=arrival.occurred_at, correlation_id=correlation_id,
        )  # fmt: skip
        yield (
            arrival.bucket, position, number, message_id, arrival.org_id, arrival.member_id, type_,
            only_to, payload, at,
        )  # fmt: skip


def _cause(cause: Cause) -> dict[str, Any]:
    data = CauseData(kind=cause.kind, id=cause.id or None)
    return {"campaign_id": public_campaign_id(cause), "cause": data}


def _notification(note: Notification) -> NotificationData:
    return NotificationData(
        notification_id=str(note.notification_id),
        type=note.type,
        **_cause(note.cause),
        step=note.step,
        display=note.display,
        title=note.title,
        message=note.message,
        expires_at=None if note.expires_at is None else time_text(note.expires_at),
    )


def _transaction(program: Program, transaction: Transaction) -> TransactionData:
    decimals = program.metrics[transaction.metric].decimals if transaction.metric in program.metrics else 0
    return TransactionData(
        transaction_id=f"txn_{transaction.transaction_id}",
        metric=transaction.metric,
        type="credit" if transaction.amount > 0 else "debit",
        amount=to_number(transaction.amount, decimals),
        balance_after=to_number(transaction.balance_after, decimals),
        **_cause(transaction.cause),
        reason=transaction.reason,
    )
