"""The types of profile fields, and the checks of their values."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

from msgspec import Struct

from plaudit.bounds import wrong_zone
from plaudit.core.patterns import Pattern, PatternError
from plaudit.core.profile_fields import TIME_ZONE

FIELD_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a string"),
    "number": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "date": ((str,), "a date such as 2026-11-21"),
    "object": ((dict,), "an object"),
    "array": ((list,), "an array"),
    "select": ((str,), "a string"),
    "multi-select": ((list,), "an array"),
}


class Bounds(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The bounds of a value beyond its type."""

    min: float | None = None
    max: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


def default_error(
    name: str, kind: str, value: Any, options: Sequence[Any] | None = None, bounds: Bounds | None = None
) -> str | None:
    """Return why a value cannot be the default of the field `name`, or None."""
    return value_error(kind, value, options, bounds) or (wrong_zone(value) if name == TIME_ZONE else None)


def value_error(
    kind: str, value: Any, options: Sequence[Any] | None = None, bounds: Bounds | None = None
) -> str | None:
    """Return why a value has the wrong type, option or size, as `must …`, or None."""
    types, description = FIELD_TYPES[kind]
    if not isinstance(value, types) or (kind == "number" and isinstance(value, bool)):
        return f"must be {description}"
    if kind == "date" and not _is_date(value):
        return f"must be {description}"
    if options is not None:
        selected = cast("list[Any]", value) if kind == "multi-select" else [value]
        if any(item not in options for item in selected):
            return "must be one of " + ", ".join(map(str, options))
    return None if bounds is None else _out_of_bounds(value, bounds)


def _out_of_bounds(value: Any, bounds: Bounds) -> str | None:
    if isinstance(value, int | float):
        if bounds.min is not None and value < bounds.min:
            return f"must be at least {bounds.min:g}"
        if bounds.max is not None and value > bounds.max:
            return f"must be at most {bounds.max:g}"
    if isinstance(value, str):
        if bounds.min_length is not None and len(value) < bounds.min_length:
            return f"must have at least {bounds.min_length} characters"
        if bounds.max_length is not None and len(value) > bounds.max_length:
            return f"must have at most {bounds.max_length} characters"
        if bounds.pattern is not None and not _matches(bounds.pattern, value):
            return f"must be of the form {bounds.pattern}"
    return None


def _matches(pattern: str, value: str) -> bool:
    try:
        return Pattern(pattern).is_all_of(value)
    except PatternError:  # saved before patterns had to run in linear time: it accepts every value
        return True


def _is_date(text: str) -> bool:
    for type_ in (date, datetime):
        try:
            type_.fromisoformat(text)
        except ValueError:
            continue
        return True
    return False
