"""JSON Schemas for what has no type, such as query parameters and the error of the token exchange."""

from typing import Any

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}


def object_of(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of an object with these properties."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": sorted(required),
    }
