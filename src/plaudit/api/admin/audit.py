"""The audit log: who changed what of the configuration, when, from what to what."""

from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import page_size, paged, read_cursor
from plaudit.api.http.schemas import INTEGER, TEXT, TIME, object_of, page_schema
from plaudit.api.http.wire import Json, time_text
from plaudit.documents.base import differences
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, invalid_fields
from plaudit.reads import audit

from .document_operations import hidden_from

NEWEST = 2**62


async def list_changes(call: Call) -> Json:
    """The changes, newest first; of one kind, one document or one author, if asked."""
    size = page_size(call.query)
    before, ordinal = read_cursor(call.query, tuple[int, int], (NEWEST, NEWEST))
    kind = call.query.get("kind")
    if kind is not None and kind not in KINDS:
        raise invalid_fields([FieldError("kind", f"must be one of {', '.join(KINDS)}")])
    filters = (kind, call.query.get("id"), call.query.get("changedBy"))
    async with call.services.pool.acquire() as connection:
        rows = await audit.fetch_page(connection, call.org_id, (before, ordinal), filters, size + 1)
    page, cursor = paged(rows, size, lambda audit_entry: (audit_entry.program_version, audit_entry.ordinal))
    shown = [
        {
            "kind": audit_entry.kind, "id": audit_entry.id, "change": audit_entry.change, "version": audit_entry.version,
            "programVersion": audit_entry.program_version, "changedAt": time_text(audit_entry.changed_at),
            "changedBy": audit_entry.changed_by, "changes": differences(audit_entry.before, audit_entry.after, hidden_from(call, KINDS[audit_entry.kind])),
        }
        for audit_entry in page
    ]  # fmt: skip
    return {"changes": shown, "cursor": cursor}


_CHANGE = object_of(
    {"kind": TEXT, "id": TEXT, "change": TEXT, "version": INTEGER, "changedAt": TIME, "changedBy": TEXT},
    {"changes": {"type": "array", "items": object_of({"field": TEXT})}},
)

OPERATIONS = [
    Operation(
        name="listAuditEntries", method="GET", path="/v1/audit", summary="List configuration changes",
        run=list_changes, scope="admin:read", tag="Audit log", answer=page_schema("changes", _CHANGE), errors=(400,),
        query=(
            Parameter("kind", "Only of this kind of document.", TEXT), Parameter("id", "Only of this document.", TEXT),
            Parameter("changedBy", "Only by this author.", TEXT), *PAGING,
        ),
    )
]  # fmt: skip
