"""Import an organisation's data that belongs to no member (see reads/organisation_lines.py)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.documents.export_lines import OrganisationLine
from plaudit.documents.validation import convert
from plaudit.engine.rows import json_text
from plaudit.errors import FieldError, PlauditError, invalid_fields
from plaudit.reads.organisation_lines import TYPES
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme
from plaudit.storage.queries import queries_beside

from .batch import BatchResult
from .moving_history import changed

_SQL = queries_beside(__file__)


class _Value(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class _Claimed(_Value, frozen=True):
    quantity: int


class _Code(_Value, frozen=True):
    pass


class _Contest(_Value, frozen=True):
    seed: str
    opened_at: datetime
    settled_at: datetime | None = None
    result: Any = None


class _Round(_Value, frozen=True):
    settled_at: datetime
    result: Any


class _Fill(_Value, frozen=True):
    version: int
    looked_at: int
    changed: int
    finished_at: datetime


async def take(
    connection: Connection, programme: Programme, lines: Sequence[tuple[int, OrganisationLine]]
) -> BatchResult:
    """Store the lines one by one. Overwrite what this server has generated for them but not used yet."""
    result = BatchResult()
    for number, line in lines:
        try:
            query, values = _row(programme.compiled.org_id, line)
            if await connection.fetchval(query, *values):
                result.accepted += 1
            elif await connection.fetchval(_SAME[query], *values):
                result.unchanged += 1
            else:
                raise changed()
        except PlauditError as error:
            result.errors.append((number, error))
    return result


# The query that stores a line, and the one that checks whether the same line is already stored.
_SAME = {
    _SQL.put_claimed: _SQL.same_claimed,
    _SQL.put_code: _SQL.same_code,
    _SQL.put_contest: _SQL.same_contest,
    _SQL.put_round: _SQL.same_round,
    _SQL.put_fill: _SQL.same_fill,
}


def _row(org_id: UUID, line: OrganisationLine) -> tuple[str, tuple[Any, ...]]:
    before, _, after = line.key.partition("/")
    if line.type in ("code", "expired_code", "round") and not after:
        raise invalid_fields([FieldError("key", f"must be two parts separated by a slash (got {line.key[:64]!r})")])
    match line.type:
        case "cap" | "stock":
            return _SQL.put_claimed, (org_id, line.type, line.key, convert(line.value, _Claimed).quantity)
        case "code" | "expired_code":
            convert(line.value, _Code)
            return _SQL.put_code, (org_id, before, after, "available" if line.type == "code" else "expired")
        case "contest":
            contest = convert(line.value, _Contest)
            result = None if contest.result is None else json_text(contest.result)
            seed = _bytes(contest.seed)
            return _SQL.put_contest, (org_id, line.key, seed, contest.opened_at, contest.settled_at, result)
        case "round":
            settled = convert(line.value, _Round)
            return _SQL.put_round, (org_id, before, after, settled.settled_at, json_text(settled.result))
        case "fill":
            fill = convert(line.value, _Fill)
            return _SQL.put_fill, (org_id, line.key, fill.version, fill.looked_at, fill.changed, fill.finished_at)
        case _:
            raise invalid_fields([FieldError("type", f"must be one of {', '.join(TYPES)} (got {line.type[:64]!r})")])


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise invalid_fields([FieldError("value.seed", "must be hexadecimal")]) from None
