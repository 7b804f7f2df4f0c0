"""The operations of the API: how they are declared, and how a request becomes a call of one.

An operation is a row of a table: method, path, who may call it, its request and its response. `app` mounts the row,
`pipeline` checks requests against it, and `openapi` describes it.
"""

import codecs
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import UnionType
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

import msgspec
from msgspec import Struct, field

from plaudit import bounds
from plaudit.api.identity.callers import Caller, CallerCache
from plaudit.delivery.live import LiveStreams
from plaudit.documents.validation import convert
from plaudit.engine.inbox import Inbox
from plaudit.errors import Invalid, TooLarge
from plaudit.reads.leaderboards import Leaderboards
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programmes import Programme, Programmes

from .cors import AllowedOrigins
from .paging import PageRequest, page_request
from .rate_limits import RateLimits

T = TypeVar("T")

BODY_BYTES_MAX = 1 << 20
BATCH_BYTES_MAX = 8 << 20


class Services(Struct, frozen=True, kw_only=True):
    """The services that all calls of this process share."""

    url: str
    pool: Pool
    engine_pool: Pool
    programmes: Programmes
    inbox: Inbox
    callers: CallerCache
    origins: AllowedOrigins
    streams: LiveStreams
    private_networks: bool
    boards: Leaderboards
    limits: RateLimits


class Call(Struct, kw_only=True):
    """One validated request to an operation. `body` has the operation's type, or is plain JSON.

    `idempotency_key` is the request's Idempotency-Key, and `stream` yields the body of a streamed operation. In a dry
    run, `decide_queued` decides the events that the call has put into the inbox, since no worker sees them.
    """

    services: Services
    caller: Caller | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    raw: bytes = b""
    idempotency_key: str | None = None
    correlation_id: str = ""
    stream: AsyncGenerator[bytes] | None = None
    decide_queued: Callable[[], Awaitable[None]] | None = None

    @property
    def is_dry_run(self) -> bool:
        """Whether all changes of the call will be rolled back."""
        return self.decide_queued is not None

    @property
    def org_id(self) -> UUID:
        """The id of the caller's organisation."""
        assert self.caller is not None
        return self.caller.org_id

    @property
    def caller_name(self) -> str:
        """The caller's name, for the audit log."""
        assert self.caller is not None
        return self.caller.name

    @property
    def scopes(self) -> frozenset[str]:
        """The caller's scopes."""
        assert self.caller is not None
        return self.caller.scopes

    @property
    def user_id(self) -> str:
        """The user id of the member who makes the call."""
        assert self.caller is not None
        assert self.caller.user_id is not None
        return self.caller.user_id

    async def programme(self) -> Programme:
        """Return the organisation's current programme."""
        return await self.services.programmes.current(self.org_id)

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Return a connection of the pool, for `async with`."""
        return self.services.pool.acquire()

    def page(self, shape: type[T], first: T) -> PageRequest[T]:
        """Return the page that the request names. `shape` and `first` describe the list's sort key. Raise Invalid."""
        return page_request(self.query, shape, first)


class OperationResult(Struct, kw_only=True):
    """A response with more than data: a status, headers, or content of another media type.

    `content` is sent as it is, with the media type `media`. `parts` are streamed until the iterator ends. If a `whole`
    stream fails, the connection breaks, so that the client notices that parts are missing.
    """

    data: Any
    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    enveloped: bool = True
    content: bytes | None = None
    parts: AsyncIterator[bytes] | None = None
    whole: bool = False
    media: str = "application/json"


class Parameter(Struct, frozen=True):
    """A query parameter. `schema` is JSON Schema; `names` is the kind of document whose id the value is."""

    name: str
    description: str
    schema: dict[str, Any]
    names: str | None = None


# A type that encodes and describes the body; JSON Schema if no type fits.
Schema = type | UnionType | dict[str, Any] | None


class Operation(Struct, frozen=True, kw_only=True):
    """A row of the table of operations.

    `name` is the operationId, which names the method in generated clients and never changes. The `summary` has at most
    60 characters; details go into the `description`.

    Who may call it: a server with the `scope`; with `member`, also a member's token; with `anonymous`, anyone who names
    an organisation; with none of the three, anyone.

    `error_schema` is the schema of errors that are not in the usual envelope. `bare_response` is the type of a
    response without an envelope, which some callers get. `shown_once` marks a response with a secret: it is the field
    of the data with the id of what was created. `query` lists the accepted parameters; with `any_field`, members'
    fields are accepted too. `changes_nothing` marks a POST that only reads. With `streams_request`, the operation reads its body as
    it arrives; with `streams_response`, its response is streamed and not compressed. `tries_by_job` marks an operation
    whose body has a `dryRun` of its own, for a job that only reports; the query parameter sets it.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    summary: str
    run: Callable[[Call], Awaitable[Any]]
    scope: str | None
    tag: str
    description: str = ""
    member: bool = False
    anonymous: bool = False
    body: Schema = None
    response: Schema = None
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    other_media: tuple[str, ...] = ()
    enveloped: bool = True
    query: tuple[Parameter, ...] = ()
    any_field: bool = False
    changes_nothing: bool = False
    errors: tuple[int, ...] = ()
    body_bytes_max: int = BODY_BYTES_MAX
    media: str = "application/json"
    streams_request: bool = False
    streams_response: bool = False
    error_schema: Schema = None
    bare_response: Schema = None
    shown_once: str | None = None
    tries_by_job: bool = False

    @property
    def is_open(self) -> bool:
        """Whether callers need no credentials."""
        return self.scope is None and not self.member

    @property
    def writes(self) -> bool:
        """Whether it can change anything, and so has a dry run."""
        return self.method != "GET" and not self.changes_nothing

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The query parameters that it accepts."""
        return (*self.query, DRY_RUN) if self.writes else self.query


ADMIN_PREFIX = "/api/loyalty/admin"
AUDIENCE_PREFIX = "/api/audience"


def is_of_the_beta(path: str) -> bool:
    """Return whether a path has the beta's prefix. There, every response has an envelope."""
    return path.removeprefix("/loyalty").startswith(ADMIN_PREFIX)


def mounted_paths(operation: Operation) -> dict[str, str]:
    """Return the paths of an operation, each with the operation's name there.

    Admin operations are also mounted under the beta's prefix, those of profiles also as `users`. The audience API is
    also mounted under `/v1`, as the reference documents show it.
    """
    path, name = operation.path, operation.name
    if path.startswith(AUDIENCE_PREFIX):
        return {path: name, "/v1" + path: name + "V1"}
    if not path.startswith("/v1/"):
        return {path: name}
    rest = path.removeprefix("/v1")
    paths = {path: name, ADMIN_PREFIX + rest: name + "Beta"}
    if rest == "/profiles" or rest.startswith("/profiles/{"):
        of_users = name.replace("Profile", "User") if "Profile" in name else name + "User"
        paths[ADMIN_PREFIX + "/users" + rest.removeprefix("/profiles")] = of_users + "Beta"
    return paths


DRY_RUN = Parameter(
    "dryRun",
    "Decide the request and return what would follow from it, and change nothing.",
    {"type": "boolean", "default": False},
)
LIMIT = Parameter("limit", "Page size, from 1 to 100", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50})
CURSOR = Parameter("cursor", "Cursor from the previous page", {"type": "string"})
PAGING = (LIMIT, CURSOR)
ANY_LIMIT = Parameter("limit", "The maximum number (default: all).", {"type": "integer", "minimum": 1, "maximum": 100})

BYTE_ORDER_MARK = codecs.BOM_UTF8

# What the decoder raises; UnicodeDecodeError for invalid UTF-8, RecursionError for too deep nesting.
NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DIGITS_MAX = 400  # a longer integer is read as a float

_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}


def decode_body(raw: bytes, type_: Schema, limit: int = BODY_BYTES_MAX) -> Any:
    """Return a request's body: a struct of the type `type_`, or any JSON value. Raise Invalid or TooLarge.

    An empty body is read as an object without fields, so the error names the required ones.
    """
    if len(raw) > limit:
        raise TooLarge(f"The body is too large: at most {limit:,} bytes (got {len(raw):,})")
    if not raw and not (isinstance(type_, dict) and type_.get("type") == "array"):
        raw = b"{}"
    if not isinstance(type_, type):
        return decode_json(raw)
    decoder = _DECODERS.get(type_)
    if decoder is None:
        decoder = _DECODERS[type_] = msgspec.json.Decoder(type_)
    try:
        body = decoder.decode(raw)
    except NOT_DECODED:
        plain: Any = decode_json(raw)  # raises the more precise error if the JSON is malformed
        return convert(plain, cast("type[Struct]", type_))
    bounds.check(body)
    return body


def decode_json(raw: bytes) -> Any:
    """Return a JSON value. Raise Invalid if it is not JSON, nested too deeply, or beyond the bounds for values."""
    value = decode_loosely(raw)
    bounds.check(value)
    return value


def decode_loosely(raw: bytes) -> Any:
    """Return a JSON value that may have parts beyond the bounds for values; the caller rejects these one by one.

    Raise Invalid if it is not JSON or nested too deeply to be read.
    """
    text = without_mark(raw)
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise bounds.too_deep() from None
    except NOT_DECODED as error:
        try:
            return _leniently(text)
        except ValueError:
            raise Invalid(f"The body is not valid JSON: {error}", code="bad_json") from None


def without_mark(raw: bytes) -> bytes:
    """Return the text without the byte order mark that PowerShell and .NET write before it (RFC 8259, 8.1)."""
    return raw.removeprefix(BYTE_ORDER_MARK)


def _leniently(raw: bytes) -> Any:
    """Return a JSON value that the strict decoder refuses, such as one with huge numbers or unpaired surrogates."""
    try:
        return json.loads(raw.decode(), parse_constant=_no_constant, parse_int=_integer)
    except RecursionError:
        raise bounds.too_deep() from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS_MAX else float(digits)


def _no_constant(name: str) -> None:
    raise ValueError(name)
