"""JSON Schemas of answers: of documents as they look outside, of lists, of messages."""

from typing import Any

import msgspec

from plaudit.documents.base import DocumentKind

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
TIME = {"type": "string", "format": "date-time"}
OBJECT: dict[str, Any] = {"type": "object"}
OBJECTS: dict[str, Any] = {"type": "array", "items": OBJECT}
NULLABLE_TEXT = {"type": ["string", "null"]}
NULLABLE_TIME = {"anyOf": [TIME, {"type": "null"}]}

# Where a document looks different outside than it is kept (documents/dialects.py).
_OUTSIDE: dict[str, dict[str, Any]] = {
    "campaign": {"triggers": OBJECTS},
    "rule": {"effects": OBJECTS},
}


def object_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these properties."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": sorted(required),
    }


def document_schema(kind: DocumentKind) -> dict[str, Any]:
    """A document of a kind as it looks outside."""
    own = {field.encode_name: {"$of": field.type} for field in msgspec.structs.fields(kind.type)}
    around = {
        "orgId": TEXT,
        kind.id_field: TEXT,
        "version": INTEGER,
        "createdAt": TIME,
        "updatedAt": TIME,
        "createdBy": TEXT,
    }
    sometimes = {"outOfForce": TEXT}  # why a stored document cannot be compiled, if so: then it has no effect
    return {**object_of(around, own | sometimes | _OUTSIDE.get(kind.name, {})), "$title": kind.title.replace(" ", "")}


def list_schema(kind: DocumentKind, item: dict[str, Any]) -> dict[str, Any]:
    """A page of documents."""
    return object_of({kind.list_name: {"type": "array", "items": item}, "count": INTEGER, "cursor": NULLABLE_TEXT})


def page_schema(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """A page of anything else."""
    return object_of({name: {"type": "array", "items": item}, "cursor": NULLABLE_TEXT})


def message_schema() -> dict[str, Any]:
    """An answer that only says that it is done."""
    return object_of({"message": TEXT})


def versions_schema() -> dict[str, Any]:
    """A page of a document's versions."""
    version = {
        "version": INTEGER,
        "programVersion": INTEGER,
        "change": TEXT,
        "changedAt": TIME,
        "changedBy": TEXT,
    }
    return page_schema("versions", object_of(version, {"document": {"type": ["object", "null"]}}))
