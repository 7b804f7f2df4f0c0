"""Connections to PostgreSQL: the pool, transactions, listening, and retries of conflicts."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pgproto import pgproto

from plaudit import telemetry
from plaudit.core.expressions import must_pass
from plaudit.errors import PlauditError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

T = TypeVar("T")

log = structlog.get_logger(__name__)

POSTGRESQL_MIN = 15  # the oldest version that the tests run on
STATEMENT_TIMEOUT_SECONDS = 60
RETRIES_MAX = 8
HEARTBEAT_SECONDS = 5.0  # between two probes of a connection that only listens
HEARTBEAT_TIMEOUT_SECONDS = 5.0  # a connection that does not respond within this time is lost
RECONNECT_SECONDS = 0.2  # between two attempts to reach an unreachable server
ERROR_BACKOFF_SECONDS = 1.0
TROUBLE_SECONDS_MAX = 600.0

# The transaction was rolled back because of a conflict, or the server is unreachable or read-only. Retrying can
# succeed; the work itself is not at fault.
RETRIABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # of disk, memory, connections
    asyncpg.ReadOnlySQLTransactionError,  # a server that was demoted
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection broke between two statements
    ConnectionError,
    FileNotFoundError,  # the socket of a server that is not running
    TimeoutError,
)

_SESSION = {
    "application_name": "plaudit",
    "statement_timeout": str(STATEMENT_TIMEOUT_SECONDS * 1000),
    "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_SECONDS * 1000),
    "jit": "off",  # our statements are short: compiling them takes longer than running them
}


class ServerTooOldError(PlauditError):
    """The PostgreSQL server is older than the oldest supported version."""

    code = "postgresql_too_old"


async def require_version(connection: Connection) -> None:
    """Raise ServerTooOldError for a server older than `POSTGRESQL_MIN`. The driver knows its version without a query."""
    version = connection.get_server_version()
    if version.major < POSTGRESQL_MIN:
        raise ServerTooOldError(
            f"the PostgreSQL server must be of version {POSTGRESQL_MIN} or later (got {version.major}.{version.minor})"
        )


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a new connection, which the caller closes. Raise ServerTooOldError."""
    connection = await asyncpg.connect(url, server_settings=_SESSION)
    try:
        await require_version(connection)
    except ServerTooOldError:
        await connection.close()
        raise
    return connection


# The engine's statements always look rows up by key. A plan made while a table was empty would scan it forever.
_BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}


async def create_pool(url: str, *, size: int, by_key: bool = False) -> Pool:
    """Return a pool of up to `size` connections. With `by_key`, for the engine, all plans look rows up by key."""
    settings = _SESSION | _BY_KEY if by_key else _SESSION
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        server_settings=settings,
        command_timeout=STATEMENT_TIMEOUT_SECONDS,
        init=require_version,
        reset=_skip_reset,
    )


async def _skip_reset(_: Connection) -> None:
    """Send no reset query when a connection returns to the pool: nothing outlives our transactions.

    By default the driver sends one each time, an extra round trip for requests that need only two.
    """


def to_driver_uuid(id_: UUID) -> UUID:
    """Return an id as the driver's own type, which is hashed, sent and printed in a third of the time."""
    return id_ if id_.__class__ is pgproto.UUID else pgproto.UUID(id_.bytes)


def array_literal(values: Iterable[int | UUID]) -> str:
    """Return numbers or ids as the text of an array, for a parameter written `$1::text::bigint[]`.

    The driver checks whether each item of a list is a list, which takes longer than sending it.
    """
    return "{" + ",".join(map(str, values)) + "}"


@asynccontextmanager
async def atomic(connection: Connection) -> AsyncGenerator[None]:
    """Run the body in a transaction: all of it is committed, or nothing."""
    async with connection.transaction():
        yield


@asynccontextmanager
async def snapshot(connection: Connection) -> AsyncGenerator[None]:
    """Let the body read a consistent snapshot. Within a transaction, it sees what the transaction sees."""
    if connection.is_in_transaction():
        async with connection.transaction():
            yield
        return
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield


async def listen(url: str, handlers: Mapping[str, Callable[[str], None]], connected: Callable[[], None]) -> None:
    """Call `handlers[channel]` with the payload of each notification, forever, on a dedicated connection.

    Call `connected` each time the connection starts to listen: notifications before that were missed.
    """

    def on_notify(*arguments: object) -> None:
        _, _, channel, payload = arguments
        handlers[str(channel)](str(payload))

    async def once() -> None:
        connection = await connect(url)
        try:
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            for channel in handlers:
                await connection.add_listener(channel, on_notify)
            connected()
            while not ended.is_set():
                try:
                    await asyncio.wait_for(ended.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:  # a broken connection is as silent as an idle one
                    await connection.fetchval("SELECT 1", timeout=HEARTBEAT_TIMEOUT_SECONDS)
        finally:
            connection.terminate()

    await run_forever("listen", once, every=RECONNECT_SECONDS)


async def run_forever(
    chore: str, once: Callable[[], Awaitable[object]], *, every: float, trouble_max: float = ERROR_BACKOFF_SECONDS
) -> None:
    """Call `once`, then again after `every` seconds, forever.

    A failure is logged, counted under the name `chore`, and retried soon, then less and less often (see
    `trouble_seconds`). While the database is unreachable, it only waits.
    """
    failures = 0
    while True:
        seconds = every
        try:
            await once()
            failures = 0
        except UNREACHABLE:
            seconds = RECONNECT_SECONDS
        except BaseException as problem:  # a library in another language may raise something other than an Exception
            if must_pass(problem):
                raise
            telemetry.chore_failures.labels(chore).inc()
            log.exception("chore_failed", chore=chore)
            seconds = trouble_seconds(failures, every, trouble_max)
            failures += 1
        await asyncio.sleep(seconds)


def trouble_seconds(failures: int, every: float, trouble_max: float = ERROR_BACKOFF_SECONDS) -> float:
    """Return the seconds to wait after a failure, if `failures` in a row preceded it, in a loop that runs `every` seconds.

    The wait doubles each time, up to `every` (at most ten minutes), or up to `trouble_max` if that is longer.
    """
    return min(ERROR_BACKOFF_SECONDS * 2 ** min(failures, 30), max(trouble_max, min(every, TROUBLE_SECONDS_MAX)))


async def with_retries(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `attempt`, retried a bounded number of times on conflicts (40001, 40P01)."""
    for tries in range(RETRIES_MAX):
        try:
            return await attempt()
        except RETRIABLE:
            if tries == RETRIES_MAX - 1:
                raise
            await asyncio.sleep(0.005 * 2**tries)
    raise AssertionError("unreachable")
