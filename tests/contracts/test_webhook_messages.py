"""The description shows every message that a webhook can receive, in the form in which it is encoded."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from plaudit.api.app import OPERATIONS
from plaudit.api.http.openapi import describe
from plaudit.core.triggers import ENGINE_TRIGGERS
from plaudit.documents import webhook
from plaudit.messages import CauseData, TransactionData, WebhookDisabledData, payload_of

DESCRIPTION = msgspec.json.decode(msgspec.json.encode(describe(OPERATIONS)))
CAUSE = CauseData(kind="campaign", id="c")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def problems(type: str, payload: str) -> list[str]:
    schema = DESCRIPTION["webhooks"][type]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator(schema | {"components": DESCRIPTION["components"]})
    return [error.message for error in validator.iter_errors(msgspec.json.decode(payload))]


def test_every_type_that_a_webhook_can_ask_for_is_described():
    triggers = {name for trigger in ENGINE_TRIGGERS for name in webhook.names_of(trigger)}
    named = {webhook.WEBHOOK_TEST, webhook.WEBHOOK_CALLED}
    assert DESCRIPTION["webhooks"].keys() == triggers | named | set(webhook.MESSAGE_TYPES)


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("transaction.created", TransactionData(transaction_id="txn_1", metric="points", type="credit", amount=1,
                                                balance_after=1, campaign_id="c", cause=CAUSE, reason=None)),
        ("webhook.disabled", WebhookDisabledData(webhook_id="wh_1", reason="Gone")),
        ("metric.changed", {"metric": "points", "amount": 1, "balance": 1, "previous": 0}),
    ],
)  # fmt: skip
def test_a_message_is_as_described(type, data):
    payload = payload_of(UUID(int=1), type, UUID(int=2), AT, data, user_id="ann", event_id=UUID(int=3), occurred_at=AT)
    assert problems(type, payload) == []
    assert problems("campaign.created", payload) != []
