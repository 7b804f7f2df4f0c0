"""Set finished documents to `completed`, by their organisation's clock.

A completed campaign still accepts late events if they happened within its time window.
"""

from plaudit import clock
from plaudit.documents.kinds import KINDS
from plaudit.storage import documents
from plaudit.storage.documents import Change
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programmes import clock_of
from plaudit.storage.queries import queries_beside

from .pieces import Piece, attempt

_SQL = queries_beside(__file__)

CHORE = "complete_documents"

BY = "plaudit"  # the author of the change in the document's history


async def complete_documents(pool: Pool) -> None:
    """Complete the finished documents, each in its own transaction."""
    async with pool.acquire() as connection:
        for org_id, kind, document_id, version in await connection.fetch(_SQL.finished):
            piece = Piece(CHORE, "ending", org_id, f"{kind} {document_id}", version)
            if not piece.is_left_out:
                await attempt(connection, piece, _complete(connection, piece, kind, document_id))


async def _complete(connection: Connection, piece: Piece, kind: str, document_id: str) -> None:
    change = Change(org_id=piece.org_id, kind=KINDS[kind], id=document_id, by=BY, at=clock.now())
    now = (await clock_of(connection, piece.org_id)).now()
    await documents.complete(connection, change, piece.version, now)
