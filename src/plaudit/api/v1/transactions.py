"""The ledger: every change of a balance, newest first."""

from datetime import datetime
from typing import Any

from plaudit.api.operations import PAGING, Call, Operation, Parameter
from plaudit.api.outside import FAR_FUTURE, Json, event_name, time_text, uuid_in
from plaudit.api.paging import page_size, paged, read_cursor
from plaudit.api.schemas import NULLABLE_TEXT, NUMBER, TEXT, TIME, object_of, page_schema
from plaudit.core.ids import member_id_of
from plaudit.core.metrics import shown
from plaudit.core.program import Program
from plaudit.errors import NotFound
from plaudit.reads import transactions

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
    }


async def list_transactions(call: Call) -> Json:
    """A page of the ledger; of one member if asked."""
    program = (await call.services.programs.live(call.org_id)).program
    size = page_size(call.query)
    filters = {"metric": call.query.get("metric"), "campaign_id": call.query.get("campaignId")}
    user_id = call.query.get("userId")
    async with call.services.pool.acquire() as connection:
        if user_id is None:
            before = read_cursor(call.query, tuple[datetime, int, int, int], _FIRST)
            rows = await transactions.page(connection, call.org_id, before, **filters, size=size + 1)
            page, cursor = paged(
                rows, size, lambda row: (row["created_at"], row["bucket"], row["position"], row["ordinal"])
            )
        else:
            place = read_cursor(call.query, tuple[int, int], (2**62, 2**15 - 1))
            member_id = member_id_of(call.org_id, user_id)
            rows = await transactions.page_of_member(connection, member_id, place, **filters, size=size + 1)
            page, cursor = paged(rows, size, lambda row: (row["position"], row["ordinal"]))
    return {"transactions": [shown_transaction(program, row) for row in page], "cursor": cursor}


async def one_transaction(call: Call) -> Json:
    """One transaction by its id."""
    transaction_id = uuid_in(call.path["transactionId"], "txn_")
    async with call.services.pool.acquire() as connection:
        row = transaction_id and await transactions.one(connection, call.org_id, transaction_id)
    if not row:
        raise NotFound("Transaction not found", code="transaction_not_found")
    return shown_transaction((await call.services.programs.live(call.org_id)).program, row)


_TRANSACTION = object_of(
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
    }
)

OPERATIONS = [
    Operation(
        method="GET",
        path="/v1/transactions",
        summary="The ledger, newest first",
        run=list_transactions,
        scope="admin:read",
        tag="Transactions",
        answer=page_schema("transactions", _TRANSACTION),
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
        answer=_TRANSACTION,
        errors=(400, 404),
    ),
]
