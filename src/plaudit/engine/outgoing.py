"""What other systems are told of a decision: rows of the outbox."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from plaudit.clock import time_text
from plaudit.core.decision import Decision, Message, Notification, Transaction
from plaudit.core.ids import derived_id
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.documents.webhook import NOTIFICATION_CREATED, TRANSACTION_CREATED
from plaudit.messages import payload_of

from .arrival import Arrival, correlation_id_of


def message_rows(
    arrival: Arrival, program: Program, decision: Decision, position: int, at: datetime
) -> Iterator[tuple[Any, ...]]:
    """Yield the messages of a decision as rows; their place is that of the event in its bucket's log."""
    messages = list(decision.messages)
    if NOTIFICATION_CREATED in program.outbound:
        messages += [_notification(note) for note in decision.notifications]
    if TRANSACTION_CREATED in program.outbound:
        messages += [_transaction(program, posting) for posting in decision.transactions if posting.amount]
    if not messages:
        return
    correlation_id = correlation_id_of(arrival.payload)
    for number, message in enumerate(messages):
        message_id = derived_id(arrival.event_id, f"message:{number}")
        payload = payload_of(
            message_id, message.type, arrival.org_id, at, message.data, user_id=arrival.user_id,
            event_id=arrival.event_id, occurred_at=arrival.occurred_at, correlation_id=correlation_id,
        )  # fmt: skip
        yield (
            arrival.bucket, position, number, message_id, arrival.org_id, arrival.member_id, message.type,
            message.only_to, payload, at,
        )  # fmt: skip


def _notification(note: Notification) -> Message:
    data: dict[str, Any] = {
        "notificationId": str(note.notification_id),
        "type": note.type,
        "campaignId": note.campaign_id,
        "step": note.step,
        "display": note.display,
        "title": note.title,
        "message": note.message,
        "expiresAt": None if note.expires_at is None else time_text(note.expires_at),
    }
    return Message(NOTIFICATION_CREATED, data)


def _transaction(program: Program, posting: Transaction) -> Message:
    decimals = program.metrics[posting.metric].decimals if posting.metric in program.metrics else 0
    data: dict[str, Any] = {
        "transactionId": f"txn_{posting.transaction_id}",
        "metric": posting.metric,
        "type": "credit" if posting.amount > 0 else "debit",
        "amount": to_number(posting.amount, decimals),
        "balanceAfter": to_number(posting.balance_after, decimals),
        "campaignId": posting.campaign_id,
        "reason": posting.reason,
    }
    return Message(TRANSACTION_CREATED, data)
