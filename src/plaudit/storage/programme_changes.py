"""Read and replace an organisation's whole programme, in one transaction and as one version."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from plaudit.documents.base import differences, fixed_fields_changed
from plaudit.documents.existing import keys_of
from plaudit.documents.kinds import KINDS
from plaudit.documents.programme_file import (
    DesiredDocuments,
    Key,
    PlannedChange,
    amount_errors,
    plan_changes,
    read_configuration,
    reference_errors,
    section_of,
)
from plaudit.errors import Conflict, FieldError, NotFound, invalid_fields

from . import documents
from .documents import Change
from .postgres import Connection, atomic
from .programmes import fetch_documents
from .queries import queries_beside

_SQL = queries_beside(__file__)

Docs = dict[Key, dict[str, Any]]


async def current_documents(connection: Connection, org_id: UUID, version: int | None = None) -> Docs:
    """Return a programme's canonical documents in order, as of now or of one of its versions. Raise NotFound."""
    rows = await fetch_documents(connection, org_id, version)
    if version is not None and not rows:
        raise NotFound("No such programme version", code="version_not_found")
    return {(row["kind"], row["id"]): msgspec.json.decode(row["doc"]) for row in rows}


async def read(connection: Connection, org_id: UUID, raw: Any) -> DesiredDocuments:
    """Return a submitted programme, validated over the stored one. Raise Invalid."""
    return read_configuration(raw, await current_documents(connection, org_id))


async def plan(connection: Connection, org_id: UUID, desired: DesiredDocuments, *, prune: bool) -> list[PlannedChange]:
    """Return the changes that lead to the desired programme. Raise Invalid for broken references and fixed fields."""
    current = await current_documents(connection, org_id)
    changes = plan_changes(desired, current, prune=prune)
    removed = {(change.kind, change.id) for change in changes if change.after is None}
    wrong = reference_errors(desired, current, removed)
    wrong += amount_errors(desired, current)
    wrong += [
        FieldError(f"{section_of(KINDS[change.kind])}.{change.id}.{name}", "cannot be changed")
        for change in changes
        if change.before is not None and change.after is not None
        for name in fixed_fields_changed(KINDS[change.kind], change.before, change.after)
    ]
    if wrong:
        raise invalid_fields(wrong)
    return changes


async def apply(
    connection: Connection,
    org_id: UUID,
    desired: DesiredDocuments,
    *,
    prune: bool,
    by: str,
    at: datetime,
    scopes: frozenset[str] | None = None,
) -> list[PlannedChange]:
    """Replace the programme by the desired one, whole or not at all. Return what has changed.

    `scopes` are the author's permissions; None for the operator.
    """
    async with atomic(connection):
        await documents.lock_organisation(connection, org_id)
        changes = await plan(connection, org_id, desired, prune=prune)
        if not changes:
            return []
        version = await documents.next_version(connection, org_id)
        for planned_change in changes:
            change = Change(
                org_id=org_id, kind=KINDS[planned_change.kind], id=planned_change.id, by=by, at=at, scopes=scopes
            )
            if planned_change.after is None:
                await documents.remove(connection, change, version)
            else:
                document = msgspec.convert(planned_change.after, KINDS[planned_change.kind].type)
                await documents.write(connection, change, document, version, new=planned_change.before is None)
        await _refuse_orphans(connection, org_id, changes)
    return changes


async def _refuse_orphans(connection: Connection, org_id: UUID, changes: list[PlannedChange]) -> None:
    """Raise Conflict if a document refers to something that the changes remove."""
    before = {(change.kind, change.id): change.before for change in changes if change.before is not None}
    after = {(change.kind, change.id): change.after for change in changes if change.after is not None}
    removed = sorted(keys_of(before) - keys_of(after))
    if not removed:
        return
    rows = await connection.fetch(
        _SQL.orphans, org_id, [kind for kind, _ in removed], [document_id for _, document_id in removed]
    )
    if rows:
        names = ", ".join(f"{row['to_kind']} {row['to_id']} (by {row['kind']} {row['id']})" for row in rows)
        details = [FieldError(row["field"], f"of {row['kind']} {row['id']}") for row in rows]
        raise Conflict(f"These documents would refer to deleted ones: {names}", code="referred_to", fields=details)


def describe_plan(changes: list[PlannedChange], *, personal: bool = True) -> list[dict[str, Any]]:
    """Return the changes as the API shows them: each field's old and new value. Without `personal`, omit members' ids."""
    hidden = {kind.name: frozenset[str]() if personal else kind.personal for kind in KINDS.values()}
    return [
        {
            "kind": change.kind,
            "id": change.id,
            "change": change.change,
            "fields": differences(change.before, change.after, hidden[change.kind]),
        }
        for change in changes
    ]
