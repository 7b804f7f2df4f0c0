"""Import the log and the ledger of members who move here.

Each event gets the next position of its bucket, so a member's events keep their order.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from plaudit import clock
from plaudit.core.decision import TransactionDetails
from plaudit.core.ids import bucket_of, event_id_of
from plaudit.documents.export_lines import EventLine, TransactionLine
from plaudit.documents.validation import faults_of
from plaudit.engine.arrival import Payload
from plaudit.engine.load import lock_buckets
from plaudit.engine.processed import Outcome
from plaudit.engine.rows import json_text
from plaudit.engine.tables import EVENT_IDS, EVENTS, TRANSACTIONS
from plaudit.engine.totals import Totals, add_totals, count_in
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields
from plaudit.reads.exports import event_line, places_of_events, transaction_line
from plaudit.reads.member_lines import member_id_named
from plaudit.storage.postgres import Connection, to_driver_uuid
from plaudit.storage.programmes import Programme, reach_version
from plaudit.storage.queries import queries_beside

from .batch import BatchResult

_SQL = queries_beside(__file__)

STATES = ("processed", "rejected")


def changed() -> Invalid:
    """Return the error of a line that this server already has with different content."""
    return Invalid("The line was already imported with different values", code="changed")


def already_a_member() -> Invalid:
    """Return the error of history that belongs to an existing member of this server."""
    return Invalid("The user is already a member here, so their history cannot be extended", code="member_exists")


async def take_events(
    connection: Connection, programme: Programme, lines: Sequence[tuple[int, EventLine]]
) -> BatchResult:
    """Write events into the log, with the outcomes that another server has decided."""
    org_id, result = to_driver_uuid(programme.compiled.org_id), BatchResult()
    members: dict[UUID, UUID] = {}  # by event
    valid: list[tuple[int, EventLine]] = []
    for number, line in lines:
        try:
            members[line.id] = _member_of_event(org_id, line)
            valid.append((number, line))
        except PlauditError as error:
            result.errors.append((number, error))
    positions = (await lock_buckets(connection, map(bucket_of, members.values()))).positions
    existing: dict[UUID, Any] = {
        row["event_id"]: row for row in await connection.fetch(_SQL.existing_events, list(members))
    }
    existing_members = await _existing_members(connection, members.values())
    rows: list[tuple[EventLine, UUID, int]] = []
    for number, line in valid:
        member_id = members[line.id]
        if line.id in existing:
            row = existing[line.id]
            if row["org_id"] == org_id and event_line(programme.compiled.org_id, row) == line:
                result.unchanged += 1
            else:
                result.errors.append((number, changed()))
        elif member_id in existing_members:
            result.errors.append((number, already_a_member()))
        else:
            existing[line.id] = {"org_id": None}  # a second line of the same event is refused as different
            bucket = bucket_of(member_id)
            positions[bucket] += 1
            rows.append((line, member_id, positions[bucket]))
            result.accepted += 1
    if rows:
        await _write_events(connection, org_id, rows)
        await connection.execute(_SQL.move_positions, list(positions), list(positions.values()), clock.now())
        version = max(line.program_version for line, *_ in rows)
        await reach_version(connection, org_id, version)
    return result


def _member_of_event(org_id: UUID, line: EventLine) -> UUID:
    wrong = _wrong_org(org_id, line.org_id)
    if line.state not in STATES:
        wrong.append(FieldError("state", f"must be one of {', '.join(STATES)} (got {line.state[:64]!r})"))
    if line.event_id is not None and event_id_of(org_id, line.event_id) != line.id:
        wrong.append(FieldError("id", "must be the id that follows from the organisation and eventId"))
    wrong += faults_of(line.payload, Payload, "payload") + faults_of(line.outcome, Outcome, "outcome")
    if wrong:
        raise invalid_fields(wrong)
    return member_id_named(org_id, line.user_id, line.member_id)


def _wrong_org(org_id: UUID, line_org_id: UUID) -> list[FieldError]:
    if line_org_id == org_id:
        return []
    message = "must be this organisation's: create an organisation with the id of the one that moves (plaudit org create --id)"
    return [FieldError("orgId", f"{message} (got {line_org_id})")]


async def _existing_members(connection: Connection, member_ids: Iterable[UUID]) -> set[UUID]:
    ids = list(member_ids)
    return {
        row["member_id"] for row in await connection.fetch(_SQL.existing_members, [bucket_of(id_) for id_ in ids], ids)
    }


async def _write_events(connection: Connection, org_id: UUID, rows: Sequence[tuple[EventLine, UUID, int]]) -> None:
    ids = [
        EVENT_IDS.row(
            event_id=line.id, bucket=bucket_of(member_id), member_id=member_id, position=position,
            decided_at=line.decided_at, fingerprint=line.fingerprint,
        )
        for line, member_id, position in rows
    ]  # fmt: skip
    await connection.copy_records_to_table("event_ids", records=ids, columns=EVENT_IDS.names)
    events = [
        EVENTS.row(
            bucket=bucket_of(member_id), position=position, event_id=line.id, event_key=line.event_id, org_id=org_id,
            member_id=member_id, user_id=line.user_id, kind=line.kind, trigger=line.trigger,
            occurred_at=line.occurred_at, received_at=line.received_at, decided_at=line.decided_at, source=line.source,
            state=line.state, program_version=line.program_version, payload=json_text(line.payload),
            outcome=json_text(line.outcome),
        )
        for line, member_id, position in rows
    ]  # fmt: skip
    await connection.copy_records_to_table("events", records=events, columns=EVENTS.names)


# --------------------------------------------------------------------------------------------------- transactions


async def take_transactions(
    connection: Connection, programme: Programme, lines: Sequence[tuple[int, TransactionLine]]
) -> BatchResult:
    """Write transactions into the ledger, each with the position of its event."""
    org_id, result = to_driver_uuid(programme.compiled.org_id), BatchResult()
    events = await places_of_events(connection, org_id, {line.event for _, line in lines})
    await lock_buckets(connection, (row["bucket"] for row in events.values()))
    existing: dict[tuple[UUID, int], Any] = {
        (row["event_id"], row["ordinal"]): row
        for row in await connection.fetch(_SQL.existing_transactions, *_keys(events.values()))
    }
    existing_members = await _existing_members(connection, (row["member_id"] for row in events.values()))
    rows: list[tuple[Any, ...]] = []
    totals: Totals = {}
    for number, line in lines:
        event = events.get(line.event)
        wrong = _wrong_transaction(org_id, line, event)
        stored = existing.get((line.event, line.ordinal))
        if wrong or event is None:
            result.errors.append((number, invalid_fields(wrong)))
        elif stored is not None:
            if stored == {} or transaction_line(programme.compiled.org_id, stored) != line:
                result.errors.append((number, changed()))
            else:
                result.unchanged += 1
        elif event["member_id"] in existing_members:
            result.errors.append((number, already_a_member()))
        else:
            existing[line.event, line.ordinal] = {}  # a second line of the same transaction is refused as different
            rows.append(_transaction_row(org_id, line, event))
            count_in(totals, programme.compiled, [line])
            result.accepted += 1
    if rows:
        await connection.copy_records_to_table("transactions", records=rows, columns=TRANSACTIONS.names)
        await add_totals(connection, totals)
    return result


def _keys(events: Collection[Any]) -> list[list[Any]]:
    names = ("bucket", "member_id", "position", "decided_at")
    return [[row[name] for row in events] for name in names]


def _wrong_transaction(org_id: UUID, line: TransactionLine, event: Any) -> list[FieldError]:
    wrong = _wrong_org(org_id, line.org_id)
    if event is None:
        wrong.append(
            FieldError("event", f"must reference an existing event: import kind=events first (got {line.event})")
        )
    elif event["user_id"] != line.user_id:
        wrong.append(FieldError("userId", "must be that of the event"))
    elif event["decided_at"] != line.created_at:
        wrong.append(FieldError("createdAt", "must be the time at which the event was decided"))
    return wrong + ([] if line.details is None else faults_of(line.details, TransactionDetails, "details"))


def _transaction_row(org_id: UUID, line: TransactionLine, event: Any) -> tuple[Any, ...]:
    return TRANSACTIONS.row(
        bucket=event["bucket"], member_id=event["member_id"], position=event["position"], ordinal=line.ordinal,
        transaction_id=line.id, org_id=org_id, user_id=line.user_id, metric=line.metric, amount=line.amount,
        balance_after=line.balance_after, cause_kind=line.cause_kind, cause_id=line.cause_id, step=line.step,
        index=line.index, event_id=line.event, reason=line.reason, occurred_at=line.occurred_at,
        created_at=line.created_at, reverses=line.reverses,
        details=None if line.details is None else json_text(line.details),
    )  # fmt: skip


async def totals_of(connection: Connection, member_ids: Sequence[UUID]) -> dict[UUID, Counter[str]]:
    """Return the ledger's sums of these members, by metric."""
    totals: dict[UUID, Counter[str]] = {member_id: Counter() for member_id in member_ids}
    keys = [bucket_of(member_id) for member_id in member_ids], member_ids
    for row in await connection.fetch(_SQL.totals_of, *keys):
        totals[row["member_id"]][row["metric"]] = int(row["amount"])
    return totals
