"""The base of response types, and the format of times."""

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct

# A time as it is sent: RFC 3339 in milliseconds, from `time_text`.
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class View(Struct, kw_only=True, rename="camel"):
    """The base of all response types. A field that is UNSET is left out of the response."""


def time_text(instant: datetime) -> str:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def optional_time(instant: datetime | None) -> str | None:
    """Return a time as `time_text` does, or None for None."""
    return None if instant is None else time_text(instant)
