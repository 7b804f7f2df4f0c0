"""Read-only fields in requests: an unchanged value is ignored, a changed one is refused.

This lets clients PUT what a GET returned.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from plaudit.errors import FieldError, invalid_fields

from .wire import Json

GOT_MAX = 64


def writable(body: Any, current: Json, read_only: Collection[str]) -> Any:
    """Return a body without its read-only fields. Raise Invalid for those that differ from `current`."""
    if not isinstance(body, dict) or not body.keys() & set(read_only):  # pyright: ignore[reportUnknownMemberType]
        return body  # pyright: ignore[reportUnknownVariableType]
    fields: Json = dict(body)  # pyright: ignore[reportUnknownArgumentType]
    plain: Json = msgspec.json.decode(msgspec.json.encode(current))
    wrong = [
        FieldError(name, f"is read-only: it must be as it was returned, or absent (got {_short(fields[name])})")
        for name in sorted(read_only)
        if name in fields and (name not in plain or fields[name] != plain[name])
    ]
    if wrong:
        raise invalid_fields(wrong)
    return {name: value for name, value in fields.items() if name not in read_only}


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= GOT_MAX else f"{text[:GOT_MAX]}…"
