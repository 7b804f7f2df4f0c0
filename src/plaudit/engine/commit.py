"""The decisions of a batch into rows: the log, the books, the state. Set-wise, inside the caller's transaction.

What is append-only is copied in; what changes is updated where it was loaded and inserted where it is new, which costs
the server half of what an upsert does. A changed part of a member is one that is no longer the same object.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.core.changes import changes_in
from plaudit.core.decision import CouponIssue, Decision, Details, Posting
from plaudit.core.member import STATES, Member
from plaudit.core.notifications import MESSAGE
from plaudit.storage.postgres import Connection, array_of
from plaudit.storage.queries import queries_beside

from . import inbox
from .arrival import Arrival, Payload, arrival_of
from .load import Batch
from .outcome import Processed
from .outgoing import message_rows
from .totals import add_totals, totals_of
from .watches import changed_members

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
    "reverses", "details",
)  # fmt: skip
COUPON_COLUMNS = (
    "bucket", "member_id", "coupon_id", "org_id", "origin_id", "pool_id", "code", "terms", "campaign_id",
    "event_id", "issued_at", "expires_at",
)  # fmt: skip
NOTIFICATION_COLUMNS = (
    "bucket", "member_id", "notification_id", "type", "campaign_id", "step", "display", "title", "message", "created_at",
    "expires_at", "changes",
)  # fmt: skip

OUTBOX_COLUMNS = ("message_id", "org_id", "member_id", "type", "only_to", "payload", "created_at")

Row = tuple[Any, ...]


async def commit(
    connection: Connection,
    batch: Batch,
    processed: Iterable[Processed],
    decided_at: datetime,
) -> None:
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
        decision = one.decision
        assert decision is not None
        if decision.postings:
            transactions += _transaction_rows(arrival, decision.postings, position, decided_at)
        if decision.coupons:
            coupons += _coupon_rows(one, decision.coupons)
        if decision.notifications:
            notifications += _notification_rows(arrival, decision)
    await _copy(connection, "event_ids", EVENT_ID_COLUMNS, ids)
    await _copy(connection, "events", EVENT_COLUMNS, log)
    await _copy(connection, "transactions", TRANSACTION_COLUMNS, transactions)
    await _copy(connection, "coupons", COUPON_COLUMNS, coupons)
    await _copy(connection, "notifications", NOTIFICATION_COLUMNS, notifications)
    rows = _member_rows(batch.members, decided, positions)
    for table, columns in _NEW_ROWS.items():
        await _copy(connection, table, columns, rows[table])
    for query in _MEMBER_QUERIES:
        if rows[query]:
            await connection.execute(SQL.by_name[query], *_columns(rows[query]))
    moved = [bucket for bucket, position in positions.items() if position != batch.positions[bucket]]
    at = [positions[bucket] for bucket in moved]
    updates = [column for part, taken_as in _UPDATED.items() for column in _taken(rows[part], taken_as)]
    await connection.execute(SQL.move_on, *updates, moved, at, decided_at)
    await _write_identities(connection, decided)
    await _send_onward(connection, decided, decided_at)
    if batch.watched:
        for said in changed_members(one.arrival.member_id for one in decided if one.arrival.bucket in batch.watched):
            await connection.execute(SQL.announce_members, said)
    messages = [row for one in decided for row in message_rows(one, decided_at)]
    if messages:
        await _copy(connection, "outbox", OUTBOX_COLUMNS, messages)
        await connection.execute(SQL.announce_messages)
    # Last, because it is the one thing that two lanes may wait for each other for.
    await add_totals(connection, totals_of(decided))


async def _send_onward(connection: Connection, decided: Iterable[Processed], at: datetime) -> None:
    """What follows for other members goes into the inbox, with this very commit."""
    arrivals = [
        arrival_of(
            org_id=one.arrival.org_id,
            user_id=onward.user_id,
            kind=onward.kind,
            trigger=onward.trigger,
            occurred_at=onward.occurred_at,
            received_at=at,
            payload=Payload(onward.data),
            source="engine",
            event_id=onward.event_id,
        )
        for one in decided
        if one.decision is not None
        for onward in one.decision.onward
    ]
    if arrivals:
        await inbox.append(connection, arrivals)


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
    arrival, program = one.arrival, one.program
    assert program is not None
    return (
        arrival.bucket, position, arrival.event_id, arrival.event_key, arrival.org_id, arrival.member_id,
        arrival.user_id, arrival.kind, arrival.trigger, arrival.occurred_at, arrival.received_at, decided_at,
        arrival.source, one.state, program.version, arrival.payload, _json(one.outcome()),
    )  # fmt: skip


def _transaction_rows(
    arrival: Arrival, postings: Sequence[Posting], position: int, decided_at: datetime
) -> Iterator[Row]:
    for ordinal, posting in enumerate(postings):
        yield (
            arrival.bucket, arrival.member_id, position, ordinal, posting.transaction_id, arrival.org_id,
            arrival.user_id, posting.metric, posting.amount, posting.balance_after, posting.campaign_id, posting.step,
            posting.index, arrival.event_id, posting.reason, posting.occurred_at, decided_at, posting.reverses,
            _details(posting),
        )  # fmt: skip


def _details(posting: Posting) -> str | None:
    if posting.parts is None and posting.refusal is None:
        return None
    return _json(Details(posting.parts or (), posting.refusal, posting.next_at))


def _coupon_rows(one: Processed, coupons: Sequence[CouponIssue]) -> Iterator[Row]:
    arrival = one.arrival
    for issue in coupons:
        code = issue.code if issue.code is not None else one.codes[issue.coupon_id]
        yield (
            arrival.bucket, arrival.member_id, issue.coupon_id, arrival.org_id, issue.origin_id, issue.pool_id, code,
            _json(issue.terms), issue.campaign_id, arrival.event_id, issue.issued_at, issue.expires_at,
        )  # fmt: skip


def _notification_rows(arrival: Arrival, decision: Decision) -> Iterator[Row]:
    for note in decision.notifications:
        yield (
            arrival.bucket, arrival.member_id, note.notification_id, note.type, note.campaign_id, note.step, note.display,
            note.title, note.message, note.created_at, note.expires_at,
            None if note.type == MESSAGE else _json(changes_in(decision, note.campaign_id)),
        )  # fmt: skip


def _member_rows(
    before: Mapping[UUID, Member], decided: Iterable[Processed], positions: Mapping[int, int]
) -> dict[str, list[Row]]:
    """The members as their last decisions left them, as far as that differs from what was loaded: rows by what takes them."""
    last = {one.arrival.member_id: (one.arrival, one.decision.member) for one in decided if one.decision}
    rows: dict[str, list[Row]] = {name: [] for name in (*_NEW_ROWS, *_MEMBER_QUERIES, *_UPDATED)}
    for member_id, (arrival, member) in last.items():
        was = before[member_id]
        if member.enrolled_at is None:
            continue
        key = (arrival.bucket, member_id)
        if was.enrolled_at is None:
            named = (arrival.org_id, arrival.user_id, _json(member.attributes), member.enrolled_at)
            rows["members"].append((*key, *named, member.present, member.sequence, member.due_at))
        else:
            rows["members_now"].append((*key, member.present, member.sequence, member.due_at))
            if member.attributes is not was.attributes:
                rows["update_attributes"].append((*key, _json(member.attributes)))
        for metric, balance in member.balances.items():
            if balance is not was.balances.get(metric):
                query = "balances_now" if metric in was.balances else "balances"
                book = None if balance.book is None else _json(balance.book)
                rows[query].append((*key, metric, balance.amount, balance.earned, book))
        for product_id, held in member.holdings.items():
            if held is not was.holdings.get(product_id):
                rows["upsert_holdings"].append((*key, product_id, held.quantity, held.first_at, held.last_at))
        if was.holdings:
            rows["delete_holdings"] += [(*key, one) for one in was.holdings if one not in member.holdings]
        for segment_id, inside in member.segments.items():
            before_it = was.segments.get(segment_id)
            if inside.member and (before_it is None or inside.since != before_it.since):
                named = (arrival.org_id, segment_id, arrival.user_id, inside.since)
                rows["insert_segment_members"].append((*key, *named))
            elif not inside.member and before_it is not None and before_it.member:
                rows["delete_segment_members"].append((*key, segment_id))
        for competition_id, standing in member.standings.items():
            if standing is not was.standings.get(competition_id):
                named = (arrival.org_id, competition_id, arrival.user_id)
                scored = msgspec.structs.astuple(standing)
                rows["upsert_standings"].append((*key, *named, *scored, positions[arrival.bucket]))
        for competition_id, entries in member.entries.items():
            if entries != was.entries.get(competition_id):
                rows["upsert_entries"].append((*key, competition_id, entries))
        for kind, (part, _) in STATES.items():
            states = getattr(member, part)
            if not states:
                continue
            old = getattr(was, part)
            for name, state in states.items():
                if state is not old.get(name):
                    query = "progress_now" if name in old else "progress"
                    rows[query].append((*key, kind, name, _json(state)))
    return rows


SEPARATOR = "\x1e"


def joined(texts: Iterable[str | None]) -> str:
    """Texts as one; None is the empty one."""
    return SEPARATOR.join([text or "" for text in texts])


def unless_none(column: Iterable[Any]) -> list[Any] | None:
    """The column; none at all, which is as many nulls as the others are long, where it has nothing else."""
    values = list(column)
    return values if any(values) else None


def _taken(rows: Sequence[Row], ways: Sequence[Callable[[Iterable[Any]], Any]]) -> list[Any]:
    """The columns of rows, each in its way; also of no rows at all."""
    columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True) if rows else ((),) * len(ways)
    return [way(column) for way, column in zip(ways, columns, strict=True)]


# What is updated by `move_on`, in the order of its parameters, and how it takes the columns.
_UPDATED: Mapping[str, Sequence[Callable[[Iterable[Any]], Any]]] = {
    "members_now": (array_of, array_of, list, array_of, unless_none),
    "balances_now": (array_of, array_of, joined, array_of, array_of, joined),
    "progress_now": (array_of, array_of, joined, joined, joined),
}

# What members have for the first time is copied in, like the log.
_NEW_ROWS: Mapping[str, tuple[str, ...]] = {
    "members": (
        "bucket", "member_id", "org_id", "user_id", "attributes", "enrolled_at", "present", "sequence", "due_at",
    ),
    "balances": ("bucket", "member_id", "metric", "amount", "earned", "book"),
    "progress": ("bucket", "member_id", "kind", "key", "state"),
}  # fmt: skip
_MEMBER_QUERIES = (
    "update_attributes", "upsert_holdings", "delete_holdings", "upsert_entries",
    "insert_segment_members", "delete_segment_members", "upsert_standings",
)  # fmt: skip


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


def _columns(rows: list[Row]) -> list[Any]:
    return [list(column) for column in zip(*rows, strict=True)]
