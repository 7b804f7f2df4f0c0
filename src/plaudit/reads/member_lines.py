"""Members as lines of an export, with all data that affects later decisions."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec

from plaudit.core.ids import bucket_of, member_id_of
from plaudit.core.ledger.lots import Book
from plaudit.core.member import STATE_KINDS, STATE_TABLES, Balance, Holding, StateTable, state_decoder
from plaudit.documents.export_lines import Consent, Coupon, MemberLine, NotificationLine, member_line
from plaudit.documents.named_fields import to_named
from plaudit.engine.tables import SELECT_BALANCES, SELECT_HOLDINGS, SELECT_PROGRESS, query_of_states
from plaudit.errors import FieldError, invalid_fields
from plaudit.storage.postgres import Connection, array_literal
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

ERASED = "erased_"

Row = Any  # a record, or a mapping like it


def member_id_named(org_id: UUID, user_id: str, member_id: UUID | None) -> UUID:
    """Return the id of a line's member. Raise Invalid if the line has another `member_id`.

    The id derives from the user id, except for an erased member, whose pseudonym contains it.
    """
    derived = member_id_of(org_id, user_id)
    if member_id is None or member_id == derived:
        return derived
    if user_id != f"{ERASED}{member_id.hex}":
        raise invalid_fields([FieldError("memberId", f"must be absent, or {derived} (got {member_id})")])
    return member_id


def explicit_member_id(org_id: UUID, row: Row) -> UUID | None:
    """Return the id of a row's member, or None if it derives from the user id."""
    member_id = UUID(bytes=row["member_id"].bytes)
    return None if member_id_of(org_id, row["user_id"]) == member_id else member_id


async def member_lines(connection: Connection, org_id: UUID, ids: Sequence[UUID]) -> list[MemberLine]:
    """Return these members with all their data. Leave out those that do not exist.

    Call it within a snapshot, so that a batch of events that is committed meanwhile is not visible in part.
    """
    if not ids:
        return []
    keys = array_literal(bucket_of(id_) for id_ in ids), array_literal(ids)
    parts: list[dict[str, Any]] = [defaultdict(dict) for _ in ids]
    rows: list[Row] = list(await connection.fetch(_SQL.members_now, *keys))
    own = {query_of_states(table): _of_own_table(table) for table in STATE_TABLES.values()}
    for query, read in (_READERS | own).items():
        records: list[Row] = list(await connection.fetch(query, *keys))
        for row in records:
            read(parts[int(row["number"]) - 1], row)
    return [_member(org_id, row, parts[int(row["number"]) - 1]) for row in rows]


def _member(org_id: UUID, row: Row, parts: Mapping[str, Any]) -> MemberLine:
    sorted_parts: dict[str, Any] = {name: _in_order(part) for name, part in parts.items()}
    return member_line()(
        user_id=row["user_id"], member_id=explicit_member_id(org_id, row), enrolled_at=row["enrolled_at"], latest_at=row["latest_at"],
        active_at=row["active_at"],
        sequence=row["sequence"], due_at=row["due_at"], erased_at=row["erased_at"], merged_into=row["merged_into"],
        profile=msgspec.json.decode(row["attributes"]), **sorted_parts,
    )  # fmt: skip


def _in_order(part: Any) -> Any:
    """Return a part sorted by key, so that it is the same on every server."""
    return dict(sorted(cast("dict[str, Any]", part).items())) if isinstance(part, dict) else part


def _balance(into: dict[str, Any], row: Row) -> None:
    book = None if row["book"] is None else msgspec.json.decode(row["book"], type=Book)
    into["balances"][row["metric"]] = to_named(Balance(row["amount"], row["earned"], book))


def _state(into: dict[str, Any], row: Row) -> None:
    if row["kind"] in STATE_KINDS:
        state = state_decoder(row["kind"]).decode(row["state"])
        into[STATE_KINDS[row["kind"]].collection][row["key"]] = to_named(state)


def _of_own_table(table: StateTable) -> Callable[[dict[str, Any], Row], None]:
    """Return a reader for the rows of a table of states."""

    def read(into: dict[str, Any], row: Row) -> None:
        _, key, *part = row.values()
        into[table.name][key] = to_named(table.type(*part))

    return read


def _holding(into: dict[str, Any], row: Row) -> None:
    _, product_id, *holding = row.values()
    into["holdings"][product_id] = to_named(Holding(*holding))


def _identity(into: dict[str, Any], row: Row) -> None:
    into["identities"][row["kind"]] = row["value"]


def _coupon(into: dict[str, Any], row: Row) -> None:
    _, coupon_id, origin_id, pool_id, code, terms, cause_kind, cause_id, event_id, *rest = row.values()
    issued_at, expires_at, state, allocated_at, redeemed_at, revoked_at = rest
    coupon = Coupon(
        id=coupon_id, origin_id=origin_id, pool_id=pool_id, code=code, terms=msgspec.json.decode(terms),
        cause_kind=cause_kind, cause_id=cause_id, event=event_id, issued_at=issued_at, expires_at=expires_at, state=state,
        allocated_at=allocated_at, redeemed_at=redeemed_at, revoked_at=revoked_at,
    )  # fmt: skip
    into["coupons"] = [*into.get("coupons", []), coupon]


def _consent(into: dict[str, Any], row: Row) -> None:
    fields = {name: value for name, value in row.items() if name != "number"}
    into["consents"] = [*into.get("consents", []), Consent(**fields)]


def _note(into: dict[str, Any], row: Row) -> None:
    fields = {name: value for name, value in row.items() if name not in ("number", "notification_id", "changes")}
    changes = None if row["changes"] is None else msgspec.json.decode(row["changes"])
    note = NotificationLine(id=row["notification_id"], changes=changes, **fields)
    into["notifications"] = [*into.get("notifications", []), note]


_READERS: dict[str, Callable[[dict[str, Any], Row], None]] = {
    SELECT_BALANCES: _balance,
    SELECT_PROGRESS: _state,
    SELECT_HOLDINGS: _holding,
    _SQL.identities: _identity,
    _SQL.coupons: _coupon,
    _SQL.consents: _consent,
    _SQL.notifications: _note,
}
