"""The ledger: list transactions, newest first, and get one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.parameters import BETWEEN, CAUSE_PARAMETERS, causes_in, instant_in
from plaudit.api.http.wire import AFTER_ALL, uuid_in
from plaudit.api.shared.member_pages import transactions_page
from plaudit.api.views.base import Page
from plaudit.api.views.transactions import MatchedAmount, Transaction, TransactionList, transaction_view, transfer_view
from plaudit.core.ids import member_id_of
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.errors import FieldError, NotFound, invalid_fields
from plaudit.reads import transactions
from plaudit.reads.transactions import TransactionFilter

Row = dict[str, Any]
_FIRST = (AFTER_ALL, 256, 2**62, 2**15 - 1)


_SIGNS = {"credit": 1, "debit": -1}


def _filter_of(call: Call, program: Program) -> TransactionFilter:
    """Return the filter of a request. `type` is a metric, as in a transaction's `type`, or credit or debit."""
    query = call.query
    names = {name: query[name] for name in ("metric", "currency", "type") if query.get(name) not in (None, *_SIGNS)}
    wrong = [
        FieldError(name, f"must be one of {', '.join(_allowed(name, program))} (got {value!r})")
        for name, value in names.items()
        if value not in program.metrics
    ]
    if not wrong and len(set(names.values())) > 1:
        wrong = [FieldError(name, "must name the same metric as the other parameters") for name in names]
    if wrong:
        raise invalid_fields(wrong)
    return TransactionFilter(
        metric=next(iter(names.values()), None),
        causes=causes_in(query),
        sign=_SIGNS.get(query.get("type", "")),
        since=instant_in(query, "since"),
        until=instant_in(query, "until"),
    )


def _allowed(name: str, program: Program) -> list[str]:
    return [*(_SIGNS if name == "type" else ()), *program.metrics]


async def list_transactions(call: Call) -> Page:
    """Return a page of the ledger, or of one member's transactions."""
    programme = await call.programme()
    filter_ = _filter_of(call, programme.compiled)
    user_id = call.query.get("userId")
    if user_id is not None:
        member_id = member_id_of(call.org_id, user_id)
        rows, cursor = await transactions_page(call, member_id, call.query.get("cursor", ""), filter_)
    else:
        page = call.page(tuple[datetime, int, int, int], _FIRST)
        async with call.connection() as connection:
            rows, end = await transactions.fetch_page(connection, call.org_id, page.start, filter_, page.limit)
        rows, cursor = page.cut(
            rows, lambda row: (row["created_at"], row["bucket"], row["position"], row["ordinal"]), end
        )
    return TransactionList.of([transaction_view(programme, row) for row in rows], cursor=cursor)


async def one_transaction(call: Call) -> Transaction:
    """Return a transaction with the transactions that paid for it, or that it paid for."""
    transaction_id = uuid_in(call.path["transactionId"], "txn_")
    async with call.connection() as connection:
        row = transaction_id and await transactions.fetch_transaction(connection, call.org_id, transaction_id)
        if not row:
            raise NotFound("Transaction not found", code="transaction_not_found")
        matches = await transactions.matches(connection, row)
        transfer = await transactions.transfer_of(connection, row)
    programme = await call.programme()
    metric = programme.compiled.metrics.get(row["metric"])
    decimals = metric.decimals if metric else 0
    own = row["transaction_id"]
    return transaction_view(
        programme,
        row,
        transfer=transfer_view(programme, transfer),
        paid_by=[_match_view(match.credit, match.amount, decimals) for match in matches if match.debit == own],
        spent_on=[_match_view(match.debit, match.amount, decimals) for match in matches if match.credit == own],
    )


def _match_view(other: UUID, amount: int, decimals: int) -> MatchedAmount:
    return MatchedAmount(transaction_id=f"txn_{other}", amount=to_number(amount, decimals))


OPERATIONS = [
    Operation(
        name="listTransactions",
        method="GET",
        path="/v1/transactions",
        summary="List transactions",
        run=list_transactions,
        scope="members:read",
        tag="Ledger",
        response=TransactionList,
        query=(
            Parameter("userId", "Only of this member.", {"type": "string"}),
            Parameter("metric", "Only of this metric.", {"type": "string"}),
            Parameter("currency", "The same as metric.", {"type": "string"}),
            Parameter("type", "The same as metric; or credit, or debit.", {"type": "string"}),
            *CAUSE_PARAMETERS,
            *BETWEEN,
            *PAGING,
        ),
        errors=(400,),
    ),
    Operation(
        name="getTransaction",
        method="GET",
        path="/v1/transactions/{transactionId}",
        summary="Get a transaction",
        run=one_transaction,
        scope="members:read",
        tag="Ledger",
        response=Transaction,
        errors=(400, 404),
    ),
]
