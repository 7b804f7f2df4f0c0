"""The books by hand: credits, debits, transfers, holds, and transactions taken back."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from plaudit.api.commands import run_command
from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json, UserId, time_text, uuid_in
from plaudit.api.schemas import TEXT, object_of
from plaudit.api.v1.transactions import TRANSACTION_SCHEMA, shown_transaction
from plaudit.core.event import EXTENSION, HOLD, REVERSAL, TRANSACTION, TRANSFER
from plaudit.core.metrics import AMOUNT_MAX, Metric
from plaudit.engine.outcome import Processed
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.reads import transactions
from plaudit.reads.transactions import details_of

HOLD_SECONDS = 15 * 60
Amount = Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)] | Annotated[float, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
Reason = Annotated[str, Meta(max_length=500)]
Key = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,128}$")]


class TransactionBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A credit, or a debit when `amount` is negative. `expiresAt` instead of when the metric would have it expire."""

    user_id: UserId
    metric: str = "points"
    amount: Amount
    reason: Reason | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    event_id: Key | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class ReversalBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How much of the transaction to take back (all of it unless said). `expiresAt`: when what comes back expires."""

    amount: Amount | None = None
    reason: Reason | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    event_id: Key | None = None


class TransferBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """From one member to another."""

    user_id: UserId
    to_user_id: UserId
    metric: str = "points"
    amount: Amount
    reason: Reason | None = None
    event_id: Key | None = None


class HoldBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An amount set apart for `seconds`; captured (spent) or released before they are over, or given back then."""

    action: Literal["place", "capture", "release"] = "place"
    hold_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    metric: str = "points"
    amount: Amount = 0
    seconds: Annotated[int, Meta(ge=1, le=30 * 86_400)] = HOLD_SECONDS
    reason: Reason | None = None


class ExtensionBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Whatever of the metric would expire before `expiresAt` expires then."""

    metric: str = "points"
    expires_at: Annotated[datetime, Meta(tz=True)]


async def create_transaction(call: Call) -> Json:
    """A credit or debit by hand."""
    body: TransactionBody = call.body
    metric = await _metric(call, body.metric)
    amount = _scaled(metric, body.amount, positive=False)
    data = {"metric": metric.metric_id, "amount": amount, "reason": body.reason}
    if body.expires_at is not None:
        data["expiresAt"] = body.expires_at.isoformat()
    return await _written(call, TRANSACTION, body.user_id, data, body.event_id, body.metadata)


async def reverse_transaction(call: Call) -> Json:
    """Take a transaction back: a credit out of the lots that it made, a debit into those that paid for it."""
    body: ReversalBody = call.body
    transaction_id = uuid_in(call.path["transactionId"], "txn_")
    async with call.services.pool.acquire() as connection:
        row = transaction_id and await transactions.one(connection, call.org_id, transaction_id)
    if not row:
        raise NotFound("Transaction not found", code="transaction_not_found")
    metric = await _metric(call, row["metric"])
    take = abs(row["amount"]) if body.amount is None else _scaled(metric, body.amount, positive=True)
    if not 0 < take <= abs(row["amount"]):
        raise invalid_fields([FieldError("amount", "must be more than 0, and not more than the transaction's")])
    data = {
        "transactionId": str(row["transaction_id"]),
        "metric": metric.metric_id,
        "amount": row["amount"],
        "take": take,
        "parts": msgspec.to_builtins(details_of(row).parts),
        "reason": body.reason,
        "expiresAt": None if body.expires_at is None else body.expires_at.isoformat(),
    }
    return await _written(call, REVERSAL, row["user_id"], data, body.event_id)


async def transfer(call: Call) -> Json:
    """Move an amount from one member to another: a debit here now, a credit there a moment later."""
    body: TransferBody = call.body
    if body.to_user_id == body.user_id:
        raise invalid_fields([FieldError("toUserId", "must be another member")])
    metric = await _metric(call, body.metric)
    amount = _scaled(metric, body.amount, positive=True)
    data = {"metric": metric.metric_id, "amount": amount, "reason": body.reason, "to": body.to_user_id}
    return await _written(call, TRANSFER, body.user_id, data, body.event_id)


async def hold(call: Call) -> Json:
    """Place, capture or release a hold."""
    body: HoldBody = call.body
    metric = await _metric(call, body.metric)
    positive = body.action == "place"
    amount = _scaled(metric, body.amount, positive=positive) if positive or body.amount else 0
    if amount < 0:
        raise invalid_fields([FieldError("amount", "must be more than 0")])
    live = await call.services.programs.live(call.org_id)
    until = live.now() + timedelta(seconds=body.seconds)
    data = {
        "metric": metric.metric_id, "holdId": body.hold_id, "action": body.action, "amount": amount,
        "until": until.isoformat(), "reason": body.reason,
    }  # fmt: skip
    await run_command(call, kind=HOLD, trigger=HOLD, user_id=call.path["userId"], data=data)
    return {"holdId": body.hold_id, "action": body.action, "metric": metric.metric_id, "until": time_text(until)}


async def extend(call: Call) -> Json:
    """Let what a member has of a metric last at least until an instant."""
    body: ExtensionBody = call.body
    metric = await _metric(call, body.metric)
    data = {"metric": metric.metric_id, "expiresAt": body.expires_at.isoformat()}
    await run_command(call, kind=EXTENSION, trigger=EXTENSION, user_id=call.path["userId"], data=data)
    return {"metric": metric.metric_id, "expiresAt": time_text(body.expires_at)}


async def _metric(call: Call, metric_id: str) -> Metric:
    metric = (await call.services.programs.live(call.org_id)).program.metrics.get(metric_id)
    if metric is None:
        raise invalid_fields([FieldError("metric", f"must be the id of a metric (got {metric_id!r})")])
    return metric


def _scaled(metric: Metric, amount: float, *, positive: bool) -> int:
    scaled = Decimal(str(amount)).scaleb(metric.decimals)
    if scaled % 1:
        raise invalid_fields([FieldError("amount", f"must have at most {metric.decimals} decimal places")])
    if scaled == 0 or (positive and scaled < 0):
        raise invalid_fields([FieldError("amount", "must be more than 0" if positive else "must not be 0")])
    return int(scaled)


async def _written(
    call: Call, kind: str, user_id: str, data: dict[str, Any], key: str | None, metadata: dict[str, Any] | None = None
) -> Json:
    """Carry out a command of the books, and show the transaction that it made (also when it had made it before)."""
    processed, _, event_id = await run_command(
        call, kind=kind, trigger=kind, user_id=user_id, data=data, metadata=metadata, key=key
    )
    program = (await call.services.programs.live(call.org_id)).program
    async with call.services.pool.acquire() as connection:
        row = await transactions.of_command(connection, call.org_id, _own_id(processed), event_id)
    return {**shown_transaction(program, row), "duplicate": processed.state == "duplicate"}


def _own_id(processed: Processed) -> UUID | None:
    """The transaction that the command itself made, rather than what followed from it."""
    if processed.decision is None:
        return None
    return next(one.transaction_id for one in processed.decision.postings if one.campaign_id == "manual")


_WRITTEN = {**TRANSACTION_SCHEMA, "properties": TRANSACTION_SCHEMA["properties"] | {"duplicate": {"type": "boolean"}}}

OPERATIONS = [
    Operation(
        method="POST", path="/v1/profiles/{userId}/extensions", run=extend, scope="admin:write", tag="Transactions",
        summary="Let what a member has of a metric last longer", body=ExtensionBody,
        answer=object_of({"metric": TEXT, "expiresAt": TEXT}), errors=(400, 409, 413),
    ),
    Operation(
        method="POST", path="/v1/transactions", summary="Credit or debit a member by hand", run=create_transaction,
        scope="admin:write", tag="Transactions", body=TransactionBody, answer=_WRITTEN, status=201,
        errors=(400, 409, 413, 422),
    ),
    Operation(
        method="POST", path="/v1/transactions/{transactionId}/reverse", run=reverse_transaction, scope="admin:write",
        summary="Take a transaction back, whole or in part: a new one that points at it", tag="Transactions",
        body=ReversalBody, answer=_WRITTEN, status=201, errors=(400, 404, 409, 413, 422),
    ),
    Operation(
        method="POST", path="/v1/transfers", summary="Move an amount from one member to another", run=transfer,
        scope="admin:write", tag="Transactions", body=TransferBody, answer=_WRITTEN, status=201,
        errors=(400, 409, 413, 422),
    ),
    Operation(
        method="POST", path="/v1/profiles/{userId}/holds", run=hold, scope="admin:write", tag="Transactions",
        summary="Set an amount apart for a purchase; capture or release it", body=HoldBody,
        answer=object_of({"holdId": TEXT, "action": TEXT, "metric": TEXT, "until": TEXT}), errors=(400, 409, 413),
    ),
]  # fmt: skip
