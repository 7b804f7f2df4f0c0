"""The lines of an export that another server can import: members, their history, and data that belongs to no member.

Each kind of line is a struct. Its fields are the keys of a line of NDJSON and the columns of CSV. Amounts are in smallest
units and times have microseconds, so an import restores exactly what was exported.
"""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, Struct, defstruct, inspect, structs

from plaudit.bounds import UserId
from plaudit.core.cause import Cause
from plaudit.mechanics.registry import MECHANICS

from .columns import Columns

Json = dict[str, Any]


class _Line(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    pass


class Coupon(_Line, frozen=True, kw_only=True):
    """An issued code. `state` and the fields after it are only set for codes from a pool."""

    id: UUID
    origin_id: str
    pool_id: str | None = None
    code: str
    terms: Json
    cause_kind: str
    cause_id: str = ""
    event: UUID
    issued_at: datetime
    expires_at: datetime | None = None
    state: str | None = None
    allocated_at: datetime | None = None
    redeemed_at: datetime | None = None
    revoked_at: datetime | None = None


class Consent(_Line, frozen=True, kw_only=True):
    """A consent that a member has given or withdrawn."""

    purpose: str
    granted: bool
    source: str | None = None
    given_at: datetime
    recorded_at: datetime
    recorded_by: str


class NotificationLine(_Line, frozen=True, kw_only=True):
    """A notification."""

    id: UUID
    type: str
    cause_kind: str
    cause_id: str = ""
    step: int | None = None
    display: str
    title: str | None = None
    message: str
    changes: Any = None
    created_at: datetime
    expires_at: datetime | None = None
    read_at: datetime | None = None


class MemberLine(_Line, frozen=True, kw_only=True):
    """A member with all the state on which decisions depend (see core/member.py).

    `member_id` is only set for erased members. That of other members is derived from the user id. Each mechanic adds a
    field after `campaigns`, unless its states have tables of their own: see `member_line`.
    """

    user_id: UserId
    member_id: UUID | None = None
    enrolled_at: datetime
    latest_at: datetime
    active_at: datetime | None = None
    sequence: int
    due_at: datetime | None = None
    erased_at: datetime | None = None
    merged_into: str | None = None
    profile: Json = {}
    identities: dict[str, str] = {}
    balances: Json = {}
    campaigns: Json = {}
    standings: Json = {}
    holdings: Json = {}
    entries: dict[str, int] = {}
    coupons: list[Coupon] = []
    consents: list[Consent] = []
    notifications: list[NotificationLine] = []


class EventLine(_Line, frozen=True, kw_only=True):
    """A decided event of the log. `event_id` is the id that its sender chose."""

    id: UUID
    event_id: str | None = None
    org_id: UUID
    user_id: UserId
    member_id: UUID | None = None
    kind: str
    trigger: str
    occurred_at: datetime
    received_at: datetime
    decided_at: datetime
    source: str
    state: str
    program_version: int
    fingerprint: int | None = None
    payload: Json
    outcome: Json


class TransactionLine(_Line, frozen=True, kw_only=True):
    """A transaction. `ordinal` is its position among the transactions of its event."""

    id: UUID
    org_id: UUID
    user_id: UserId
    member_id: UUID | None = None
    event: UUID
    ordinal: int
    metric: str
    amount: int
    balance_after: int
    cause_kind: str
    cause_id: str = ""
    step: int
    index: int
    reason: str | None = None
    occurred_at: datetime
    created_at: datetime
    reverses: UUID | None = None
    details: Json | None = None

    @property
    def cause(self) -> Cause:
        """The transaction's cause."""
        return Cause(self.cause_kind, self.cause_id)


class AuditLine(_Line, frozen=True, kw_only=True):
    """A version of a document, or its deletion, which has no `document`."""

    program_version: int
    ordinal: int
    kind: str
    id: str
    version: int
    change: str
    document: Json | None = None
    changed_at: datetime
    changed_by: str


class OrganisationLine(_Line, frozen=True, kw_only=True):
    """Data that belongs to no member: its `type` (see imports/moving_organisation.py), and a key unique in the type."""

    type: str
    key: str
    value: Json


LINES: dict[str, type[_Line]] = {
    "organisation": OrganisationLine,
    "audit": AuditLine,
    "events": EventLine,
    "transactions": TransactionLine,
    "members": MemberLine,
}  # in the order in which another server imports them


def member_line() -> type[MemberLine]:
    """Return the type of a member's line, with a field for the states of each mechanic."""
    return cast("type[MemberLine]", LINES["members"])


def _member_line() -> type[_Line]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in structs.fields(MemberLine):
        default: Any = field.default if field.default_factory is NODEFAULT else field.default_factory()
        fields.append((field.name, field.type) if default is NODEFAULT else (field.name, field.type, default))
        if field.name == "campaigns":
            fields += [(mechanic.collection, Json, {}) for mechanic in MECHANICS.values() if not mechanic.tables]
    line = defstruct("MemberLine", fields, bases=(_Line,), frozen=True, kw_only=True, module=__name__)
    return cast("type[_Line]", line)


def _follow_mechanics() -> None:
    LINES["members"] = _member_line()
    columns_of.cache_clear()


_BREAKS = re.compile("[\r\n]")
_TEXTS = (inspect.StrType, inspect.UUIDType, inspect.DateTimeType)


def as_ndjson(line: Struct) -> bytes:
    """Return a line as NDJSON."""
    return msgspec.json.encode(line) + b"\n"


def header_of(kind: str) -> bytes:
    """Return the header of a CSV file with lines of a kind."""
    return _row([field.encode_name for field in msgspec.structs.fields(LINES[kind])])


def as_csv(line: Struct) -> bytes:
    """Return a line as CSV. Objects and arrays are JSON in their cells. No record contains a line break."""
    return _row([_cell(getattr(line, field.name), field) for field in msgspec.structs.fields(line)])


def _row(cells: Sequence[str]) -> bytes:
    output = io.StringIO()
    csv.writer(output, lineterminator="\r\n").writerow(cells)
    return output.getvalue().encode()


def _cell(value: Any, field: structs.FieldInfo) -> str:
    """Return a cell's value. An empty cell is the field's default.

    A string that could be mistaken for another value, or would break the line, is written as JSON.
    """
    default = field.default if field.default_factory is NODEFAULT else field.default_factory()
    if value is None or value == default:
        return ""
    if isinstance(value, str) and value and value[0] != '"' and not _BREAKS.search(value):
        return value
    encoded = msgspec.json.encode(value).decode()
    return encoded if isinstance(value, str | dict | list) else encoded.strip('"')


def _text(cell: str) -> str:
    if not cell.startswith('"'):
        return cell
    try:
        return msgspec.json.decode(cell, type=str)
    except msgspec.DecodeError:
        raise ValueError(f"must be a string, or JSON if it begins with a quote (got {cell[:64]!r})") from None


def _json(cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError(f"must be JSON (got {cell[:64]!r})") from None


@cache
def columns_of(kind: str) -> Columns:
    """Return the columns of a CSV file with lines of a kind."""
    fields = msgspec.structs.fields(LINES[kind])
    readers = {field.encode_name: _text if _is_text(inspect.type_info(field.type)) else _json for field in fields}
    return Columns(readers, {}, required=[field.encode_name for field in fields if field.required])


def _is_text(type_: inspect.Type) -> bool:
    if isinstance(type_, inspect.Metadata):
        return _is_text(type_.type)
    if isinstance(type_, inspect.UnionType):
        return any(map(_is_text, type_.types))
    return isinstance(type_, _TEXTS)


MECHANICS.follow(_follow_mechanics)
