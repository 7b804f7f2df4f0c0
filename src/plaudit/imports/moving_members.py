"""Import members who move here: their rows in every table.

A member is imported after their history. The log and the ledger must match the member, so points of unknown origin are
refused, and so is a member without the events that protect them from being paid twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.core.ids import bucket_of
from plaudit.core.member import STATE_KINDS, STATE_LISTS, STATE_TABLES, Balance, Holding
from plaudit.documents.export_lines import MemberLine
from plaudit.documents.named_fields import from_named
from plaudit.engine.load import lock_buckets
from plaudit.engine.rows import json_text
from plaudit.engine.tables import (
    BALANCES,
    COUPONS,
    HOLDINGS,
    IDENTITIES,
    MEMBERS,
    NOTIFICATIONS,
    PROGRESS,
    table_of_states,
)
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields
from plaudit.reads.member_lines import member_id_named, member_lines
from plaudit.storage.erasure import CHANNEL as ERASURES
from plaudit.storage.postgres import Connection, to_driver_uuid
from plaudit.storage.programmes import Programme
from plaudit.storage.queries import queries_beside
from plaudit.storage.statements import BOOLEAN, SMALLINT, TEXT, TIME, Table
from plaudit.storage.statements import UUID as UUID_COLUMN

from .batch import BatchResult
from .moving_history import changed, totals_of

_SQL = queries_beside(__file__)

_CONSENTS = Table.of(
    "consents", bucket=SMALLINT, member_id=UUID_COLUMN, purpose=TEXT, granted=BOOLEAN, source=TEXT, given_at=TIME,
    recorded_at=TIME, recorded_by=TEXT,
)  # fmt: skip
_MEMBERS = MEMBERS.also(erased_at=TIME, merged_into=TEXT)
_NOTIFICATIONS = NOTIFICATIONS.also(read_at=TIME)


def tables() -> Sequence[Table]:
    """Return the tables of a member's rows, with all columns to import."""
    of_states = map(table_of_states, (*STATE_TABLES.values(), *STATE_LISTS.values()))
    return (
        BALANCES, PROGRESS, COUPONS, HOLDINGS, IDENTITIES, *of_states, _CONSENTS, _MEMBERS, _NOTIFICATIONS,
    )  # fmt: skip


Rows = dict[str, list[tuple[Any, ...]]]


async def take(connection: Connection, programme: Programme, lines: Sequence[tuple[int, MemberLine]]) -> BatchResult:
    """Store members. Raise the database's error if one of their codes or identities belongs to another member."""
    org_id, result = programme.compiled.org_id, BatchResult()
    ids: dict[int, UUID] = {}
    for number, line in lines:
        try:
            ids[number] = member_id_named(org_id, line.user_id, line.member_id)
        except PlauditError as error:
            result.errors.append((number, error))
    members = list(dict.fromkeys(ids.values()))
    positions = (await lock_buckets(connection, map(bucket_of, members))).positions
    keys = [bucket_of(member) for member in members], members
    existing = {member.user_id: member for member in await member_lines(connection, org_id, members)}
    logged = {row["member_id"]: row["events"] for row in await connection.fetch(_SQL.logged, *keys)}
    booked = await totals_of(connection, members)
    rows: Rows = {table.name: [] for table in tables()}
    codes: list[tuple[Any, ...]] = []
    for number, line in lines:
        if number not in ids:
            continue
        member_id = ids[number]
        try:
            if line.user_id in existing:
                if _plain(existing[line.user_id]) != _plain(line):
                    raise changed()
                result.unchanged += 1
                continue
            _require_history(line, logged.get(member_id, 0), booked[member_id])
            _add(rows, codes, to_driver_uuid(org_id), to_driver_uuid(member_id), line, positions[bucket_of(member_id)])
            existing[line.user_id] = line
            result.accepted += 1
        except PlauditError as error:
            result.errors.append((number, error))
    await _write(connection, org_id, rows, codes)
    return result


def _plain(line: MemberLine) -> Any:
    return msgspec.json.decode(msgspec.json.encode(line))


def _require_history(line: MemberLine, events: int, booked: Mapping[str, int]) -> None:
    if events < line.sequence:
        raise Invalid(
            f"The log has {events:,} of the member's {line.sequence:,} events: import kind=events first",
            code="history_missing",
        )
    amounts = {metric: int(balance.get("amount", 0)) for metric, balance in line.balances.items()}
    wrong = [
        FieldError(
            f"balances.{metric}", f"must equal the ledger's sum, {total}: import kind=transactions first (got {amount})"
        )
        for metric, amount in amounts.items()
        if amount != (total := booked.get(metric, 0))
    ]
    wrong += [
        FieldError(f"balances.{metric}", f"must equal the ledger's sum, {total} (got none)")
        for metric, total in booked.items()
        if total and metric not in amounts
    ]
    if wrong:
        raise invalid_fields(wrong)


def _states(line: MemberLine, field: str, of: type[Struct]) -> dict[str, Any]:
    return {key: from_named(value, of, f"{field}.{key}") for key, value in getattr(line, field).items()}


def _add(
    rows: Rows, codes: list[tuple[Any, ...]], org_id: UUID, member_id: UUID, line: MemberLine, position: int
) -> None:
    """Add a member's rows. If a state is invalid, add none and raise Invalid."""
    bucket = bucket_of(member_id)
    key = (bucket, member_id)
    balances: dict[str, Balance] = _states(line, "balances", Balance)
    states = {kind: _states(line, of.collection, of.type) for kind, of in STATE_KINDS.items()}
    holdings = _states(line, "holdings", Holding)
    parts = {name: _states(line, name, table.type) for name, table in STATE_TABLES.items()}
    lists = [(listing, states[listing.kind]) for listing in STATE_LISTS.values()]
    for listing, of_kind in lists:
        for id_, state in of_kind.items():
            if listing.is_in(state) and listing.since(state) is None:
                raise invalid_fields([FieldError(f"{STATE_KINDS[listing.kind].collection}.{id_}.since", "is missing")])
    rows["members"].append(_MEMBERS.row(
        bucket=bucket, member_id=member_id, org_id=org_id, user_id=line.user_id, attributes=json_text(line.profile),
        enrolled_at=line.enrolled_at, latest_at=line.latest_at, active_at=line.active_at, sequence=line.sequence,
        due_at=line.due_at, erased_at=line.erased_at, merged_into=line.merged_into,
    ))  # fmt: skip
    rows["balances"] += [
        (*key, metric, balance.amount, balance.earned, None if balance.book is None else json_text(balance.book))
        for metric, balance in balances.items()
    ]
    rows["progress"] += [(*key, kind, id_, json_text(state)) for kind in states for id_, state in states[kind].items()]
    for listing, of_kind in lists:
        rows[listing.name] += [
            listing.row(key, org_id, line.user_id, id_, state) for id_, state in of_kind.items() if listing.is_in(state)
        ]
    for name, table in STATE_TABLES.items():
        for id_, part in parts[name].items():
            rows[name].append(table.row(key, org_id, line.user_id, id_, part, position))
    rows["holdings"] += [
        (*key, product_id, *msgspec.structs.astuple(holding)) for product_id, holding in holdings.items()
    ]
    rows["identities"] += [(*key, kind, org_id, value, line.user_id) for kind, value in line.identities.items()]
    rows["consents"] += [
        (*key, c.purpose, c.granted, c.source, c.given_at, c.recorded_at, c.recorded_by) for c in line.consents
    ]
    rows["notifications"] += [
        _NOTIFICATIONS.row(
            bucket=bucket, member_id=member_id, notification_id=note.id, type=note.type, cause_kind=note.cause_kind,
            cause_id=note.cause_id, step=note.step, display=note.display, title=note.title, message=note.message,
            created_at=note.created_at, expires_at=note.expires_at, read_at=note.read_at,
            changes=None if note.changes is None else json_text(note.changes),
        )
        for note in line.notifications
    ]  # fmt: skip
    for coupon in line.coupons:
        rows["coupons"].append(COUPONS.row(
            bucket=bucket, member_id=member_id, coupon_id=coupon.id, org_id=org_id, origin_id=coupon.origin_id,
            pool_id=coupon.pool_id, code=coupon.code, terms=json_text(coupon.terms), cause_kind=coupon.cause_kind,
            cause_id=coupon.cause_id, event_id=coupon.event, issued_at=coupon.issued_at, expires_at=coupon.expires_at,
            revoked_at=coupon.revoked_at,
        ))  # fmt: skip
        if coupon.pool_id is not None and coupon.state is not None:
            of_pool = (org_id, coupon.pool_id, coupon.code, coupon.state)
            codes.append((*of_pool, *key, coupon.id, coupon.allocated_at, coupon.redeemed_at))


async def _write(connection: Connection, org_id: UUID, rows: Rows, codes: Sequence[tuple[Any, ...]]) -> None:
    for table in tables():
        if rows[table.name]:
            await connection.copy_records_to_table(table.name, records=rows[table.name], columns=table.names)
    if codes:  # new or unissued ones; a code issued to another member raises
        await connection.execute(_SQL.take_codes, *(list(column) for column in zip(*codes, strict=True)))
    if rows["standings"]:  # leaderboards in memory are rebuilt
        await connection.execute(_SQL.forget_leaderboards, ERASURES, str(org_id))
