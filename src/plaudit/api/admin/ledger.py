"""Manual changes of the ledger: credits, debits, transfers, holds, reversals and extensions."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, field

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import EventKey, UserId, time_text, uuid_in
from plaudit.api.run_command import NO_OTHERS, run_command
from plaudit.api.views.transactions import ExpiryExtension, Hold, Transaction, transaction_view, transfer_view
from plaudit.core.cause import MANUAL
from plaudit.core.event import EXTENSION, HOLD, REVERSAL, TRANSACTION, TRANSFER
from plaudit.core.ids import event_id_of
from plaudit.core.metrics import AMOUNT_MAX, Metric, misfit
from plaudit.engine.processed import ProcessedEvent
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.ingest.members import remaining_user
from plaudit.reads import events, transactions
from plaudit.reads.origins import origin_of
from plaudit.reads.transactions import MergeSides
from plaudit.storage.postgres import Connection

HOLD_SECONDS = 15 * 60
SignedAmount = (
    Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)] | Annotated[float, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
)
Reason = Annotated[str, Meta(max_length=500)]


class NewTransaction(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A credit, or a debit if `amount` is negative. `expiresAt` replaces the metric's expiry."""

    user_id: UserId
    metric: str = "points"
    amount: SignedAmount
    reason: Reason | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    event_id: EventKey | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class ReversalRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How much of the transaction to reverse (default: all). `expiresAt`: the expiry of the amount that is restored."""

    amount: SignedAmount | None = None
    reason: Reason | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    event_id: EventKey | None = None


class NewTransfer(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A transfer from one member to another."""

    user_id: UserId
    to_user_id: UserId
    metric: str = "points"
    amount: SignedAmount
    reason: Reason | None = None
    event_id: EventKey | None = None


class HoldCommand(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An amount to reserve for `seconds`. Unless captured (spent) or released earlier, it is released then."""

    action: Literal["place", "capture", "release"] = "place"
    hold_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    metric: str = "points"
    amount: SignedAmount = 0
    seconds: Annotated[int, Meta(ge=1, le=30 * 86_400)] = HOLD_SECONDS
    reason: Reason | None = None


class ExpiryExtensionRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The new expiry of all amounts of the metric that would expire before `expiresAt`."""

    metric: str = "points"
    expires_at: Annotated[datetime, Meta(tz=True)]


async def create_transaction(call: Call) -> Transaction:
    """Credit or debit a member."""
    body: NewTransaction = call.body
    metric = await _metric(call, body.metric)
    amount = _scaled(metric, body.amount, positive=False)
    data = {"metric": metric.metric_id, "amount": amount, "reason": body.reason}
    if body.expires_at is not None:
        data["expiresAt"] = body.expires_at.isoformat()
    return await _run_ledger_command(call, TRANSACTION, body.user_id, data, body.event_id, body.metadata)


async def reverse_transaction(call: Call) -> Transaction:
    """Reverse a transaction: a credit from the lots that it created, a debit into the lots that paid for it."""
    body: ReversalRequest = call.body
    transaction_id = uuid_in(call.path["transactionId"], "txn_")
    async with call.connection() as connection:
        row = transaction_id and await transactions.fetch_transaction(connection, call.org_id, transaction_id)
        if not row:
            raise NotFound("Transaction not found", code="transaction_not_found")
    metric = await _metric(call, row["metric"])
    take = abs(row["amount"]) if body.amount is None else _scaled(metric, body.amount, positive=True)
    if not 0 < take <= abs(row["amount"]):
        raise invalid_fields([FieldError("amount", "must be greater than 0 and at most the transaction's amount")])
    expires_at = None if body.expires_at is None else body.expires_at.isoformat()
    common = {"metric": metric.metric_id, "take": take, "reason": body.reason, "expiresAt": expires_at}
    async with call.connection() as connection:
        sides = await transactions.merge_sides(connection, row)
        if sides is not None:
            other = sides.now if row is sides.former else sides.former
        else:
            other = await transactions.other_side(connection, row)
        whole = {"whole": True} if other is not None else {}
        user_id, original = await _original(call, connection, row, sides)
        data = common | whole | original
        also = NO_OTHERS
        if other is not None:
            other_user, original = await _original(call, connection, other, sides)
            also = {other_user: common | whole | original}
        if body.event_id is not None:
            # A repeated command must equal the first, whatever has expired or been reversed since.
            data = await _with_first_values(
                connection,
                call.org_id,
                event_id_of(call.org_id, body.event_id),
                data,
                ("expired", "parts", "countedIn", "pending"),
            )
    return await _run_ledger_command(call, REVERSAL, user_id, data, body.event_id, also=also)


async def _original(
    call: Call, connection: Connection, row: dict[str, Any], sides: MergeSides | None
) -> tuple[str, dict[str, Any]]:
    """Return the user whose event reverses a transaction, and the data of that event.

    If the member was merged, it is the member who remains; reversing the merge restores the merged member.
    """
    user_id: str = row["user_id"]
    merge_state: dict[str, Any] = {}
    if sides is not None and row is sides.former:
        merge_state = {"reopens": True}
    else:
        user_id = await remaining_user(connection, row["org_id"], user_id)
        if user_id != row["user_id"]:
            merge_state = {"merged": True}
    programme = await call.programme()
    origin = await origin_of(connection, programme, row, user_id)
    return user_id, merge_state | {
        "transactionId": str(row["transaction_id"]),
        "amount": row["amount"],
        "parts": msgspec.to_builtins(await transactions.left_of(connection, row)),
        "expired": await transactions.expired_of(connection, row) if row["amount"] > 0 else 0,
        "earned": origin.earned,
        "scored": origin.scored,
        "pending": origin.scored,
        **({} if origin.counted_at is None else {"countedAt": origin.counted_at.isoformat()}),
        **({} if origin.counted_in is None else {"countedIn": sorted(origin.counted_in)}),
    }


async def _with_first_values(
    connection: Connection, org_id: UUID, event_id: UUID, data: dict[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Return an event's data. If the event was reported before, the named fields keep their first values."""
    row = await events.fetch_event(connection, org_id, [event_id])
    if row is None:
        return data
    first: dict[str, Any] = msgspec.json.decode(row["payload"])["data"]
    return {name: value for name, value in data.items() if name not in names} | {
        name: first[name] for name in names if name in first
    }


async def transfer(call: Call) -> Transaction:
    """Move an amount from one member to another. Both members change, or neither."""
    body: NewTransfer = call.body
    if body.to_user_id == body.user_id:
        raise invalid_fields([FieldError("toUserId", "must differ from userId")])
    metric = await _metric(call, body.metric)
    amount = _scaled(metric, body.amount, positive=True)
    data = {"metric": metric.metric_id, "amount": amount, "reason": body.reason, "to": body.to_user_id}
    return await _run_ledger_command(call, TRANSFER, body.user_id, data, body.event_id, through=[body.to_user_id])


async def hold(call: Call) -> Hold:
    """Place, capture or release a hold."""
    body: HoldCommand = call.body
    metric = await _metric(call, body.metric)
    positive = body.action == "place"
    amount = _scaled(metric, body.amount, positive=positive) if positive or body.amount else 0
    if amount < 0:
        raise invalid_fields([FieldError("amount", "must be greater than 0")])
    programme = await call.programme()
    until = programme.now() + timedelta(seconds=body.seconds)
    data = {
        "metric": metric.metric_id, "holdId": body.hold_id, "action": body.action, "amount": amount,
        "until": until.isoformat(), "reason": body.reason,
    }  # fmt: skip
    await run_command(call, kind=HOLD, trigger=HOLD, user_id=call.path["userId"], data=data)
    return Hold(hold_id=body.hold_id, action=body.action, metric=metric.metric_id, until=time_text(until))


async def extend(call: Call) -> ExpiryExtension:
    """Extend every earlier expiry of a member's balance to a time."""
    body: ExpiryExtensionRequest = call.body
    metric = await _metric(call, body.metric)
    data = {"metric": metric.metric_id, "expiresAt": body.expires_at.isoformat()}
    await run_command(call, kind=EXTENSION, trigger=EXTENSION, user_id=call.path["userId"], data=data)
    return ExpiryExtension(metric=metric.metric_id, expires_at=time_text(body.expires_at))


async def _metric(call: Call, metric_id: str) -> Metric:
    metric = (await call.programme()).compiled.metrics.get(metric_id)
    if metric is None:
        raise invalid_fields([FieldError("metric", f"must reference an existing metric (got {metric_id!r})")])
    return metric


def _scaled(metric: Metric, amount: float, *, positive: bool) -> int:
    message = misfit(amount, metric.decimals)
    if message is None and (amount == 0 or (positive and amount < 0)):
        message = f"must be greater than 0 (got {amount})" if positive else "must not be 0"
    if message is not None:
        raise invalid_fields([FieldError("amount", message)])
    return int(Decimal(str(amount)).scaleb(metric.decimals))


async def _run_ledger_command(
    call: Call, kind: str, user_id: str, data: dict[str, Any], key: str | None, metadata: dict[str, Any] | None = None,
    *, also: Mapping[str, dict[str, Any]] = NO_OTHERS, through: Sequence[str] = (),
) -> Transaction:  # fmt: skip
    """Run a ledger command. Return the transaction that it posted, now or when it first ran."""
    processed, _, event_id = await run_command(
        call,
        kind=kind,
        trigger=kind,
        user_id=user_id,
        data=data,
        metadata=metadata,
        key=key,
        also=also,
        through=through,
    )
    programme = await call.programme()
    async with call.connection() as connection:
        row = await transactions.of_command(connection, call.org_id, _transaction_id_of(processed), event_id)
        transfer = await transactions.transfer_of(connection, row)
    return transaction_view(
        programme, row, transfer=transfer_view(programme, transfer), duplicate=processed.state == "duplicate"
    )


def _transaction_id_of(processed: ProcessedEvent) -> UUID | None:
    """Return the transaction that the command itself posted, not one that followed from it."""
    if processed.decision is None:
        return None
    return next(
        transaction.transaction_id for transaction in processed.decision.transactions if transaction.cause == MANUAL
    )


OPERATIONS = [
    Operation(
        name="extendExpiry", method="POST", path="/v1/profiles/{userId}/extensions", run=extend, scope="admin:write",
        tag="Ledger", summary="Extend the expiry of a member's balance",
        description="Amounts that would expire before `expiresAt` expire then instead.", body=ExpiryExtensionRequest,
        response=ExpiryExtension, errors=(400, 409, 413),
    ),
    Operation(
        name="createTransaction", method="POST", path="/v1/transactions", summary="Credit or debit a member",
        description="A negative amount is a debit.", run=create_transaction, scope="admin:write", tag="Ledger",
        body=NewTransaction, response=Transaction, status=201, errors=(400, 409, 413, 422),
    ),
    Operation(
        name="reverseTransaction", method="POST", path="/v1/transactions/{transactionId}/reverse",
        run=reverse_transaction, scope="admin:write", summary="Reverse a transaction, fully or partly",
        description="Creates a new transaction that points to the original. Without `amount`, the rest is reversed.",
        tag="Ledger", body=ReversalRequest, response=Transaction, status=201, errors=(400, 404, 409, 413, 422),
    ),
    Operation(
        name="createTransfer", method="POST", path="/v1/transfers", summary="Transfer an amount to another member",
        description="The amount keeps its expiry dates. `transfer.status` in the response says whether the receiver has got it.",
        run=transfer, scope="admin:write", tag="Ledger", body=NewTransfer, response=Transaction, status=201,
        errors=(400, 409, 413, 422),
    ),
    Operation(
        name="manageHold", method="POST", path="/v1/profiles/{userId}/holds", run=hold, scope="admin:write",
        tag="Ledger", summary="Place, capture or release a hold", description=(
            "A hold reserves an amount for a purchase. `capture` spends it, `release` frees it; otherwise "
            "it ends after `seconds`."
        ), body=HoldCommand, response=Hold,
        errors=(400, 409, 413),
    ),
]  # fmt: skip
