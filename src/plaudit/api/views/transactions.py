"""Response types of the operations on the ledger."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType, field

from plaudit.api.http.wire import event_name, optional_time, time_text
from plaudit.api.views.cause import Cause, cause_view
from plaudit.core import cause as core
from plaudit.core.decision import TransactionDetails
from plaudit.core.ledger.matching import details_of
from plaudit.core.metrics import to_number
from plaudit.reads.transactions import Transfer
from plaudit.storage.programmes import Programme

from .base import Time, View, page_of

Row = dict[str, Any]


class TransactionLot(View):
    """A part of an amount with its own expiry."""

    lot: int
    amount: float
    expires_at: Time | None


class TransferState(View):
    """A transfer's progress: whether the receiver has the amount, or it was sent back."""

    status: Literal["arrived", "on_its_way", "returned"]
    sender: str = field(name="from")
    receiver: str = field(name="to")
    received_at: Time | None
    sent_transaction_id: str | None
    received_transaction_id: str | None


class MatchedAmount(View):
    """Another transaction, and the amount that connects it with this one."""

    transaction_id: str
    amount: float


class Transaction(View):
    """One change of a balance. `type` is also the metric.

    `lots` are the parts of the amount. If less than requested was posted, `refusal` says why, and `possibleAt` when more
    is possible. `paidBy` lists the credits that a debit spent, `spentOn` the debits that a credit paid for. `duplicate`
    is true if the command was already processed before.
    """

    transaction_id: str
    org_id: str
    user_id: str | None
    type: str
    metric: str
    amount: float
    balance_after: float
    campaign_id: str | None
    cause: Cause
    event_id: str
    reason: str | None
    occurred_at: Time
    created_at: Time
    reverses: str | None
    lots: list[TransactionLot] | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    possible_at: Time | UnsetType | None = UNSET
    transfer: TransferState | UnsetType = UNSET
    paid_by: list[MatchedAmount] | UnsetType = UNSET
    spent_on: list[MatchedAmount] | UnsetType = UNSET
    duplicate: bool | UnsetType = UNSET


class Hold(View):
    """An amount that is reserved for a purchase."""

    hold_id: str
    action: str
    metric: str
    until: Time


class ExpiryExtension(View):
    """The new expiry of a member's amounts of a metric that would have expired earlier."""

    metric: str
    expires_at: Time


class MergeResult(View):
    """The remaining member after a merge, and the transactions that moved the balances."""

    user_id: str
    former: str = field(name="from")
    transactions: list[Transaction]
    duplicate: bool


TransactionList = page_of(Transaction, "transactions")


def transaction_view(programme: Programme, row: Row, **others: Any) -> Transaction:
    """Return a transaction as clients see it. `others` are further fields."""
    return Transaction(**transaction_fields(programme, row), **others)


def transaction_fields(programme: Programme, row: Row) -> dict[str, Any]:
    """Return the fields of `Transaction` for a row of the ledger."""
    metric = programme.compiled.metrics.get(row["metric"])
    decimals = metric.decimals if metric else 0
    return {
        "transaction_id": f"txn_{row['transaction_id']}",
        "org_id": str(row["org_id"]),
        "user_id": row["user_id"],
        "type": row["metric"],
        "metric": row["metric"],
        "amount": to_number(row["amount"], decimals),
        "balance_after": to_number(row["balance_after"], decimals),
        **cause_view(core.Cause(row["cause_kind"], row["cause_id"])),
        "event_id": event_name(row["event_id"], None),
        "reason": row["reason"],
        "occurred_at": time_text(row["occurred_at"]),
        "created_at": time_text(programme.clock.from_wall(row["created_at"])),
        "reverses": None if row["reverses"] is None else f"txn_{row['reverses']}",
        **_details(details_of(row), decimals),
    }


def _details(details: TransactionDetails, decimals: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if details.parts:
        fields["lots"] = [
            TransactionLot(
                lot=part.lot, amount=to_number(part.amount, decimals), expires_at=optional_time(part.expires_at)
            )
            for part in details.parts
        ]
    if details.refusal is not None:
        fields |= {"refusal": details.refusal, "possible_at": optional_time(details.next_at)}
    return fields


def transfer_view(programme: Programme, transfer: Transfer | None) -> TransferState | UnsetType:
    """Return a transfer's progress; UNSET for a transaction that is part of none."""
    if transfer is None:
        return UNSET
    received = transfer.received
    return TransferState(
        status="on_its_way" if received is None else "returned" if transfer.returned else "arrived",
        sender=transfer.from_user_id,
        receiver=transfer.to_user_id,
        received_at=None if received is None else time_text(programme.clock.from_wall(received["created_at"])),
        sent_transaction_id=_named(transfer.sent),
        received_transaction_id=_named(received),
    )


def _named(row: Row | None) -> str | None:
    return None if row is None else f"txn_{row['transaction_id']}"
