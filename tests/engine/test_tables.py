"""What the commit writes: the tables' columns, the statements, and the rows agree with each other and with the schema."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

import plaudit.mechanics.registry  # noqa: F401  (it registers the mechanics' tables)
from plaudit.core.cause import Cause
from plaudit.core.decision import ClaimKind, Withdrawn
from plaudit.core.ids import bucket_of, derived_id, member_id_of
from plaudit.core.member import STATE_LISTS, STATE_TABLES, Balance, Holding
from plaudit.engine import outgoing
from plaudit.engine import rows as engine_rows
from plaudit.engine.tables import (
    BALANCES,
    COPIED,
    COUPONS,
    DELETE_IDENTITIES,
    EVENTS,
    INSERT_IDENTITIES,
    NOTIFICATIONS,
    SELECT_BALANCES,
    SELECT_HOLDINGS,
    SELECT_PROGRESS,
    SET_ASIDE,
    TRANSACTIONS,
    UPDATE_ALL,
    UPDATED,
    WRITES,
    query_of_states,
    state_writes,
    table_of_states,
)
from plaudit.storage.statements import unnested

OTHERS = (SET_ASIDE, DELETE_IDENTITIES, INSERT_IDENTITIES)
ALL_WRITES = (*WRITES, *state_writes(), *OTHERS)
QUERIES = [write for write in WRITES if write.name == write.table.name]
TABLES = [*COPIED, *UPDATED, *(write.table for write in ALL_WRITES if write not in QUERIES)]
SPELLED = {"timestamptz": "timestamp with time zone"}


async def _with(url, run):
    connection = await asyncpg.connect(url)
    try:
        return await run(connection)
    finally:
        await connection.close()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_as_in_the_schema(database, table):
    async def columns(connection):
        rows = await connection.fetch(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
            table.name,
        )
        return dict(rows)

    stored = asyncio.run(_with(database, columns))
    assert {column.name: SPELLED.get(column.type.name, column.type.name) for column in table.columns} == {
        name: stored[name] for name in table.names
    }


@pytest.mark.parametrize("table", COPIED, ids=lambda table: table.name)
def test_new_rows_have_every_column_that_must_be_given(database, table):
    async def needed(connection):
        rows = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 "
            "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
            table.name,
        )
        return {row["column_name"] for row in rows}

    assert asyncio.run(_with(database, needed)) <= set(table.names)


@pytest.mark.parametrize("write", ALL_WRITES, ids=lambda write: write.name)
def test_a_statement_takes_a_parameter_for_each_column(database, write):
    async def parameters(connection):
        return (await connection.prepare(write.statement)).get_parameters()

    assert len(asyncio.run(_with(database, parameters))) == len(write.table.columns)


def test_the_statement_of_all_updates_takes_the_parameters_of_all(database):
    async def parameters(connection):
        return (await connection.prepare(UPDATE_ALL)).get_parameters()

    assert len(asyncio.run(_with(database, parameters))) == sum(len(table.columns) for table in UPDATED)


@pytest.mark.parametrize("write", QUERIES, ids=lambda write: write.name)
def test_a_query_takes_its_columns_in_their_order(write):
    arrays, _, names = unnested(write.table).partition(" AS rows ")
    taken = " ".join(write.statement.split())
    before, found, after = taken.partition(arrays)
    assert found, taken
    assert after.split(" AS ", 1)[1].partition(" ")[2].startswith(names), taken
    assert "unnest" not in before + after


def test_a_mechanics_table_is_loaded_in_the_order_of_its_fields(database):
    async def run(connection):
        for table in STATE_TABLES.values():
            query = await connection.prepare(query_of_states(table))
            assert [attribute.name for attribute in query.get_attributes()] == [
                "number", table.document_column, *table.value_columns,
            ]  # fmt: skip
            assert set(table.value_columns) < set(table_of_states(table).names)

    asyncio.run(_with(database, run))


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        (SELECT_BALANCES, ["metric", *Balance.__struct_fields__]),
        (SELECT_PROGRESS, ["kind", "key", "state"]),
        (SELECT_HOLDINGS, ["product_id", *Holding.__struct_fields__]),
    ],
)
def test_members_rows_are_loaded_in_the_order_of_their_fields(database, query, columns):
    async def run(connection):
        prepared = await connection.prepare(query)
        assert [attribute.name for attribute in prepared.get_attributes()] == ["number", *columns]

    asyncio.run(_with(database, run))


def test_a_row_by_names_has_neither_more_nor_fewer_columns():
    row = BALANCES.row(metric="points", bucket=1, member_id=2, book=None, earned=4, amount=3)
    assert row == (1, 2, "points", 3, 4, None)
    with pytest.raises(ValueError, match="wrong columns of balances: book"):
        BALANCES.row(metric="points", bucket=1, member_id=2, earned=4, amount=3)
    with pytest.raises(ValueError, match="wrong columns of balances: book, other"):
        BALANCES.row(metric="points", bucket=1, member_id=2, earned=4, amount=3, other=1)


# ------------------------------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class _Named:
    """A value that knows its name."""

    name: str


class _Recorder:
    """What has any attribute: a value with the attribute's name."""

    def __init__(self, **given):
        self.__dict__.update(given)

    def __getattr__(self, name):
        return _Named(name)


# They stand for what the engine passes, whose types they do not have.
Named: Any = _Named
Recorder: Any = _Recorder
Namespace: Any = SimpleNamespace
AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def texts(monkeypatch):
    """JSON is left as it is, to be recognised."""
    monkeypatch.setattr(engine_rows, "json_text", lambda value: value)


def by_name(table, row):
    return dict(zip(table.names, row, strict=True))


def other_than_named(table, row):
    """The columns whose values are not of that name, with these."""
    return {name: value for name, value in by_name(table, row).items() if value != Named(name)}


def test_events_are_rows_by_their_columns(texts, monkeypatch):
    monkeypatch.setattr(engine_rows, "outcome_of", lambda *_: Named("outcome"))
    none = dict.fromkeys(("transactions", "coupons", "notifications", "messages", "follow_ups", "identities"), ())
    decision = Recorder(**none, taken_over=None, withdrawn=None)
    program = Recorder(outbound=(), version=7)
    batch = Namespace(watched_buckets=frozenset(), positions={3: 41})
    rows = engine_rows.BatchRows(batch, AT)
    rows.add(Namespace(arrival=Recorder(bucket=3), decision=decision, program=program, state="processed", refused=()))
    (event_id,), (event,) = rows.of["event_ids"], rows.of["events"]
    assert other_than_named(COPIED[0], event_id) == {"bucket": 3, "position": 42, "decided_at": AT}
    assert other_than_named(EVENTS, event) == {
        "bucket": 3, "position": 42, "decided_at": AT, "state": "processed", "program_version": 7,
    }  # fmt: skip


def test_transactions_are_rows_by_their_columns(texts):
    transaction = Recorder(cause=Cause("campaign", "c1"), postings=None, refusal=None, lifetime=None)
    (row,) = engine_rows._transaction_rows(Recorder(), [transaction], 42, AT)
    assert other_than_named(TRANSACTIONS, row) == {
        "position": 42, "ordinal": 0, "cause_kind": "campaign", "cause_id": "c1", "created_at": AT, "details": None,
    }  # fmt: skip


def test_coupons_are_rows_by_their_columns(texts):
    coupon = Recorder(cause=Cause("campaign", "c1"))
    (row,) = engine_rows._coupon_rows(Recorder(arrival=Recorder()), [coupon])
    assert other_than_named(COUPONS, row) == {"cause_kind": "campaign", "cause_id": "c1", "revoked_at": None}


def test_notifications_are_rows_by_their_columns(texts, monkeypatch):
    monkeypatch.setattr(engine_rows, "summarise_decision", lambda *_: Named("changes"))
    decision = Recorder(notifications=[Recorder(cause=Cause("campaign", "c1"))])
    (row,) = engine_rows._notification_rows(Recorder(), decision)
    assert other_than_named(NOTIFICATIONS, row) == {"cause_kind": "campaign", "cause_id": "c1"}


def test_members_are_rows_by_their_columns(texts):
    batch = Namespace(watched_buckets=frozenset(), positions={})
    parts = {
        "balances": {"points": Balance(5, 6)}, "progress": {"c1": Named("state")}, "holdings": {}, "states": {},
        "merged_into": None,
    }  # fmt: skip
    empty = Recorder(enrolled_at=None, balances={}, progress={}, holdings={}, states={})
    loaded = Recorder(
        merged_into=None, attributes=Named("old"), balances={"points": 0}, progress={"c1": 0}, states={},
        holdings={"cup": 0},
    )  # fmt: skip
    new, changed = engine_rows.BatchRows(batch, AT), engine_rows.BatchRows(batch, AT)
    new.add_member(empty, Recorder(), Recorder(**parts))
    member = Recorder(**parts | {"holdings": {"cup": Holding(1, FIRST, LAST)}})
    changed.add_member(loaded, Recorder(), member)
    tables = {table.name: table for table in COPIED} | {f"{table.name}_now": table for table in UPDATED}
    for of, ending in ((new.of, ""), (changed.of, "_now")):
        (row,), (balance,), (progress,) = (of[f"{name}{ending}"] for name in ("members", "balances", "progress"))
        assert other_than_named(tables[f"members{ending}"], row) == {}
        assert other_than_named(BALANCES, balance) == {"metric": "points", "amount": 5, "earned": 6, "book": None}
        assert other_than_named(tables["progress"], progress) == {"kind": "campaign", "key": "c1"}
    (attributes,), (holding,) = changed.of["update_attributes"], changed.of["upsert_holdings"]
    writes = {write.name: write.table for write in WRITES}
    assert other_than_named(writes["update_attributes"], attributes) == {}
    assert other_than_named(writes["upsert_holdings"], holding) == {
        "product_id": "cup", "quantity": 1, "first_at": FIRST, "last_at": LAST,
    }  # fmt: skip


def test_what_few_events_change_is_rows_by_its_columns(texts, monkeypatch):
    monkeypatch.setattr(engine_rows, "outcome_of", lambda *_: None)
    monkeypatch.setattr(engine_rows, "message_rows", lambda *_: ())
    withdrawn = Withdrawn((Named("coupon_id"),), (Named("notification_id"),), ((ClaimKind.cap, "c1", 4),))
    none = dict.fromkeys(("transactions", "coupons", "notifications", "follow_ups", "identities"), ())
    decision = Recorder(**none, taken_over="bob", withdrawn=withdrawn)
    rows = engine_rows.BatchRows(Namespace(watched_buckets=frozenset(), positions={3: 41}), AT)
    arrival = Recorder(bucket=3, org_id=uuid4())
    rows.add(Namespace(arrival=arrival, decision=decision, program=Recorder(), state="processed", refused=()))
    found = {
        write.name: other_than_named(write.table, rows.of[write.name][0]) for write in QUERIES if rows.of[write.name]
    }
    bob = member_id_of(arrival.org_id, "bob")
    assert found == {
        "take_over": {"org_id": arrival.org_id, "from_bucket": bucket_of(bob), "from_id": bob, "bucket": 3},
        "withdraw_coupons": {"bucket": 3, "at": Named("occurred_at")},
        "withdraw_notifications": {"bucket": 3},
        "give_back": {"org_id": arrival.org_id, "kind": "cap", "key": "c1", "number": 4},
    }


def test_messages_are_rows_by_their_columns(monkeypatch):
    monkeypatch.setattr(outgoing, "payload_of", lambda *_, **__: Named("payload"))
    monkeypatch.setattr(outgoing, "correlation_id_of", lambda _: None)
    event_id = uuid4()
    decision = Recorder(messages=[Recorder()], notifications=(), transactions=())
    (row,) = outgoing.message_rows(Recorder(event_id=event_id), Recorder(outbound=()), decision, 42, AT)
    assert other_than_named(COPIED[-1], row) == {
        "position": 42, "ordinal": 0, "message_id": derived_id(event_id, "message:0"), "created_at": AT,
    }  # fmt: skip


@pytest.mark.parametrize("name", STATE_TABLES)
def test_states_are_rows_by_their_columns(name):
    table = STATE_TABLES[name]
    fields = {field: Named(field) for field in table.value_columns}
    part = table.type(**fields) if table.value_columns != (name,) else Named(name)
    member_id, org_id = uuid4(), uuid4()
    row = table.row((3, member_id), org_id, "ann", "d1", part, 42)
    found = by_name(table_of_states(table), row)
    expected = fields | {
        "bucket": 3, "member_id": member_id, table.document_column: "d1", "org_id": org_id, "user_id": "ann", "position": 42,
    }  # fmt: skip
    assert found == {column: expected[column] for column in found}


@pytest.mark.parametrize("name", STATE_LISTS)
def test_lists_are_rows_by_their_columns(name):
    listing = STATE_LISTS[name]
    row = listing.row((3, Named("member_id")), Named("org_id"), "ann", "d1", Recorder())
    assert other_than_named(table_of_states(listing), row) == {
        "bucket": 3, listing.document_column: "d1", "user_id": "ann",
    }  # fmt: skip
