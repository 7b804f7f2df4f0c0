"""Response types of the audit log."""

from typing import Any

import msgspec

from .base import Time, View, page_of


class FieldChange(View):
    """A field of a document that was changed, such as `effects[0].config.amount`."""

    field: str
    before: Any = msgspec.field(name="from")
    after: Any = msgspec.field(name="to")


class AuditEntry(View):
    """One change of one document."""

    kind: str
    id: str
    change: str
    version: int
    program_version: int
    changed_at: Time
    changed_by: str
    changes: list[FieldChange]


AuditEntryList = page_of(AuditEntry, "changes")
