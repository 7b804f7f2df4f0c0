"""The audit log: who changed what in the configuration, and when."""

from plaudit.api.http.operations import PAGING, Call, Operation, Parameter
from plaudit.api.http.schemas import TEXT
from plaudit.api.http.wire import time_text
from plaudit.api.views.audit import AuditEntry, AuditEntryList, FieldChange
from plaudit.api.views.base import Page
from plaudit.documents.base import differences
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, invalid_fields
from plaudit.reads import audit

from .document_operations import hidden_from

NEWEST = 2**62


async def list_changes(call: Call) -> Page:
    """Return the changes, newest first, filtered by kind, document and author."""
    page = call.page(tuple[int, int], (NEWEST, NEWEST))
    kind = call.query.get("kind")
    if kind is not None and kind not in KINDS:
        raise invalid_fields([FieldError("kind", f"must be one of {', '.join(KINDS)}")])
    filters = (kind, call.query.get("id"), call.query.get("changedBy"))
    async with call.connection() as connection:
        rows = await audit.fetch_page(connection, call.org_id, page.start, filters, page.limit)
    rows, cursor = page.cut(rows, lambda audit_entry: (audit_entry.program_version, audit_entry.ordinal))
    return AuditEntryList.of([_entry_view(call, audit_entry) for audit_entry in rows], cursor=cursor)


def _entry_view(call: Call, audit_entry: audit.AuditEntry) -> AuditEntry:
    hidden = hidden_from(call, KINDS[audit_entry.kind])
    changes = differences(audit_entry.before, audit_entry.after, hidden)
    return AuditEntry(
        kind=audit_entry.kind,
        id=audit_entry.id,
        change=audit_entry.change,
        version=audit_entry.version,
        program_version=audit_entry.program_version,
        changed_at=time_text(audit_entry.changed_at),
        changed_by=audit_entry.changed_by,
        changes=[FieldChange(field=change["field"], before=change["from"], after=change["to"]) for change in changes],
    )


OPERATIONS = [
    Operation(
        name="listAuditEntries", method="GET", path="/v1/audit", summary="List configuration changes",
        run=list_changes, scope="admin:read", tag="Audit log", response=AuditEntryList, errors=(400,),
        query=(
            Parameter("kind", "Only of this kind of document.", TEXT), Parameter("id", "Only of this document.", TEXT),
            Parameter("changedBy", "Only by this author.", TEXT), *PAGING,
        ),
    )
]  # fmt: skip
