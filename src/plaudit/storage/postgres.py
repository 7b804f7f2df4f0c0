"""Connections, and what it takes to use them well: one pool, atomic(), and retries of what the server says to retry."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

T = TypeVar("T")

STATEMENT_TIMEOUT_SECONDS = 60
RETRIES_MAX = 8

# The server took the transaction back for reasons of order, or is not there: the same again may well succeed.
RETRIABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    ConnectionError,
    FileNotFoundError,  # the socket of a server that is not up
    TimeoutError,
)

_SESSION = {
    "application_name": "plaudit",
    "statement_timeout": str(STATEMENT_TIMEOUT_SECONDS * 1000),
    "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_SECONDS * 1000),
    "jit": "off",  # our statements are short: compiling them takes longer than running them
}


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection of one's own. The caller closes it."""
    return await asyncpg.connect(url, server_settings=_SESSION)


# The engine's statements look up by key, always. A plan made while a table was empty would scan it for ever.
_BY_KEY = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}


async def create_pool(url: str, *, size: int, by_key: bool = False) -> Pool:
    """A pool of up to `size` connections; `by_key` for the engine's, which plan for look-ups by key only."""
    settings = _SESSION | _BY_KEY if by_key else _SESSION
    return await asyncpg.create_pool(
        url, min_size=1, max_size=size, server_settings=settings, command_timeout=STATEMENT_TIMEOUT_SECONDS
    )


def as_sent(one: UUID) -> UUID:
    """The same id as the driver has it: what is looked up, sent and written out many times is so in a third of the time."""
    return pgproto.UUID(one.bytes)


def array_of(values: Iterable[int | UUID]) -> str:
    """Numbers or ids as the text of an array, for a parameter written `$1::text::bigint[]`.

    The driver asks of each item of a list whether it is a list itself, which takes it longer than to send it.
    """
    return "{" + ",".join(map(str, values)) + "}"


@asynccontextmanager
async def atomic(connection: Connection) -> AsyncGenerator[None]:
    """All that happens inside is committed together, or not at all."""
    async with connection.transaction():
        yield


async def listen(url: str, channel: str, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
    """Call `heard` with what is said on a channel, for ever, by a connection of its own.

    `connected` is called each time it begins to listen: what was said before, nobody has heard.
    """

    def on_word(*said: object) -> None:
        heard(str(said[3]))

    while True:
        with suppress(*UNREACHABLE):
            connection = await connect(url)
            try:
                await connection.add_listener(channel, on_word)
                connected()
                while not connection.is_closed():
                    await asyncio.sleep(1)
            finally:
                connection.terminate()
        await asyncio.sleep(0.5)


async def retried(attempt: Callable[[], Awaitable[T]]) -> T:
    """`attempt` run again, a bounded number of times, when the server asks for it (40001, 40P01)."""
    for tries in range(RETRIES_MAX):
        try:
            return await attempt()
        except RETRIABLE:
            if tries == RETRIES_MAX - 1:
                raise
            await asyncio.sleep(0.005 * 2**tries)
    raise AssertionError("unreachable")
