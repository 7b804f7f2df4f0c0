"""An organisation's data that belongs to no member, as lines of an export: counts, codes, seeds and results.

cap, stock      how much is used of a campaign's overall limit or a product's stock: {"quantity": 12}
code            an unissued code of a pool, in order of issue
expired_code    a code that expired unissued
contest         a competition's seed and result
round           a settled round of a league and its result
fill            a segment that has been filled, so that it is not filled again
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.documents.export_lines import OrganisationLine
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

ROWS_AT_ONCE = 2_000
TYPES = ("cap", "stock", "code", "expired_code", "contest", "round", "fill")

Row = Mapping[str, Any]


class OrganisationPlace(Struct, frozen=True):
    """The position after this key of this type. Codes are ordered by `ordinal` instead of the key."""

    type: str = TYPES[0]
    key: str = ""
    ordinal: int = -1


async def organisation_page(
    connection: Connection, org_id: UUID, after: OrganisationPlace
) -> tuple[list[OrganisationLine], OrganisationPlace | None]:
    """Return the lines after a position, and the next position (None at the end)."""
    rows = await _rows(connection, org_id, after)
    lines = [OrganisationLine(type=after.type, key=row["key"], value=_value(row)) for row in rows]
    if len(rows) == ROWS_AT_ONCE:
        return lines, OrganisationPlace(after.type, rows[-1]["key"], rows[-1].get("ordinal", -1))
    following = TYPES[TYPES.index(after.type) + 1 :]
    return lines, OrganisationPlace(following[0]) if following else None


async def _rows(connection: Connection, org_id: UUID, after: OrganisationPlace) -> list[Any]:
    pool_id, _, code = after.key.partition("/")
    match after.type:
        case "cap" | "stock":
            return await connection.fetch(_SQL.claimed_after, org_id, after.type, after.key, ROWS_AT_ONCE)
        case "code":
            return await connection.fetch(_SQL.codes_after, org_id, pool_id, after.ordinal, ROWS_AT_ONCE)
        case "expired_code":
            return await connection.fetch(_SQL.expired_codes_after, org_id, pool_id, code, ROWS_AT_ONCE)
        case "contest":
            return await connection.fetch(_SQL.results_after, org_id, after.key, ROWS_AT_ONCE)
        case "round":
            return await connection.fetch(_SQL.rounds_after, org_id, *_halves(after.key), ROWS_AT_ONCE)
        case _:
            return await connection.fetch(_SQL.fills_after, org_id, after.key, ROWS_AT_ONCE)


def _halves(key: str) -> tuple[str, str]:
    before, _, after = key.partition("/")
    return before, after


_KEYS = frozenset({"key", "pool_id", "code", "ordinal", "competition_id", "round"})


def _value(row: Row) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in row.items():
        if name in _KEYS or value is None:
            continue
        first, *others = name.split("_")
        camel_name = first + "".join(word.capitalize() for word in others)
        fields[camel_name] = _ENCODERS[name](value) if name in _ENCODERS else value
    return fields


_ENCODERS: Mapping[str, Callable[[Any], Any]] = {"seed": bytes.hex, "result": msgspec.json.decode}


async def organisation_place(connection: Connection, org_id: UUID, cursor: str) -> OrganisationPlace | None:
    """Return the position after the line that a cursor names, or None if the cursor is invalid."""
    type_, _, key = cursor.partition("/")
    if type_ not in TYPES or not key:
        return None
    if type_ != "code":
        return OrganisationPlace(type_, key)
    ordinal = await connection.fetchval(_SQL.code_at, org_id, *_halves(key))
    return None if ordinal is None else OrganisationPlace(type_, key, ordinal)
