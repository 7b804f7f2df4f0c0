"""Check a document's references: missing documents, pools without codes, amounts that metrics cannot hold."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit.documents.amounts import decimals_in, metrics_of, misfits
from plaudit.documents.base import Document, DocumentKind, Reference
from plaudit.documents.existing import OWN_PARTS, Docs, clashes, existence_errors, existing_in, keys_of, read_docs
from plaudit.documents.field_reads import field_reads_of, field_writes_of
from plaudit.documents.reward import Reward
from plaudit.errors import Conflict, FieldError

from .postgres import Connection
from .queries import queries_beside

_SQL = queries_beside(__file__)


class Own(Struct, frozen=True):
    """The document to check: its id, its previous version, and the stored document whose errors are accepted."""

    id: str
    before: dict[str, Any] | None
    over: dict[str, Any] | None


async def wrong_references(
    connection: Connection, org_id: UUID, kind: DocumentKind, document: Document, own: Own
) -> list[FieldError]:
    """Return the errors of a document's references and paths, except those that its previous version had too."""
    rows = await connection.fetch(_SQL.keys, org_id, OWN_PARTS)
    keys = frozenset((row["kind"], row["id"]) for row in rows)
    doc = msgspec.to_builtins(document)
    wrong = clashes(kind.name, own.id, doc, own.before, keys)
    docs: Docs = {(kind.name, own.id): doc}
    if field_reads_of(document) or field_writes_of(document):
        docs = read_docs(await connection.fetch(_SQL.documents_that_define_fields, org_id)) | docs
    existing = existing_in(keys, docs, keys_of({(kind.name, own.id): doc}))
    lost = existence_errors(kind, document, existing, own.over)
    if isinstance(document, Reward) and not lost:
        references = [reference for reference in kind.references(document) if reference.required]
        wrong += await _empty_pools(connection, org_id, references, own.over)
    return [*wrong, *lost, *await _wrong_amounts(connection, org_id, kind, document, own.over)]


async def _empty_pools(
    connection: Connection, org_id: UUID, references: Sequence[Reference], over: dict[str, Any] | None
) -> list[FieldError]:
    """Return the errors of references to empty pools, unless the reward had that pool before."""
    wrong: list[FieldError] = []
    for reference in references:
        if reference.kind != "code_pool" or (over is not None and over["config"].get("codePoolId") == reference.id):
            continue
        if not await connection.fetchval(_SQL.pool_has_codes, org_id, reference.id):
            message = f"must reference a code pool with available codes (got {reference.id!r}, which has none)"
            wrong.append(FieldError(reference.field, message))
    return wrong


async def _wrong_amounts(
    connection: Connection, org_id: UUID, kind: DocumentKind, document: Document, over: dict[str, Any] | None
) -> Sequence[FieldError]:
    """Return the errors of amounts that their metrics cannot hold."""
    metrics = metrics_of(kind, document)
    if not metrics:
        return ()
    rows = await connection.fetch(_SQL.metrics_of, org_id, list(metrics))
    decimals = decimals_in(("metric", row["id"], msgspec.json.decode(row["doc"])) for row in rows)
    return misfits(kind, document, decimals, over)


async def refuse_referred_to(
    connection: Connection, org_id: UUID, kind: DocumentKind, document_id: str, parts: Sequence[str] | None = None
) -> None:
    """Raise Conflict if other documents refer to this one, or only to these `parts` of it."""
    kinds = [kind.name, *(OWN_PARTS if kind.name == "campaign" else ())] if parts is None else parts
    referring = await connection.fetch(_SQL.referring, org_id, kinds, document_id, kind.name)
    if referring:
        names = ", ".join(f"{row['kind']} {row['id']} ({row['field']})" for row in referring)
        details = [FieldError(row["field"], f"of {row['kind']} {row['id']}") for row in referring]
        raise Conflict(f"{kind.title} {document_id} is still used by {names}", code="referred_to", fields=details)
