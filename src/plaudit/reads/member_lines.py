"""Members as lines of an export, with everything that decides their future."""

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

Row = Any  # of a query: a record, or something like it


def member_id_named(org_id: UUID, user_id: str, said: UUID | None) -> UUID:
    """Return the id of a member; that of an erased one stands in their name. Raises Invalid if `said` is another."""
    derived = member_id_of(org_id, user_id)
    if said is None or said == derived:
        return derived
    if user_id != f"{ERASED}{said.hex}":
        raise invalid_fields([FieldError("memberId", f"must be absent, or {derived} (got {said})")])
    return said


def said_id(org_id: UUID, row: Row) -> UUID | None:
    """Return the id of a row's member where it does not follow from the user id."""
    member_id = UUID(bytes=row["member_id"].bytes)
    return None if member_id_of(org_id, row["user_id"]) == member_id else member_id


async def member_lines(connection: Connection, org_id: UUID, ids: Sequence[UUID]) -> list[MemberLine]:
    """Return those of these members that there are, with everything that they have.

    Who calls it within a transaction that sees one instant gets members none of whom is half in a batch of events.
    """
    if not ids:
        return []
    keys = array_literal(bucket_of(id_) for id_ in ids), array_literal(ids)
    parts: list[dict[str, Any]] = [defaultdict(dict) for _ in ids]
    rows: list[Row] = list(await connection.fetch(_SQL.members_now, *keys))
    own = {query_of_states(table): _of_own_table(table) for table in STATE_TABLES.values()}
    for query, read in (_READERS | own).items():
        found: list[Row] = list(await connection.fetch(query, *keys))
        for row in found:
            read(parts[int(row["number"]) - 1], row)
    return [_member(org_id, row, parts[int(row["number"]) - 1]) for row in rows]


def _member(org_id: UUID, row: Row, parts: Mapping[str, Any]) -> MemberLine:
    kept: dict[str, Any] = {name: _in_order(part) for name, part in parts.items()}
    return member_line()(
        user_id=row["user_id"], member_id=said_id(org_id, row), enrolled_at=row["enrolled_at"], latest_at=row["latest_at"],
        active_at=row["active_at"],
        sequence=row["sequence"], due_at=row["due_at"], erased_at=row["erased_at"], merged_into=row["merged_into"],
        profile=msgspec.json.decode(row["attributes"]), **kept,
    )  # fmt: skip


def _in_order(part: Any) -> Any:
    """The order that is the same on every server."""
    return dict(sorted(cast("dict[str, Any]", part).items())) if isinstance(part, dict) else part


def _balance(into: dict[str, Any], row: Row) -> None:
    book = None if row["book"] is None else msgspec.json.decode(row["book"], type=Book)
    into["balances"][row["metric"]] = to_named(Balance(row["amount"], row["earned"], book))


def _state(into: dict[str, Any], row: Row) -> None:
    if row["kind"] in STATE_KINDS:
        state = state_decoder(row["kind"]).decode(row["state"])
        into[STATE_KINDS[row["kind"]].collection][row["key"]] = to_named(state)


def _of_own_table(table: StateTable) -> Callable[[dict[str, Any], Row], None]:
    """Return what reads the rows of a table that states have of their own."""

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
    given = {name: value for name, value in row.items() if name != "number"}
    into["consents"] = [*into.get("consents", []), Consent(**given)]


def _note(into: dict[str, Any], row: Row) -> None:
    given = {name: value for name, value in row.items() if name not in ("number", "notification_id", "changes")}
    changes = None if row["changes"] is None else msgspec.json.decode(row["changes"])
    note = NotificationLine(id=row["notification_id"], changes=changes, **given)
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
