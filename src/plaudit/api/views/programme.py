"""Response types of the operations on the whole programme."""

from typing import Any, cast

from msgspec import UNSET, UnsetType, defstruct

from plaudit.documents.base import DocumentKind
from plaudit.documents.programme_file import SECTIONS, SINGLE

from .audit import FieldChange
from .base import View
from .documents import TYPES, snake_case


class PlannedChange(View):
    """A document that is created, updated or deleted, and the fields that differ."""

    kind: str
    id: str
    change: str
    fields: list[FieldChange]


class ProgrammeChanges(View):
    """The changes that were made, or would be with `dryRun`, and the programme's version."""

    dry_run: bool
    changes: list[PlannedChange]
    program_version: int


def _section(kind: DocumentKind) -> Any:
    """Return the type of a section of the file: a kind's documents by id, or the only document."""
    document = TYPES[kind.name].update
    return document if kind.name in SINGLE else dict[str, document]  # pyright: ignore[reportInvalidTypeForm]


ProgrammeFile = cast(
    "type[View]",
    defstruct(
        "ProgrammeFile",
        [(snake_case(section), _section(kind) | UnsetType, UNSET) for section, kind in SECTIONS.items()],
        bases=(View,),
        kw_only=True,
        rename="camel",
        namespace={"__doc__": "A whole programme: its documents by their ids, in sections. Defaults are left out."},
    ),
)
