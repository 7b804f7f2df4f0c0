"""What an operation of the API is, and how a request becomes a call of it.

An operation is a row: method, path, who may call it, what it takes and answers. The row is mounted by `app`, checked
here, and described by `openapi`: one table serves all three.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct, field

from plaudit.delivery.live import Streams
from plaudit.documents.reading import wrong_fields
from plaudit.engine.inbox import Inbox
from plaudit.errors import Invalid, TooLarge, invalid_fields
from plaudit.reads.boards import Boards
from plaudit.storage.postgres import Pool
from plaudit.storage.programs import Programs

from .auth import Caller, Callers
from .rate_limits import RateLimits

if TYPE_CHECKING:
    from .cors import Origins

BODY_BYTES_MAX = 1 << 20
BATCH_BYTES_MAX = 8 << 20
NESTING_MAX = 32


class Services(Struct, frozen=True, kw_only=True):
    """What the process has for its calls."""

    url: str
    pool: Pool
    engine_pool: Pool
    programs: Programs
    inbox: Inbox
    callers: Callers
    origins: "Origins"
    streams: Streams
    private_networks: bool
    boards: Boards
    limits: RateLimits


class Call(Struct, kw_only=True):
    """One request to an operation, checked. `body` is of the operation's type, or the plain JSON value.

    `once` is its Idempotency-Key; `stream` the body of a streamed operation, piece by piece.
    """

    services: Services
    caller: Caller | None
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    raw: bytes = b""
    once: str | None = None
    correlation_id: str = ""
    stream: Callable[[], AsyncGenerator[bytes]] | None = None

    @property
    def org_id(self) -> UUID:
        """The organisation that the call is made in."""
        assert self.caller is not None
        return self.caller.org_id

    @property
    def by(self) -> str:
        """Who makes the call, for the audit log."""
        assert self.caller is not None
        return self.caller.name

    @property
    def member(self) -> str:
        """The user id of the member who makes the call."""
        assert self.caller is not None
        assert self.caller.user_id is not None
        return self.caller.user_id


class Answer(Struct, kw_only=True):
    """An answer that is more than its data; `content` is one that is no JSON, of type `media`.

    `parts` is one that comes bit by bit, for as long as it likes.
    """

    data: Any
    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    enveloped: bool = True
    content: bytes | None = None
    parts: AsyncIterator[bytes] | None = None
    media: str = "application/json"


class Parameter(Struct, frozen=True):
    """A parameter of the query. `schema` is JSON Schema."""

    name: str
    description: str
    schema: dict[str, Any]


Schema = type | dict[str, Any] | None


class Operation(Struct, frozen=True, kw_only=True):
    """A row of the table of operations.

    `scope` is what a server must be allowed to do that calls it; `member`: members may, with a token of their own;
    `anonymous`: anybody may who names an organisation. With none of these it is open. `refused` is the shape of its
    errors, where that is not its envelope's; `or_bare` what some are answered without one.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    summary: str
    run: Callable[[Call], Awaitable[Any]]
    scope: str | None
    tag: str
    member: bool = False
    anonymous: bool = False
    body: Schema = None
    answer: Schema = None
    status: int = 200
    also: tuple[int, ...] = ()
    other_media: tuple[str, ...] = ()
    enveloped: bool = True
    query: tuple[Parameter, ...] = ()
    errors: tuple[int, ...] = ()
    body_bytes_max: int = BODY_BYTES_MAX
    media: str = "application/json"
    streamed: bool = False
    refused: Schema = None
    or_bare: Schema = None

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self.scope is None and not self.member

    @property
    def name(self) -> str:
        """Its id in the description: the method and the path, as one word."""
        return name_of(self.method, self.path)


def name_of(method: str, path: str) -> str:
    """A call's name: the method and the path, as one word."""
    words = path.replace("{", "").replace("}", "").replace("-", "_").strip("/").split("/")
    return "_".join([method.lower(), *words])


ADMIN_PREFIX = "/api/loyalty/admin"


def paths_of(operation: Operation) -> list[str]:
    """Where an operation answers: what administers stands under the beta's prefix too, members as `users`."""
    if not operation.path.startswith("/v1/"):
        return [operation.path]
    rest = operation.path.removeprefix("/v1")
    found = [operation.path, ADMIN_PREFIX + rest]
    if rest == "/profiles" or rest.startswith("/profiles/{"):
        found.append(ADMIN_PREFIX + "/users" + rest.removeprefix("/profiles"))
    return found


LIMIT = Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50})
CURSOR = Parameter("cursor", "Where to go on: the cursor of the page before.", {"type": "string"})
PAGING = (LIMIT, CURSOR)

# What the decoder raises: the second for bytes that are not UTF-8.
NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError)

_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}


def decode_body(raw: bytes, into: Schema, limit: int = BODY_BYTES_MAX) -> Any:
    """A request's body: a struct of the type `into`, or any JSON value. Raises Invalid or TooLarge."""
    if len(raw) > limit:
        raise TooLarge(f"The body may have {limit} bytes at most (got {len(raw)})")
    if not isinstance(into, type):
        return decode_json(raw)
    decoder = _DECODERS.get(into)
    if decoder is None:
        decoder = _DECODERS[into] = msgspec.json.Decoder(into)
    try:
        body = decoder.decode(raw)
    except NOT_DECODED:
        body = decode_json(raw)  # says what is wrong with the JSON, if that is what is wrong
        raise invalid_fields(wrong_fields(body, into)) from None
    check_nesting(body)
    return body


def decode_json(raw: bytes) -> Any:
    """Any JSON value. Raises Invalid for what is not JSON, or is nested too deeply."""
    try:
        value = msgspec.json.decode(raw)
    except NOT_DECODED as error:
        raise Invalid(f"The body is not JSON: {error}", code="bad_json") from None
    except RecursionError:
        raise _too_deep() from None
    check_nesting(value)
    return value


def check_nesting(value: Any) -> None:
    """Refuse what is nested too deeply; `value` is a struct as decoded, or any JSON value. Level by level."""
    level = [value]
    for _ in range(NESTING_MAX + 1):
        level = [
            part
            for one in level
            for part in _parts_of(one)
            if part.__class__ is dict or part.__class__ is list or isinstance(part, Struct)
        ]
        if not level:
            return
    raise _too_deep()


def _parts_of(one: Any) -> Iterable[Any]:
    if one.__class__ is dict:
        return one.values()
    if one.__class__ is list:
        return one
    return [getattr(one, name) for name in one.__struct_fields__] if isinstance(one, Struct) else ()


def _too_deep() -> Invalid:
    return Invalid(f"The body is nested deeper than {NESTING_MAX}", code="nested_too_deep")
