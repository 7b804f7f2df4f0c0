"""The tables that the commit writes: their columns in order, and the statements that write and read them.

`rows` builds the rows, and `commit` writes them. Append-only and new rows use COPY. Changed rows that were loaded
are updated, which costs the database half as much as an upsert. All updates are one statement, since small batches spend
most of their time on round trips.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct, structs

from plaudit.core.member import STATE_LISTS, STATE_TABLES, StateList, StateTable
from plaudit.storage import statements
from plaudit.storage.queries import queries_beside
from plaudit.storage.statements import (
    BIGINT,
    BIGINT_OR_NULL,
    ID,
    INTEGER,
    JSON,
    SMALLINT,
    SMALLINT_OR_NULL,
    TEXT,
    TIME,
    UUID,
    UUID_OR_NULL,
    Column,
    ColumnType,
    Table,
)

_SQL = queries_beside(__file__)

EVENT_IDS = Table.of(
    "event_ids", event_id=UUID, bucket=SMALLINT, member_id=UUID, position=BIGINT, decided_at=TIME,
    fingerprint=BIGINT_OR_NULL,
)  # fmt: skip
EVENTS = Table.of(
    "events", bucket=SMALLINT, position=BIGINT, event_id=UUID, event_key=TEXT, org_id=UUID, member_id=UUID,
    user_id=TEXT, kind=TEXT, trigger=TEXT, occurred_at=TIME, received_at=TIME, decided_at=TIME, source=TEXT, state=TEXT,
    program_version=BIGINT, payload=JSON, outcome=JSON,
)  # fmt: skip
TRANSACTIONS = Table.of(
    "transactions", bucket=SMALLINT, member_id=UUID, position=BIGINT, ordinal=SMALLINT, transaction_id=UUID,
    org_id=UUID, user_id=TEXT, metric=ID, amount=BIGINT, balance_after=BIGINT, cause_kind=TEXT, cause_id=TEXT,
    step=SMALLINT, index=SMALLINT, event_id=UUID, reason=TEXT, occurred_at=TIME, created_at=TIME,
    reverses=UUID_OR_NULL, details=JSON,
)  # fmt: skip
COUPONS = Table.of(
    "coupons", bucket=SMALLINT, member_id=UUID, coupon_id=UUID, org_id=UUID, origin_id=TEXT, pool_id=TEXT, code=TEXT,
    terms=JSON, cause_kind=TEXT, cause_id=TEXT, event_id=UUID, issued_at=TIME, expires_at=TIME, revoked_at=TIME,
)  # fmt: skip
NOTIFICATIONS = Table.of(
    "notifications", bucket=SMALLINT, member_id=UUID, notification_id=UUID, type=TEXT, cause_kind=TEXT, cause_id=TEXT,
    step=SMALLINT_OR_NULL, display=TEXT, title=TEXT, message=TEXT, created_at=TIME, expires_at=TIME, changes=JSON,
)  # fmt: skip
MEMBERS = Table.of(
    "members", 2, bucket=SMALLINT, member_id=UUID, org_id=UUID, user_id=TEXT, attributes=JSON, enrolled_at=TIME,
    latest_at=TIME, active_at=TIME, sequence=BIGINT, due_at=TIME,
)  # fmt: skip
BALANCES = Table.of(
    "balances", 3, bucket=SMALLINT, member_id=UUID, metric=ID, amount=BIGINT, earned=BIGINT, book=JSON,
)  # fmt: skip
PROGRESS = Table.of("progress", 4, bucket=SMALLINT, member_id=UUID, kind=ID, key=ID, state=JSON)
OUTBOX = Table.of(
    "outbox", bucket=SMALLINT, position=BIGINT, ordinal=INTEGER, message_id=UUID, org_id=UUID, member_id=UUID_OR_NULL,
    type=TEXT, only_to=TEXT, payload=JSON, created_at=TIME,
)  # fmt: skip
POSITIONS = Table.of("positions", 1, bucket=SMALLINT, position=BIGINT, moved_at=TIME)
HOLDINGS = Table.of(
    "holdings", 3, bucket=SMALLINT, member_id=UUID, product_id=TEXT, quantity=BIGINT, first_at=TIME, last_at=TIME,
)  # fmt: skip
IDENTITIES = Table.of(
    "identities", 3, bucket=SMALLINT, member_id=UUID, kind=TEXT, org_id=UUID, value=TEXT, user_id=TEXT,
)  # fmt: skip
FAILED_EVENTS = Table.of(
    "failed_events", 1, event_id=UUID, bucket=SMALLINT, event_key=TEXT, org_id=UUID, member_id=UUID, user_id=TEXT,
    kind=TEXT, trigger=TEXT, occurred_at=TIME, received_at=TIME, source=TEXT, fingerprint=BIGINT_OR_NULL, payload=JSON,
    error=TEXT, failed_at=TIME,
)  # fmt: skip

# Queries for members' rows: the member's number, then the columns after the bucket and the id.
SELECT_BALANCES, SELECT_PROGRESS, SELECT_HOLDINGS = (
    statements.select_of_members(table.name, table.names[2:]) for table in (BALANCES, PROGRESS, HOLDINGS)
)

# Tables whose new rows use COPY: append-only ones, and the first rows of members.
COPIED = (EVENT_IDS, EVENTS, TRANSACTIONS, COUPONS, NOTIFICATIONS, MEMBERS, BALANCES, PROGRESS, OUTBOX)

# Tables whose loaded rows nearly every batch updates. `BatchRows.of` has these rows as `<table>_now`.
UPDATED = (MEMBERS.only("latest_at", "active_at", "sequence", "due_at"), BALANCES, PROGRESS, POSITIONS)
UPDATE_ALL = statements.update_all(UPDATED)


class Write(Struct, frozen=True):
    """A statement that few batches need, and the columns of its rows."""

    name: str
    table: Table
    statement: str


def _query(name: str, **types: ColumnType) -> Write:
    """Return a query of `tables.sql` that takes rows with these columns."""
    return Write(name, Table.of(name, **types), _SQL.by_name[name])


def _upsert(table: Table) -> Write:
    return Write(f"upsert_{table.name}", table, statements.upsert(table))


def _delete(table: Table) -> Write:
    return Write(f"delete_{table.name}", table.keys, statements.delete(table))


ATTRIBUTES = MEMBERS.only("attributes")

# In this order: a merged member is closed before the rows of the remaining one are written.
WRITES = (
    _query("close_members", bucket=SMALLINT, member_id=UUID, org_id=UUID, merged_into=TEXT),
    Write("update_attributes", ATTRIBUTES, statements.update(ATTRIBUTES)),
    _upsert(HOLDINGS),
    _delete(HOLDINGS),
    _query(
        "take_over", org_id=UUID, from_bucket=SMALLINT, from_id=UUID, bucket=SMALLINT, member_id=UUID, user_id=TEXT
    ),
    _query("withdraw_coupons", bucket=SMALLINT, member_id=UUID, coupon_id=UUID, at=TIME),
    _query("withdraw_notifications", bucket=SMALLINT, member_id=UUID, notification_id=UUID),
    _query("give_back", org_id=UUID, kind=TEXT, key=TEXT, number=BIGINT),
)  # fmt: skip

SET_ASIDE = Write("set_aside", FAILED_EVENTS, statements.upsert(FAILED_EVENTS, "error", "failed_at"))
DELETE_IDENTITIES = _delete(IDENTITIES)
INSERT_IDENTITIES = Write("insert_identities", IDENTITIES, statements.insert(IDENTITIES))


def state_writes() -> Iterator[Write]:
    """Yield the statements for mechanics' own tables and lists."""
    for table in (*STATE_TABLES.values(), *STATE_LISTS.values()):
        yield from _writes_of(table)


@cache
def _writes_of(table: StateTable | StateList) -> Sequence[Write]:
    written = table_of_states(table)
    return _upsert(written), _delete(written)


_TYPES: dict[Any, ColumnType] = {int: BIGINT, str: TEXT, datetime: TIME, datetime | None: TIME}


@cache
def table_of_states(table: StateTable | StateList) -> Table:
    """Return a mechanic's own table. The types of its columns follow from the fields of its rows."""
    types = {"bucket": SMALLINT, "member_id": UUID, "org_id": UUID, "user_id": TEXT, "position": BIGINT, "since": TIME}
    types[table.document_column] = TEXT
    if isinstance(table, StateTable):
        if issubclass(table.type, Struct):
            types |= {field.name: _TYPES[field.type] for field in structs.fields(table.type)}
        else:
            types[table.name] = _TYPES[table.type]
    columns = tuple(Column(name, types[name]) for name in table.columns)
    return Table(table.name, columns, table.columns.index(table.document_column) + 1)


@cache
def query_of_states(table: StateTable) -> str:
    """Return the query for members' rows in a mechanic's own table: the document's id, then the values."""
    return statements.select_of_members(table.name, (table.document_column, *table.value_columns))
