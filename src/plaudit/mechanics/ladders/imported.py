"""The rung that an imported member brings."""

from datetime import datetime

from msgspec import Struct

from plaudit.core.context import Context

from . import rules
from .compiled import ladders_in
from .refusals import LadderRefusal


class ImportedRung(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A rung by its id; given by hand when it has an end."""

    rung: str
    until: datetime | None = None


def spelled_out(brought: str | ImportedRung) -> ImportedRung:
    """Return a rung of which only the id may be written."""
    return brought if isinstance(brought, ImportedRung) else ImportedRung(brought)


def bring_in(context: Context, ladder_id: str, brought: ImportedRung) -> LadderRefusal | None:
    """Put a member on the rung that they bring."""
    ladder = ladders_in(context.program).get(ladder_id)
    if ladder is None:
        return LadderRefusal.ladder_not_found
    return rules.import_rung(context, ladder, brought.rung, brought.until)
