"""A pool that is one connection, inside one transaction: whoever acquires it gets a savepoint.

A dry run gives it to a call in the place of the pools, so that the call runs as it is, and undoes everything at the end.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from .postgres import Connection

_HELD: ContextVar[frozenset[int]] = ContextVar("held", default=frozenset())


class OneConnection:
    """What a call needs of a pool. Tasks take turns; one that holds the connection already may acquire it again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection]:
        """Yield the connection within a savepoint, which is undone if an error passes, as a statement alone would be."""
        if id(self) in _HELD.get():
            async with self._connection.transaction():
                yield self._connection
            return
        async with self._turn:
            token = _HELD.set(_HELD.get() | {id(self)})
            try:
                async with self._connection.transaction():
                    yield self._connection
            finally:
                _HELD.reset(token)
