"""Work apart from deciding, for one document at a time.

A piece that raises, or stops its process, is tried once more and then left out for some minutes. The others continue.
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
    """The work for one version of a document: its `kind`, and the `chore` that does it."""

    chore: str
    kind: str
    org_id: UUID
    document_id: str
    version: int

    @property
    def suspect_id(self) -> UUID:
        """Return its id as a suspect."""
        return derived_id(self.org_id, f"{self.kind}:{self.document_id}:{self.version}")

    @property
    def is_left_out(self) -> bool:
        """Return whether it is not tried at present."""
        return known.leaves_out(self.suspect_id, self.org_id)


async def attempt(connection: Connection, piece: Piece, work: Coroutine[Any, Any, T]) -> T | None:
    """Do a piece of work in a transaction. Return None if it raises: that is recorded, and all else rolled back."""
    suspect_id = piece.suspect_id
    try:
        async with atomic(connection):
            done = await in_hand.steps(piece.kind, suspect_id, piece.org_id, work)
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
    return done
