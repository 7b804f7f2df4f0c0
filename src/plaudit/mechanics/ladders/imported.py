"""Imports a member's rung on a ladder."""

from datetime import datetime

from msgspec import Struct

from plaudit.core.context import Context

from . import rules
from .compiled import ladders_in
from .refusals import LadderRefusal


class ImportedRung(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A rung's id. A rung with an end is a manual override."""

    rung: str
    until: datetime | None = None


def to_import_order(value: str | ImportedRung) -> ImportedRung:
    """Return an import record's value, which may be just the rung's id, as a rung."""
    return value if isinstance(value, ImportedRung) else ImportedRung(value)


def import_rung(context: Context, ladder_id: str, record: ImportedRung) -> LadderRefusal | None:
    """Put a member on the imported rung of a ladder."""
    ladder = ladders_in(context.program).get(ladder_id)
    if ladder is None:
        return LadderRefusal.ladder_not_found
    return rules.import_rung(context, ladder, record.rung, record.until)
