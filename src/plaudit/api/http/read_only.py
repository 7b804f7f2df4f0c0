"""What a response shows and a request cannot change: sent back as it was, it says nothing; changed, it is refused.

So what a GET returned can be sent by PUT as it is.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from plaudit.errors import FieldError, invalid_fields

from .wire import Json

GOT_MAX = 64


def writable(body: Any, shown: Json, read_only: Collection[str]) -> Any:
    """Return a body without its read-only fields. Raise Invalid for those that are not as `shown`."""
    if not isinstance(body, dict) or not body.keys() & set(read_only):  # pyright: ignore[reportUnknownMemberType]
        return body  # pyright: ignore[reportUnknownVariableType]
    given: Json = dict(body)  # pyright: ignore[reportUnknownArgumentType]
    plain: Json = msgspec.json.decode(msgspec.json.encode(shown))
    wrong = [
        FieldError(name, f"is read-only: it must be as it was returned, or absent (got {_short(given[name])})")
        for name in sorted(read_only)
        if name in given and (name not in plain or given[name] != plain[name])
    ]
    if wrong:
        raise invalid_fields(wrong)
    return {name: value for name, value in given.items() if name not in read_only}


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= GOT_MAX else f"{text[:GOT_MAX]}…"
