"""A pool of one connection inside one transaction. Acquiring the connection opens a savepoint.

A dry run replaces a call's pools with this one, so the call runs unchanged and is rolled back at the end.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from .postgres import Connection

_HELD: ContextVar[frozenset[int]] = ContextVar("held", default=frozenset())


class OneConnection:
    """A pool's interface. Only one task at a time holds the connection; that task may acquire it again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection]:
        """Yield the connection within a savepoint, which is rolled back if the body raises."""
        if id(self) in _HELD.get():
            async with self._connection.transaction():
                yield self._connection
            return
        async with self._lock:
            token = _HELD.set(_HELD.get() | {id(self)})
            try:
                async with self._connection.transaction():
                    yield self._connection
            finally:
                _HELD.reset(token)
