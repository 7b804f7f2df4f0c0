"""Run a chore's work for one document at a time.

A piece of work that raises, or stops its process, is retried once and then skipped for a few minutes. Others continue.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

import structlog
from msgspec import Struct

from plaudit import clock, telemetry
from plaudit.core.expressions import must_pass
from plaudit.core.ids import derived_id
from plaudit.guard import in_hand, known
from plaudit.storage.postgres import RETRIABLE, UNREACHABLE, Connection, atomic
from plaudit.storage.suspects import Noted, clear, learn, note

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Piece(Struct, frozen=True):
    """A chore's work for one version of a document. `kind` is its kind in the table of suspects."""

    chore: str
    kind: str
    org_id: UUID
    document_id: str
    version: int

    @property
    def suspect_id(self) -> UUID:
        """Return the id of this work as a suspect."""
        return derived_id(self.org_id, f"{self.kind}:{self.document_id}:{self.version}")

    @property
    def is_left_out(self) -> bool:
        """Return whether this work is currently not tried."""
        return known.leaves_out(self.suspect_id, self.org_id)


async def attempt(connection: Connection, piece: Piece, work: Coroutine[Any, Any, T]) -> T | None:
    """Run a piece of work in a transaction and return its result. If it raises, roll back, record it and return None."""
    suspect_id = piece.suspect_id
    try:
        async with atomic(connection):
            result = await in_hand.steps(piece.kind, suspect_id, piece.org_id, work)
    except (*UNREACHABLE, *RETRIABLE):
        raise
    except BaseException as problem:
        if must_pass(problem):
            raise
        telemetry.chore_failures.labels(piece.chore).inc()
        log.exception(
            "chore_failed", chore=piece.chore, kind=piece.kind, org_id=str(piece.org_id), id=piece.document_id
        )
        noted = Noted(suspect_id, piece.kind, piece.org_id)
        await note(connection, [noted], f"it raised {type(problem).__name__}", clock.now())
        await learn(connection)
        return None
    if suspect_id in known.all:
        await clear(connection, suspect_id)
    return result
