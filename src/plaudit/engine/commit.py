"""The decisions of a batch into rows: the log, the books, the state. Set-wise, inside the caller's transaction.

What is append-only is copied in; what changes is updated where it was loaded and inserted where it is new, which costs
the server half of what an upsert does. A changed part of a member is one that is no longer the same object.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.member import Balance, Holding, Member, Progress
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .arrival import Arrival
from .load import Batch
from .outcome import Processed

SQL = queries_beside(__file__)

_ENCODER = msgspec.json.Encoder()

EVENT_COLUMNS = (
    "bucket", "position", "event_id", "event_key", "org_id", "member_id", "user_id", "kind", "trigger",
    "occurred_at", "received_at", "decided_at", "source", "state", "program_version", "payload", "outcome",
)  # fmt: skip
EVENT_ID_COLUMNS = ("event_id", "bucket", "member_id", "position", "decided_at", "fingerprint")
TRANSACTION_COLUMNS = (
    "bucket", "member_id", "position", "ordinal", "transaction_id", "org_id", "user_id", "metric", "amount",
    "balance_after", "campaign_id", "step", "index", "event_id", "reason", "occurred_at", "created_at",
)  # fmt: skip
COUPON_COLUMNS = (
    "bucket", "member_id", "coupon_id", "org_id", "origin_id", "pool_id", "code", "terms", "campaign_id",
    "event_id", "issued_at", "expires_at",
)  # fmt: skip
NOTIFICATION_COLUMNS = (
    "bucket", "member_id", "notification_id", "campaign_id", "display", "title", "message", "created_at",
)  # fmt: skip

Row = tuple[Any, ...]


async def commit(connection: Connection, batch: Batch, processed: Iterable[Processed], decided_at: datetime) -> None:
    """Write down all that follows from a batch."""
    failed = [one for one in processed if one.state == "failed"]
    decided = [one for one in processed if one.state != "failed"]
    if failed:
        await set_aside(connection, failed, decided_at)
    if not decided:
        return
    positions = dict(batch.positions)
    log: list[Row] = []
    ids: list[Row] = []
    transactions: list[Row] = []
    coupons: list[Row] = []
    notifications: list[Row] = []
    for one in decided:
        arrival = one.arrival
        position = positions[arrival.bucket] = positions[arrival.bucket] + 1
        log.append(_event_row(one, position, decided_at))
        ids.append((arrival.event_id, arrival.bucket, arrival.member_id, position, decided_at, arrival.fingerprint))
        transactions += _transaction_rows(one, position, decided_at)
        coupons += _coupon_rows(one)
        notifications += _notification_rows(one)
    await _copy(connection, "event_ids", EVENT_ID_COLUMNS, ids)
    await _copy(connection, "events", EVENT_COLUMNS, log)
    await _copy(connection, "transactions", TRANSACTION_COLUMNS, transactions)
    await _copy(connection, "coupons", COUPON_COLUMNS, coupons)
    await _copy(connection, "notifications", NOTIFICATION_COLUMNS, notifications)
    await _write_members(connection, batch.members, decided)
    await _write_identities(connection, decided)
    moved = [bucket for bucket, position in positions.items() if position != batch.positions[bucket]]
    await connection.execute(SQL.move_positions, moved, [positions[bucket] for bucket in moved])


async def set_aside(connection: Connection, failed: Iterable[Processed], at: datetime) -> None:
    """Keep events that could not be decided, with their errors."""
    rows = [
        (
            one.event_id, one.bucket, one.event_key, one.org_id, one.member_id, one.user_id, one.kind, one.trigger,
            one.occurred_at, one.received_at, one.source, one.fingerprint, one.payload, each.error,
        )
        for each in failed
        for one in (each.arrival,)
    ]  # fmt: skip
    await connection.execute(SQL.set_aside, *_columns(rows), at)


async def _copy(connection: Connection, table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    if rows:
        await connection.copy_records_to_table(table, records=rows, columns=columns)


def _event_row(one: Processed, position: int, decided_at: datetime) -> Row:
    arrival = one.arrival
    return (
        arrival.bucket, position, arrival.event_id, arrival.event_key, arrival.org_id, arrival.member_id,
        arrival.user_id, arrival.kind, arrival.trigger, arrival.occurred_at, arrival.received_at, decided_at,
        arrival.source, one.state, one.program_version, arrival.payload, _json(one.outcome()),
    )  # fmt: skip


def _transaction_rows(one: Processed, position: int, decided_at: datetime) -> Iterator[Row]:
    arrival, decision = one.arrival, one.decision
    assert decision is not None
    for ordinal, posting in enumerate(decision.postings):
        yield (
            arrival.bucket, arrival.member_id, position, ordinal, posting.transaction_id, arrival.org_id,
            arrival.user_id, posting.metric, posting.amount, posting.balance_after, posting.campaign_id, posting.step,
            posting.index, arrival.event_id, posting.reason, posting.occurred_at, decided_at,
        )  # fmt: skip


def _coupon_rows(one: Processed) -> Iterator[Row]:
    arrival, decision = one.arrival, one.decision
    assert decision is not None
    for issue in decision.coupons:
        code = issue.code if issue.code is not None else one.codes[issue.coupon_id]
        yield (
            arrival.bucket, arrival.member_id, issue.coupon_id, arrival.org_id, issue.origin_id, issue.pool_id, code,
            _json(issue.terms), issue.campaign_id, arrival.event_id, issue.issued_at, issue.expires_at,
        )  # fmt: skip


def _notification_rows(one: Processed) -> Iterator[Row]:
    arrival, decision = one.arrival, one.decision
    assert decision is not None
    for note in decision.notifications:
        yield (
            arrival.bucket, arrival.member_id, note.notification_id, note.campaign_id, note.display, note.title,
            note.message, note.created_at,
        )  # fmt: skip


async def _write_members(connection: Connection, before: Mapping[UUID, Member], decided: Iterable[Processed]) -> None:
    """The members as their last decisions left them, as far as that differs from what was loaded."""
    last = {one.arrival.member_id: (one.arrival, one.decision.member) for one in decided if one.decision}
    joined: list[Row] = []
    moved: list[Row] = []
    changed: dict[str, tuple[list[Row], list[Row]]] = {
        part: ([], []) for part in ("balances", "progress", "holdings", "entries")
    }
    for member_id, (arrival, member) in last.items():
        was = before[member_id]
        if member.enrolled_at is None:
            continue
        attributes = "{}" if not member.attributes else _json(member.attributes)
        key = (arrival.bucket, member_id)
        if was.enrolled_at is None:
            named = (arrival.org_id, arrival.user_id)
            joined.append((*key, *named, attributes, member.enrolled_at, member.present))
        elif member.present != was.present or member.attributes is not was.attributes:
            moved.append((*key, attributes, member.present))
        for part, (new, existing) in changed.items():
            old = getattr(was, part)
            for name, value in getattr(member, part).items():
                if value is not old.get(name):
                    (existing if name in old else new).append((*key, name, *_PARTS[part](value)))
    for query, rows in (
        (SQL.insert_members, joined),
        (SQL.update_members, moved),
        (SQL.insert_balances, changed["balances"][0]),
        (SQL.update_balances, changed["balances"][1]),
        (SQL.insert_progress, changed["progress"][0]),
        (SQL.update_progress, changed["progress"][1]),
        (SQL.upsert_holdings, changed["holdings"][0] + changed["holdings"][1]),
        (SQL.upsert_entries, changed["entries"][0] + changed["entries"][1]),
    ):
        if rows:
            await connection.execute(query, *_columns(rows))


def _progress_columns(progress: Progress) -> Row:
    periods = _json(progress.periods) if progress.periods else "{}"
    return (progress.completions, progress.last_at, periods)


def _balance_columns(balance: Balance) -> Row:
    return (balance.amount, balance.earned)


def _holding_columns(holding: Holding) -> Row:
    return (holding.quantity, holding.first_at, holding.last_at)


def _entries_columns(entries: int) -> Row:
    return (entries,)


_PARTS: Mapping[str, Any] = {
    "balances": _balance_columns,
    "progress": _progress_columns,
    "holdings": _holding_columns,
    "entries": _entries_columns,
}


async def _write_identities(connection: Connection, decided: Iterable[Processed]) -> None:
    """The names that members go by. Raises UniqueViolationError when one is another member's."""
    given: dict[tuple[UUID, str], tuple[Arrival, str | None]] = {}
    for one in decided:
        assert one.decision is not None
        for kind, value in one.decision.identities.items():
            given[one.arrival.member_id, kind] = (one.arrival, value)
    if not given:
        return
    gone: list[Row] = [(arrival.bucket, member_id, kind) for (member_id, kind), (arrival, _) in given.items()]
    await connection.execute(SQL.delete_identities, *_columns(gone))
    kept: list[Row] = [
        (arrival.org_id, kind, value, arrival.bucket, member_id, arrival.user_id)
        for (member_id, kind), (arrival, value) in given.items()
        if value is not None
    ]
    if kept:
        await connection.execute(SQL.insert_identities, *_columns(kept))


def _json(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def _columns(rows: list[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
