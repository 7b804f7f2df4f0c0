"""JSON Schemas of answers that have no type yet."""

from typing import Any

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
BOOLEAN = {"type": "boolean"}
TIME = {"type": "string", "format": "date-time"}
OBJECT: dict[str, Any] = {"type": "object"}
OBJECTS: dict[str, Any] = {"type": "array", "items": OBJECT}
NULLABLE_TEXT = {"type": ["string", "null"]}
NULLABLE_TIME = {"anyOf": [TIME, {"type": "null"}]}
# What brought something about (see plaudit/core/cause.py).
CAUSE_FIELDS: dict[str, Any] = {
    "campaignId": NULLABLE_TEXT,
    "cause": {
        "type": "object",
        "properties": {"kind": TEXT, "id": NULLABLE_TEXT},
        "required": ["id", "kind"],
    },
}


def object_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these properties."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": sorted(required),
    }


def page_schema(name: str, item: dict[str, Any]) -> dict[str, Any]:
    """A page of anything else."""
    return object_of({name: {"type": "array", "items": item}, "cursor": NULLABLE_TEXT})
