"""The whole programme at once: read as one, and changed as one, in one transaction and one version."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.documents.base import differences
from plaudit.documents.configuration import (
    Key,
    Planned,
    Wanted,
    lost_references,
    planned,
    read_configuration,
    section_of,
)
from plaudit.documents.kinds import KINDS
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields

from . import documents
from .documents import SQL, Change
from .postgres import Connection, atomic

Docs = dict[Key, dict[str, Any]]


async def configuration(connection: Connection, org_id: UUID, version: int | None = None) -> Docs:
    """The canonical documents of a programme in their order: as it is now, or as it was at one of its versions."""
    if version is None:
        rows = await connection.fetch(SQL.all_now, org_id)
    else:
        rows = await connection.fetch(SQL.all_at_version, org_id, version)
        if not rows:
            raise NotFound("There is no such version of the programme", code="version_not_found")
    return {(row["kind"], row["id"]): msgspec.json.decode(row["doc"]) for row in rows}


async def read(connection: Connection, org_id: UUID, raw: Any) -> Wanted:
    """A programme as written, checked, with the names of what there is already. Raises Invalid."""
    there = await configuration(connection, org_id)
    return read_configuration(raw, {key: str(doc["name"]) for key, doc in there.items()})


async def plan(connection: Connection, org_id: UUID, wanted: Wanted, *, prune: bool) -> list[Planned]:
    """What would change. Raises Invalid for references that lead nowhere, and for what cannot be changed."""
    there = await configuration(connection, org_id)
    changes = planned(wanted, there, prune=prune)
    gone = {(one.kind, one.id) for one in changes if one.after is None}
    wrong = lost_references(wanted, (there.keys() - gone) | wanted.keys())
    wrong += [
        FieldError(f"{section_of(KINDS[one.kind])}.{one.id}.{name}", "cannot be changed")
        for one in changes
        if one.before is not None and one.after is not None
        for name in KINDS[one.kind].fixed
        if one.before.get(name) != one.after.get(name)
    ]
    if wrong:
        raise invalid_fields(wrong)
    return changes


async def apply(
    connection: Connection, org_id: UUID, wanted: Wanted, *, prune: bool, by: str, at: datetime
) -> list[Planned]:
    """Make the programme what is wanted: all of it or nothing. Answers what has changed."""
    async with atomic(connection):
        version = await connection.fetchval(SQL.next_program_version, org_id)
        changes = await plan(connection, org_id, wanted, prune=prune)
        for one in changes:
            change = Change(org_id=org_id, kind=KINDS[one.kind], id=one.id, by=by, at=at)
            if one.after is None:
                await documents.take_away(connection, change, version)
            else:
                document = msgspec.convert(one.after, KINDS[one.kind].type)
                await documents.put(connection, change, document, version, new=one.before is None)
        if changes:
            await _refuse_orphans(connection, org_id)
    return changes


async def _refuse_orphans(connection: Connection, org_id: UUID) -> None:
    rows = await connection.fetch(SQL.orphans, org_id)
    if rows:
        names = ", ".join(f"{row['to_kind']} {row['to_id']} (by {row['kind']} {row['id']})" for row in rows)
        details = [FieldError(row["field"], f"of {row['kind']} {row['id']}") for row in rows]
        raise Conflict(f"Something that is referred to would be gone: {names}", code="referred_to", fields=details)


def shown_plan(changes: list[Planned]) -> list[dict[str, Any]]:
    """The changes as they look outside: which fields, from what to what."""
    return [
        {"kind": one.kind, "id": one.id, "change": one.change, "fields": differences(one.before, one.after)}
        for one in changes
    ]
