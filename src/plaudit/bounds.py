"""What a value from outside may be: the one place that says so. Its table for users is docs/reference/values.md.

Bodies pass `check` where they are decoded; parameters, headers, lines of files and claims of tokens are checked where
they are read, by the same functions. Beyond these bounds, something behind the API could not keep the value (PostgreSQL's
texts have no U+0000), or not reckon with it (an integer beyond 64 bits).
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
NUMBER_MAX = 1e28  # decimals with 28 digits are what formulas reckon with
NESTING_MAX = 32
WRONG_MAX = 20  # as many fields as an error names
ID_MAX = 256
ADDRESS_MAX = 2_000
HOST_MAX = 253
TIME_EXAMPLE = "2026-01-31T12:00:00Z"  # how errors say what a time looks like
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)  # the last of 9999, which is how many write "no end" (see core/periods.py)

_SHOWN_MAX = 64
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_WITH_PARTS = (dict, list, tuple, set, frozenset, Struct)
# Ids of clients' own. They take "." and ".." out of a path before they send it, so no call could name what is called that.
# And `$` also matches before a line feed at the end, which is a control character.
_END = r"$(?!\n)"
NOT_DOTS = r"(?!\.{1,2}$)"
DOCUMENT_ID = rf"^{NOT_DOTS}[A-Za-z0-9._-]{{1,64}}{_END}"
_ID = rf"^{NOT_DOTS}[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{{1,{ID_MAX}}}{_END}"
_EVENT_KEY = rf"^{NOT_DOTS}[\x21-\x7e]{{1,128}}{_END}"
# The length is in the pattern, so that an error has one sentence; the schema tells it apart.
_LENGTHS: dict[str, Any] = {"minLength": 1, "maxLength": ID_MAX}
# Marked, so that a number is read as its decimal text (documents/lenient.py), and a name by which another id goes.
UserId = Annotated[str, Meta(pattern=_ID, extra_json_schema=_LENGTHS, extra={"id": True, "user": True})]
# The same for a name that the call looks up itself.
AnyName = Annotated[str, Meta(pattern=_ID, extra_json_schema=_LENGTHS, extra={"id": True})]
EventKey = Annotated[str, Meta(pattern=_EVENT_KEY, extra={"id": True})]


# -------------------------------------------------------------------------------------------------- bodies as a whole


def check(body: Any) -> None:
    """Refuse a decoded body, a struct or any JSON value, with a value out of bounds. Raise Invalid."""
    if not _fits(body, 0):
        refuse(body)


def refuse(body: Any) -> None:
    """Raise the error for whatever `body` has beyond the bounds, if anything."""
    if not _is_shallow(body):
        raise too_deep()
    wrong = wrong_values(body)
    if wrong:
        raise invalid_fields(wrong)


def fitting(value: T) -> T | Invalid:
    """Return a value that is within the bounds; else the error, for one of several of which each is refused alone."""
    try:
        check(value)
    except Invalid as error:
        return error
    return value


def too_deep() -> Invalid:
    """Return the error for a value that is nested too deeply."""
    return Invalid(f"The body is nested too deeply: at most {NESTING_MAX} levels", code="nested_too_deep")


def wrong_values(value: Any, at: str = "") -> list[FieldError]:
    """Return the errors of a value that is not nested too deeply, by path."""
    found: list[FieldError] = []
    for wrong in _wrong_in(value, at):
        found.append(wrong)
        if len(found) == WRONG_MAX:
            break
    return found


def _fits(value: Any, depth: int) -> bool:
    """Return whether all values in `value` are within bounds. Called for every action: the usual ones need no further call."""
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
    """Return whether a value is not nested too deeply: level by level, as it may exceed the stack."""
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
    """Return why a single value is refused, as `must …`, or None for a valid one or a container."""
    if isinstance(value, str):
        return wrong_text(value)
    if isinstance(value, int | float):
        return wrong_number(value)
    return wrong_time(value) if isinstance(value, datetime) else None


def wrong_text(text: str) -> str | None:
    """Return why a string is refused: U+0000, or half of a surrogate pair."""
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
    """Return the number in a text, as in JSON, or None if it is none or out of bounds."""
    if len(text) > _SHOWN_MAX or not text.isascii():
        return None
    try:
        number = int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return None
    return number if wrong_number(number) is None else None


def wrong_time(instant: datetime) -> str | None:
    """Return why an instant is refused, or None; one without a zone counts as UTC."""
    naive = instant.tzinfo is None
    if EARLIEST <= (instant.replace(tzinfo=UTC) if naive else instant) <= LATEST:
        return None
    return f"must be from {EARLIEST.year} to {LATEST.year}, by UTC (got {instant.isoformat()})"


def wrong_id(text: str, longest: int = ID_MAX) -> str | None:
    """Return why a text cannot be a client's own id, such as a user's or an event's, or None."""
    if len(text) <= longest and re.search(_ID, text):
        return None
    return f"must be {_id_wanted(longest)}"


def _id_wanted(longest: int) -> str:
    return f"a string of 1 to {longest} characters, without control characters, and not '.' or '..'"


# What the patterns of ids ask for, in words.
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
        return f"must be an IANA time zone such as Europe/Berlin (got {to_json_number(name)})"
    return None


def wrong_address(url: str, schemes: tuple[str, ...] = ("https",)) -> str | None:
    """Return why a text is not a URL to call, or None: scheme, host (by IDNA), port, no user name."""
    wanted = f"must be an {' or '.join(schemes)} URL with a host, without credentials (got {to_json_number(url)})"
    if not 1 <= len(url) <= ADDRESS_MAX or not url.isprintable() or " " in url:
        return wanted
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in schemes or parts.username is not None or port == 0 or not is_host(host):
            return wanted
    except ValueError:  # of brackets, ports, IDNA
        return wanted
    return None


def is_host(host: str) -> bool:
    """Return whether a text is a host's name, by IDNA, or an address of IPv4 or IPv6."""
    try:
        if ":" in host:
            return ipaddress.IPv6Address(host).scope_id is None
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (ValueError, UnicodeError):
        return False
    return len(name) <= HOST_MAX and _HOST.fullmatch(name) is not None


def to_json_number(value: Any) -> str:
    """A value for an error's `(got …)`: short, and without what terminals and logs might act upon."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"


def _integer_text(value: int) -> str:
    return str(value) if value.bit_length() < 256 else f"one of {value.bit_length()} bits"


# What users are told, one row a kind: the value, its bound, what an error says.
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
    """Return a value that an earlier version stored, without U+0000 in its texts and names."""
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        return {name.replace("\0", ""): without_nul(item) for name, item in given.items()}
    if isinstance(value, list):
        return [without_nul(item) for item in cast("list[Any]", value)]
    return value.replace("\0", "") if isinstance(value, str) else value
