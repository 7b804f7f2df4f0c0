"""The ledger: every change of a balance, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from plaudit.api.operations import PAGING, Call, Operation, Parameter
from plaudit.api.outside import FAR_FUTURE, Json, event_name, optional_time, time_text, uuid_in
from plaudit.api.paging import page_size, paged, read_cursor
from plaudit.api.schemas import NULLABLE_TEXT, NUMBER, OBJECTS, TEXT, TIME, object_of, page_schema
from plaudit.core.decision import Details
from plaudit.core.ids import member_id_of
from plaudit.core.metrics import shown
from plaudit.core.program import Program
from plaudit.errors import NotFound
from plaudit.reads import transactions
from plaudit.reads.transactions import details_of

Row = dict[str, Any]
_FIRST = (FAR_FUTURE, 256, 2**62, 2**15 - 1)


def shown_transaction(program: Program, row: Row) -> Json:
    """A transaction as it looks outside."""
    metric = program.metrics.get(row["metric"])
    decimals = metric.decimals if metric else 0
    return {
        "transactionId": f"txn_{row['transaction_id']}",
        "orgId": str(row["org_id"]),
        "userId": row["user_id"],
        "type": row["metric"],
        "metric": row["metric"],
        "amount": shown(row["amount"], decimals),
        "balanceAfter": shown(row["balance_after"], decimals),
        "campaignId": row["campaign_id"],
        "eventId": event_name(row["event_id"], None),
        "reason": row["reason"],
        "occurredAt": time_text(row["occurred_at"]),
        "createdAt": time_text(row["created_at"]),
        "reverses": None if row["reverses"] is None else f"txn_{row['reverses']}",
        **_shown_details(details_of(row), decimals),
    }


def _shown_details(details: Details, decimals: int) -> Json:
    found: Json = {}
    if details.parts:
        found["lots"] = [
            {"lot": part.lot, "amount": shown(part.amount, decimals), "expiresAt": optional_time(part.expires_at)}
            for part in details.parts
        ]
    if details.refusal is not None:
        found |= {"refusal": details.refusal, "possibleAt": optional_time(details.next_at)}
    return found


async def page_of_member(
    call: Call, member_id: UUID, cursor: str, *, metric: str | None = None, campaign_id: str | None = None,
    sign: int | None = None,
) -> tuple[Sequence[Row], str | None]:  # fmt: skip
    """A page of a member's transactions, the newest first, and the cursor to the next; `sign` as in the reading."""
    size = page_size(call.query)
    place = read_cursor({"cursor": cursor}, tuple[int, int], (2**62, 2**15 - 1))
    async with call.services.pool.acquire() as connection:
        rows = await transactions.page_of_member(
            connection, member_id, place, metric=metric, campaign_id=campaign_id, sign=sign, size=size + 1
        )
    return paged(rows, size, lambda row: (row["position"], row["ordinal"]))


async def list_transactions(call: Call) -> Json:
    """A page of the ledger; of one member if asked."""
    program = (await call.services.programs.live(call.org_id)).program
    filters = {"metric": call.query.get("metric"), "campaign_id": call.query.get("campaignId")}
    user_id = call.query.get("userId")
    if user_id is not None:
        member_id = member_id_of(call.org_id, user_id)
        page, cursor = await page_of_member(
            call, member_id, call.query.get("cursor", ""), metric=filters["metric"], campaign_id=filters["campaign_id"]
        )
    else:
        size = page_size(call.query)
        before = read_cursor(call.query, tuple[datetime, int, int, int], _FIRST)
        async with call.services.pool.acquire() as connection:
            rows = await transactions.page(connection, call.org_id, before, **filters, size=size + 1)
        page, cursor = paged(
            rows, size, lambda row: (row["created_at"], row["bucket"], row["position"], row["ordinal"])
        )
    return {"transactions": [shown_transaction(program, row) for row in page], "cursor": cursor}


async def one_transaction(call: Call) -> Json:
    """One transaction by its id."""
    transaction_id = uuid_in(call.path["transactionId"], "txn_")
    async with call.services.pool.acquire() as connection:
        row = transaction_id and await transactions.one(connection, call.org_id, transaction_id)
        if not row:
            raise NotFound("Transaction not found", code="transaction_not_found")
        found = await transactions.matches(connection, row)
    program = (await call.services.programs.live(call.org_id)).program
    metric = program.metrics.get(row["metric"])
    decimals = metric.decimals if metric else 0
    own = row["transaction_id"]
    return {
        **shown_transaction(program, row),
        "paidBy": [_shown_match(one.credit, one.amount, decimals) for one in found if one.debit == own],
        "spentOn": [_shown_match(one.debit, one.amount, decimals) for one in found if one.credit == own],
    }


def _shown_match(other: UUID, amount: int, decimals: int) -> Json:
    return {"transactionId": f"txn_{other}", "amount": shown(amount, decimals)}


TRANSACTION_SCHEMA = object_of(
    {
        "transactionId": TEXT,
        "orgId": TEXT,
        "userId": TEXT,
        "type": TEXT,
        "metric": TEXT,
        "amount": NUMBER,
        "balanceAfter": NUMBER,
        "campaignId": TEXT,
        "eventId": TEXT,
        "reason": NULLABLE_TEXT,
        "occurredAt": TIME,
        "createdAt": TIME,
        "reverses": NULLABLE_TEXT,
    },
    {"lots": OBJECTS, "refusal": TEXT, "possibleAt": TIME, "paidBy": OBJECTS, "spentOn": OBJECTS},
)

OPERATIONS = [
    Operation(
        method="GET",
        path="/v1/transactions",
        summary="The ledger, newest first",
        run=list_transactions,
        scope="admin:read",
        tag="Transactions",
        answer=page_schema("transactions", TRANSACTION_SCHEMA),
        query=(
            Parameter("userId", "Only of this member.", {"type": "string"}),
            Parameter("metric", "Only of this metric.", {"type": "string"}),
            Parameter("campaignId", "Only from this campaign.", {"type": "string"}),
            *PAGING,
        ),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path="/v1/transactions/{transactionId}",
        summary="One transaction",
        run=one_transaction,
        scope="admin:read",
        tag="Transactions",
        answer=TRANSACTION_SCHEMA,
        errors=(400, 404),
    ),
]
