"""Read transactions of the ledger, and the ones they belong together with: transfers, merges, reversals."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.cause import CauseKind
from plaudit.core.commands.passed_on import passed_on_id
from plaudit.core.commands.receipt import receipt_ids
from plaudit.core.event import MERGE, RECEIPT, TAKEOVER, TRANSFER
from plaudit.core.ids import bucket_of, member_id_of, takeover_id
from plaudit.core.ledger import matching
from plaudit.core.ledger.lots import Posting
from plaudit.core.ledger.matching import Match, matched, parts_left
from plaudit.errors import Conflict, NotFound
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .cause_filter import ALL_CAUSES, CauseFilter
from .identities import remaining_users

_SQL = queries_beside(__file__)

Row = dict[str, Any]

SCANNED_ROWS_MAX = 10_000  # per page, so that a filter that matches little does not scan the whole ledger


class TransactionFilter(Struct, frozen=True, kw_only=True):
    """Filters of a list of transactions. A `sign` of 1 selects credits, -1 debits."""

    metric: str | None = None
    causes: CauseFilter = ALL_CAUSES
    sign: int | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def all(self) -> tuple[Any, ...]:
        """Return the filters as arguments of the queries."""
        return self.metric, self.causes.kinds, self.causes.id, self.sign, self.since, self.until


ALL = TransactionFilter()


async def fetch_page(
    connection: Connection, org_id: UUID, before: tuple[datetime, int, int, int], filters: TransactionFilter, size: int
) -> tuple[list[Row], tuple[datetime, int, int, int] | None]:
    """Return an organisation's transactions, newest first, and the position where the search stopped before the end."""
    rows = await connection.fetch(_SQL.page, org_id, *before, *filters.all, size, SCANNED_ROWS_MAX)
    end = None
    if len(rows) < size:
        end = await connection.fetchrow(_SQL.end_of_page, org_id, *before, SCANNED_ROWS_MAX)
    return [dict(row) for row in rows], None if end is None else tuple(end)


async def page_of_member(
    connection: Connection, member_id: UUID, before: tuple[int, int], filters: TransactionFilter, size: int
) -> list[Row]:
    """Return a member's transactions, newest first."""
    key = bucket_of(member_id), member_id
    rows = await connection.fetch(_SQL.page_of_member, *key, *before, *filters.all, size)
    return [dict(row) for row in rows]


async def fetch_transaction(connection: Connection, org_id: UUID, transaction_id: UUID) -> Row | None:
    """Return a transaction, or None."""
    row = await connection.fetchrow(_SQL.one, org_id, transaction_id)
    return None if row is None else dict(row)


async def of_command(connection: Connection, org_id: UUID, transaction_id: UUID | None, event_id: UUID) -> Row:
    """Return the transaction of a command. Find it by the event if the command ran before. Raise NotFound."""
    if transaction_id is not None:
        row = await connection.fetchrow(_SQL.one, org_id, transaction_id)
    else:
        row = await connection.fetchrow(_SQL.of_event, org_id, event_id, CauseKind.manual)
    if row is None:
        raise NotFound("Transaction not found", code="transaction_not_found")
    return dict(row)


async def matches(connection: Connection, row: Row) -> list[Match]:
    """Return the credits and debits that are matched with a transaction, of the same member and metric."""
    own, rows = row["transaction_id"], await of_metric(connection, row["member_id"], row["metric"])
    return [match for match in matched(rows) if own in (match.credit, match.debit)]


async def left_of(connection: Connection, row: Row) -> tuple[Posting, ...]:
    """Return the postings of a transaction. Those of a debit are reduced by the amounts that reversals gave back."""
    if row["amount"] > 0:
        return parts_left(row, ())
    users = await remaining_users(connection, row["org_id"], row["user_id"])
    ids = [member_id_of(row["org_id"], user) for user in users]
    keys = [bucket_of(id_) for id_ in ids], ids
    reversals = await connection.fetch(_SQL.reversals_after_merge, *keys, row["transaction_id"]) if ids else []
    rows = await of_metric(connection, row["member_id"], row["metric"])
    return parts_left(row, rows, [dict(record) for record in reversals])


async def of_metric(connection: Connection, member_id: UUID, metric_id: str) -> list[Row]:
    """Return all transactions of a member's metric, in the order of the ledger."""
    rows = await connection.fetch(_SQL.of_metric, bucket_of(member_id), member_id, metric_id)
    return [dict(row) for row in rows]


async def expired_of(connection: Connection, row: Row) -> int:
    """Return how much of a credit has expired, at its member or at the members that this one was merged into."""
    rows = await of_metric(connection, row["member_id"], row["metric"])
    for user_id in await remaining_users(connection, row["org_id"], row["user_id"]):
        member_id = member_id_of(row["org_id"], user_id)
        rows = matching.continued(rows, await of_metric(connection, member_id, row["metric"]))
    return matching.expired_of(row, rows)


class Transfer(Struct, frozen=True):
    """A transfer: the sender, the receiver, and both transactions. `received` is None until the receiver is credited.

    `returned`: the receiver could not be credited, and `received` is the transaction that returned the amount to the
    sender. `sent` is None if the sender was erased.
    """

    from_user_id: str
    to_user_id: str
    sent: Row | None
    received: Row | None
    returned: bool = False


async def transfer_of(connection: Connection, row: Row) -> Transfer | None:
    """Return the transfer that a transaction is one side of, or None."""
    event = await _event_of(connection, row, TRANSFER, RECEIPT) if row["cause_kind"] == CauseKind.manual else None
    if event is None:
        return None
    data = msgspec.json.decode(event["payload"], type=_Payload).data
    if event["kind"] == RECEIPT:
        sent = await _of_event(connection, row["org_id"], data.get("transferId"))
        return Transfer(str(data.get("from")), row["user_id"], sent, row, bool(data.get("returned")))
    receipt_id, return_id = receipt_ids(row["event_id"])
    for event_id, returned in ((return_id, True), (receipt_id, False)):
        for id_ in (event_id, passed_on_id(event_id)):  # the receiver may have been merged meanwhile
            received = await _of_event(connection, row["org_id"], id_)
            if received is not None:
                return Transfer(row["user_id"], str(data.get("to")), row, received, returned)
    return Transfer(row["user_id"], str(data.get("to")), row, None)


async def other_side(connection: Connection, row: Row) -> Row | None:
    """Return the other transaction of a transfer: the credit of a debit, or the debit of a credit. None if not a transfer.

    Raise Conflict if the transfer has not arrived yet or was returned. Also raise it for a reversal of a transfer or a
    merge, since that cannot be reversed for one of the members alone.
    """
    if row["reverses"] is not None:
        origin = await connection.fetchrow(_SQL.one, row["org_id"], row["reverses"])
        if (
            origin is not None
            and await _event_of(connection, dict(origin), TRANSFER, RECEIPT, MERGE, TAKEOVER) is not None
        ):
            raise Conflict("A reversal at both members is final: transfer or merge again", code="taken_back")
        return None
    transfer = await transfer_of(connection, row)
    if transfer is None:
        return None
    if transfer.returned:
        raise Conflict("The transfer could not arrive and was returned", code="transfer_returned")
    if transfer.received is None:
        raise Conflict("The transfer is still on its way; try again in a moment", code="transfer_not_found")
    if transfer.sent is None:
        raise Conflict("Reverse the sender's transaction instead", code="transfer_not_found")
    return transfer.sent if row is transfer.received else transfer.received


class MergeSides(Struct, frozen=True):
    """The transactions of a merge for one metric: of the member who was merged, and of the one who remains."""

    former: Row
    now: Row


async def merge_sides(connection: Connection, row: Row) -> MergeSides | None:
    """Return both transactions of the merge that a transaction belongs to, or None. Raise Conflict if one was erased."""
    if row["cause_kind"] != CauseKind.merge:
        return None
    event = await _event_of(connection, row, MERGE, TAKEOVER)
    is_former = event is not None and event["kind"] == MERGE
    merge_id = row["event_id"] if is_former else None
    if event is not None and not is_former:
        merge_id = msgspec.json.decode(event["payload"], type=_Payload).data.get("mergeId")
    other_id = None
    if merge_id is not None:
        other_id = takeover_id(merge_id) if is_former else UUID(merge_id)
    for other in await of_merge(connection, row["org_id"], other_id):
        if other["metric"] == row["metric"]:
            return MergeSides(row, other) if is_former else MergeSides(other, row)
    raise Conflict("A merge can no longer be reversed when its member was erased", code="merge_not_found")


async def of_merge(connection: Connection, org_id: UUID, event_id: UUID | None) -> list[Row]:
    """Return the transactions of a merge, or of the takeover that follows from it."""
    return [dict(row) for row in await connection.fetch(_SQL.of_event, org_id, event_id, CauseKind.merge)]


async def _of_event(connection: Connection, org_id: UUID, event_id: UUID | str | None) -> Row | None:
    if event_id is None:
        return None
    row = await connection.fetchrow(_SQL.of_event, org_id, UUID(str(event_id)), CauseKind.manual)
    return None if row is None else dict(row)


async def _event_of(connection: Connection, row: Row, *kinds: str) -> Row | None:
    key = row["bucket"], row["member_id"], row["position"], row["event_id"]
    event = await connection.fetchrow(_SQL.event_of, *key, list(kinds))
    return None if event is None else dict(event)


class _Payload(Struct, frozen=True):
    data: dict[str, Any] = {}


async def newest(connection: Connection, org_id: UUID, metric: str | None, size: int) -> list[Row]:
    """Return the newest transactions that changed a balance."""
    return [dict(row) for row in await connection.fetch(_SQL.newest, org_id, metric, size)]
