"""What belongs to no member of an organisation, as lines of an export: what is scarce and secret.

cap, stock      what has been taken of campaigns' limits overall and of products' stock: {"quantity": 12}
code            a code of a pool that is to be given out, in that order
expired_code    one that never will be
contest         a competition's seed, and its result
round           a round of a league that is over, and its result
fill            a segment that has been filled: it need not be again
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
    """The place after this key of this type. Codes have an order of their own, so for them also after this number."""

    type: str = TYPES[0]
    key: str = ""
    ordinal: int = -1


async def organisation_page(
    connection: Connection, org_id: UUID, after: OrganisationPlace
) -> tuple[list[OrganisationLine], OrganisationPlace | None]:
    """Return the lines after a place, and where to go on."""
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
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name in _KEYS or value is None:
            continue
        first, *others = name.split("_")
        outside = first + "".join(key.capitalize() for key in others)
        found[outside] = _WAYS[name](value) if name in _WAYS else value
    return found


_WAYS: Mapping[str, Callable[[Any], Any]] = {"seed": bytes.hex, "result": msgspec.json.decode}


async def organisation_place(connection: Connection, org_id: UUID, cursor: str) -> OrganisationPlace | None:
    """Return the place after the line that a cursor names."""
    type_, _, key = cursor.partition("/")
    if type_ not in TYPES or not key:
        return None
    if type_ != "code":
        return OrganisationPlace(type_, key)
    ordinal = await connection.fetchval(_SQL.code_at, org_id, *_halves(key))
    return None if ordinal is None else OrganisationPlace(type_, key, ordinal)
