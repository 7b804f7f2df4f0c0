"""The bounds of all values that come from outside. For users, they are listed in docs/reference/values.md.

Bodies pass `check` when they are decoded. Parameters, headers, lines of files and claims of tokens are checked by the
same functions when they are read. A value beyond these bounds could not be stored (PostgreSQL's strings have no U+0000)
or used in calculations (an integer beyond 64 bits).
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfoNotFoundError

import idna
from msgspec import Meta, Struct
from msgspec.structs import astuple

from plaudit.core.periods import zone
from plaudit.core.triggers import TRIGGER_NAME
from plaudit.errors import FieldError, Invalid, invalid_fields

T = TypeVar("T")

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
NUMBER_MAX = 1e28  # formulas calculate with decimals of 28 digits
NESTING_MAX = 32
WRONG_MAX = 20  # fields that an error names
ID_MAX = 256
ADDRESS_MAX = 2_000
HOST_MAX = 253
TIME_EXAMPLE = "2026-01-31T12:00:00Z"  # errors show it as an example of a valid time
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)  # the end of 9999, which many clients use for "no end" (see core/periods.py)

_SHOWN_MAX = 64
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_WITH_PARTS = (dict, list, tuple, set, frozenset, Struct)
# Patterns of ids that clients choose. Clients remove "." and ".." from a path before they send it, so no call could name
# such an id. `$` alone would also match before a line feed at the end, which is a control character.
_END = r"$(?!\n)"
NOT_DOTS = r"(?!\.{1,2}$)"
DOCUMENT_ID = rf"^{NOT_DOTS}[A-Za-z0-9._-]{{1,64}}{_END}"
_ID = rf"^{NOT_DOTS}[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{{1,{ID_MAX}}}{_END}"
_EVENT_KEY = rf"^{NOT_DOTS}[\x21-\x7e]{{1,128}}{_END}"
# The pattern includes the length, so that there is one error for both. The schema lists the length separately.
_LENGTHS: dict[str, Any] = {"minLength": 1, "maxLength": ID_MAX}
# `id`: numbers are accepted and read as text (documents/lenient.py). `user`: identities are resolved to user ids.
UserId = Annotated[str, Meta(pattern=_ID, extra_json_schema=_LENGTHS, extra={"id": True, "user": True})]
# A user id or identity that the operation resolves itself.
AnyName = Annotated[str, Meta(pattern=_ID, extra_json_schema=_LENGTHS, extra={"id": True})]
EventKey = Annotated[str, Meta(pattern=_EVENT_KEY, extra={"id": True})]


# -------------------------------------------------------------------------------------------------- bodies as a whole


def check(body: Any) -> None:
    """Raise Invalid if a decoded body (a struct or any JSON value) contains a value out of bounds."""
    if not _fits(body, 0):
        refuse(body)


def refuse(body: Any) -> None:
    """Raise the error for the values of `body` that are out of bounds, if there are any."""
    if not _is_shallow(body):
        raise too_deep()
    wrong = wrong_values(body)
    if wrong:
        raise invalid_fields(wrong)


def fitting(value: T) -> T | Invalid:
    """Return the value if it is within the bounds, or else the error: for batches whose items are refused separately."""
    try:
        check(value)
    except Invalid as error:
        return error
    return value


def too_deep() -> Invalid:
    """Return the error for a value that is nested too deeply."""
    return Invalid(f"The body is nested too deeply: at most {NESTING_MAX} levels", code="nested_too_deep")


def wrong_values(value: Any, at: str = "") -> list[FieldError]:
    """Return the errors of a value, with their paths. The value must not be nested too deeply."""
    errors: list[FieldError] = []
    for error in _wrong_in(value, at):
        errors.append(error)
        if len(errors) == WRONG_MAX:
            break
    return errors


def _fits(value: Any, depth: int) -> bool:
    """Return whether all values in `value` are within bounds. It runs for every action, so common types are inlined."""
    kind = value.__class__
    if kind is dict:
        for key in value:
            if key.__class__ is not str or "\0" in key or not (key.isascii() or wrong_text(key) is None):
                return False
        parts = value.values()
    elif kind is list or kind is tuple or kind is set or kind is frozenset:
        parts = value
    elif isinstance(value, Struct):
        parts = astuple(value)
    else:
        return wrong_scalar(value) is None
    if depth > NESTING_MAX:
        return False
    for part in parts:
        of = part.__class__
        if of is str:
            if "\0" in part or not (part.isascii() or wrong_text(part) is None):
                return False
        elif of is int:
            if not INTEGER_MIN <= part <= INTEGER_MAX:
                return False
        elif of is float:
            if not -NUMBER_MAX <= part <= NUMBER_MAX:
                return False
        elif part and of is not bool and not _fits(part, depth + 1):
            return False
    return True


def _is_shallow(value: Any) -> bool:
    """Return whether a value is not nested too deeply. Recursion could exceed the stack, so it goes level by level."""
    level = [value]
    for _ in range(NESTING_MAX + 1):
        level = [part for item in level for _, part in _parts_of(item) if isinstance(part, _WITH_PARTS)]
        if not level:
            return True
    return False


def _wrong_in(value: Any, at: str) -> Iterator[FieldError]:
    message = wrong_scalar(value)
    if message is not None:
        yield FieldError(at, message)
    for name, part in _parts_of(value):
        if name.__class__ is int:
            yield from _wrong_in(part, f"{at}[{name}]")
            continue
        printable = str(name).replace("\0", "\\u0000").encode(errors="backslashreplace").decode()
        place = f"{at}.{printable}" if at else printable
        if wrong_text(str(name)) is not None:
            yield FieldError(place, "must have a name without U+0000 and unpaired surrogates")
        yield from _wrong_in(part, place)


def _parts_of(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value).items()
    if isinstance(value, list | tuple | set | frozenset):
        return enumerate(cast("Iterable[Any]", value))
    if isinstance(value, Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return [(outside, getattr(value, inside)) for outside, inside in names]
    return ()


# -------------------------------------------------------------------------------------------------------- one value


def wrong_scalar(value: Any) -> str | None:
    """Return why a single value is refused, as `must …`, or None if it is valid or a container."""
    if isinstance(value, str):
        return wrong_text(value)
    if isinstance(value, int | float):
        return wrong_number(value)
    return wrong_time(value) if isinstance(value, datetime) else None


def wrong_text(text: str) -> str | None:
    """Return why a string is refused (U+0000, or half of a surrogate pair), or None."""
    if "\0" in text:
        return "must not contain the NUL character (U+0000)"
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must not contain unpaired surrogates (U+D800 to U+DFFF)"
    return None


def wrong_number(value: float) -> str | None:
    """Return why a number is refused, or None."""
    if isinstance(value, int):
        if INTEGER_MIN <= value <= INTEGER_MAX:
            return None
        return f"must be an integer of 64 bits, from -2^63 to 2^63 - 1 (got {_integer_text(value)})"
    if isfinite(value) and abs(value) <= NUMBER_MAX:
        return None
    return f"must be a number from -10^28 to 10^28 (got {value})"


def number_in(text: str) -> int | float | None:
    """Return the number that a string represents, or None if it is not a number or out of bounds."""
    if len(text) > _SHOWN_MAX or not text.isascii():
        return None
    try:
        number = int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None
    return number if wrong_number(number) is None else None


def wrong_time(instant: datetime) -> str | None:
    """Return why a time is refused, or None. A time without a zone counts as UTC."""
    naive = instant.tzinfo is None
    if EARLIEST <= (instant.replace(tzinfo=UTC) if naive else instant) <= LATEST:
        return None
    return f"must be from {EARLIEST.year} to {LATEST.year}, by UTC (got {instant.isoformat()})"


def wrong_id(text: str, longest: int = ID_MAX) -> str | None:
    """Return why a string cannot be a client's own id, such as a user's or an event's, or None."""
    if len(text) <= longest and re.search(_ID, text):
        return None
    return f"must be {_id_wanted(longest)}"


def _id_wanted(longest: int) -> str:
    return f"a string of 1 to {longest} characters, without control characters, and not '.' or '..'"


# The patterns of ids, in words.
WANTED: Mapping[str, str] = {
    _ID: _id_wanted(ID_MAX),
    _EVENT_KEY: "a string of 1 to 128 printable ASCII characters without spaces, and not '.' or '..'",
    TRIGGER_NAME: "a string of 1 to 128 letters, digits or characters of '._:-'",
    DOCUMENT_ID: "a string of 1 to 64 letters, digits, dots, hyphens or underscores, and not '.' or '..'",
}


def wrong_zone(name: Any) -> str | None:
    """Return why a value is not the name of a time zone, or None."""
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        return f"must be an IANA time zone such as Europe/Berlin (got {error_value(name)})"
    return None


def wrong_address(url: str, schemes: tuple[str, ...] = ("https",)) -> str | None:
    """Return why a string is not a URL to call, or None: scheme, host (by IDNA), port, no user name."""
    message = f"must be an {' or '.join(schemes)} URL with a host, without credentials (got {error_value(url)})"
    if not 1 <= len(url) <= ADDRESS_MAX or not url.isprintable() or " " in url:
        return message
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in schemes or parts.username is not None or port == 0 or not is_host(host):
            return message
    except ValueError:  # from urlsplit or IDNA
        return message
    return None


def is_host(host: str) -> bool:
    """Return whether a string is a host name (by IDNA) or an IPv4 or IPv6 address."""
    try:
        if ":" in host:
            return ipaddress.IPv6Address(host).scope_id is None
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (ValueError, UnicodeError):
        return False
    return len(name) <= HOST_MAX and _HOST.fullmatch(name) is not None


def error_value(value: Any) -> str:
    """Return a value for the `(got …)` of an error: shortened, and without control characters."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _integer_text(value: int) -> str:
    return str(value) if value.bit_length() < 256 else f"one of {value.bit_length()} bits"


# The table for users: a kind of value, its bound, and the error message.
TABLE: Sequence[tuple[str, str, str]] = (
    (
        "text",
        "Unicode without U+0000 and without halves of surrogate pairs",
        "must not contain the NUL character (U+0000)",
    ),
    ("integer", f"64 bits: {INTEGER_MIN:,} to {INTEGER_MAX:,}", "must be an integer of 64 bits, …"),
    ("number", "-10^28 to 10^28; neither NaN nor infinite", "must be a number from -10^28 to 10^28"),
    (
        "time",
        f"the years {EARLIEST.year} to {LATEST.year}, by UTC",
        f"must be from {EARLIEST.year} to {LATEST.year}, by UTC",
    ),
    ("time of a token (`exp`, `iat`, `nbf`)", "seconds since 1970, to the year 9999", "401 `token_invalid`"),
    ("time zone", "a name of the IANA database", "must be an IANA time zone such as Europe/Berlin"),
    (
        "user id",
        f"1 to {ID_MAX} characters, no control characters, not `.` or `..`",
        f"must be a string of 1 to {ID_MAX} characters, …",
    ),
    ("event id", "1 to 128 printable ASCII characters without spaces, not `.` or `..`", "must be a string …"),
    (
        "id of a document",
        "1 to 64 letters, digits, dots, hyphens or underscores; not `.` or `..`",
        "must be a string …",
    ),
    (
        "address (`url`, `endpoint`, `jwksUrl`)",
        f"at most {ADDRESS_MAX:,} characters; a host by IDNA or an IP address, a port from 1 to 65,535, no user name",
        "must be an https URL with a host, without credentials",
    ),
    ("nesting", f"at most {NESTING_MAX} levels below the body", "`nested_too_deep`"),
)


NUL_IN_JSON = r"\u0000"


def without_nul(value: Any) -> Any:
    """Return a value without U+0000 in its strings and names. Earlier versions could store it."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name.replace("\0", ""): without_nul(item) for name, item in fields.items()}
    if isinstance(value, list):
        return [without_nul(item) for item in cast("list[Any]", value)]
    return value.replace("\0", "") if isinstance(value, str) else value
