"""Import the document versions of an organisation that moves here: its current programme and all earlier ones."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from plaudit.documents.export_lines import AuditLine
from plaudit.documents.kinds import KINDS
from plaudit.engine.rows import json_text
from plaudit.errors import Conflict, FieldError, PlauditError, invalid_fields
from plaudit.reads.exports import audit_line
from plaudit.storage import documents
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme, announce_change, reach_version
from plaudit.storage.queries import queries_beside

from .batch import BatchResult
from .moving_history import changed

_SQL = queries_beside(__file__)

CHANGES = ("created", "updated", "deleted")
Key = tuple[str, str, int]


async def take(connection: Connection, programme: Programme, lines: Sequence[tuple[int, AuditLine]]) -> BatchResult:
    """Store versions, and the documents as of their latest versions.

    The organisation must be new: its standard documents are replaced, as long as it has nothing else on this server.
    """
    org_id, result = programme.compiled.org_id, BatchResult()
    valid: list[tuple[int, AuditLine]] = []
    for number, line in lines:
        wrong = _wrong_fields(line)
        if wrong:
            result.errors.append((number, invalid_fields(wrong)))
        else:
            valid.append((number, line))
    await documents.lock_organisation(connection, org_id)
    existing = await _existing_versions(connection, org_id, [line for _, line in valid])
    differs = any(existing.get(_key(line), line) != line for _, line in valid)
    last = await connection.fetchrow(_SQL.last_version, org_id)
    if (
        valid
        and (differs or not existing)
        and last is not None
        and await connection.fetchval(_SQL.is_untouched, org_id)
    ):
        await connection.execute(_SQL.clear, org_id)
        existing, last = {}, None
    end = (-1, -1) if last is None else (last["program_version"], last["ordinal"])
    new: list[AuditLine] = []
    for number, line in valid:
        known = existing.get(_key(line))
        try:
            if known is not None and known != line:
                raise changed()
            if known is None and (line.program_version, line.ordinal) < end:
                raise Conflict("The organisation has a later programme of its own here", code="programme_exists")
        except PlauditError as error:
            result.errors.append((number, error))
            continue
        if known is None:
            new.append(line)
            existing[_key(line)] = line
        result.accepted += known is None
        result.unchanged += known is not None
    if new:
        await _write(connection, org_id, new)
    return result


def _wrong_fields(line: AuditLine) -> list[FieldError]:
    wrong: list[FieldError] = []
    if line.kind not in KINDS:
        wrong.append(FieldError("kind", f"must be one of {', '.join(KINDS)} (got {line.kind[:64]!r})"))
    if line.change not in CHANGES:
        wrong.append(FieldError("change", f"must be one of {', '.join(CHANGES)} (got {line.change[:64]!r})"))
    if (line.document is None) != (line.change == "deleted"):
        wrong.append(FieldError("document", "is required, except after a deletion"))
    return wrong


def _key(line: AuditLine) -> Key:
    return line.kind, line.id, line.program_version


async def _existing_versions(connection: Connection, org_id: UUID, lines: Sequence[AuditLine]) -> dict[Key, AuditLine]:
    keys = [[getattr(line, name) for line in lines] for name in ("kind", "id", "program_version")]
    stored = [audit_line(row) for row in await connection.fetch(_SQL.existing_versions, org_id, *keys)]
    return {_key(line): line for line in stored}


async def _write(connection: Connection, org_id: UUID, lines: Sequence[AuditLine]) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            line.kind, line.id, line.version, line.ordinal, line.program_version, line.change,
            None if line.document is None else json_text(line.document), line.changed_at,
            line.changed_by,
        )
        for line in lines
    ]  # fmt: skip
    await connection.execute(_SQL.insert_versions, org_id, *(list(column) for column in zip(*rows, strict=True)))
    last = {(line.kind, line.id): line for line in lines}
    kinds, ids = [kind for kind, _ in last], [name for _, name in last]
    await connection.execute(_SQL.forget_documents, org_id, kinds, ids)
    await connection.execute(_SQL.put_documents, org_id, kinds, ids)
    await connection.fetchval(_SQL.advance_ordinal)
    for line in last.values():
        if line.document is not None:
            await documents.refer(connection, org_id, KINDS[line.kind], line.id, line.document)
    await reach_version(connection, org_id, max(line.program_version for line in lines))
    await announce_change(connection, org_id)
