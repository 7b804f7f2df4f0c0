"""Campaigns and competitions that are over: they become `completed` by themselves, by their organisation's clock.

A campaign goes on meeting events of its own time that are reported late; its window keeps all others out.
"""

from plaudit import clock
from plaudit.documents.kinds import KINDS
from plaudit.engine.chores import Chore, do
from plaudit.storage import documents
from plaudit.storage.documents import Change
from plaudit.storage.postgres import Connection, Pool
from plaudit.storage.programs import clock_of
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

BY = "plaudit"  # whom their history names


async def complete_what_is_over(pool: Pool) -> None:
    """Complete the campaigns and competitions that are over, each on its own."""
    async with pool.acquire() as connection:
        for org_id, kind, document_id, version in await connection.fetch(SQL.over):
            chore = Chore("ending", org_id, f"{kind} {document_id}", version)
            if not chore.is_left_out:
                await do(connection, chore, _complete(connection, chore, kind, document_id))


async def _complete(connection: Connection, chore: Chore, kind: str, document_id: str) -> None:
    change = Change(org_id=chore.org_id, kind=KINDS[kind], id=document_id, by=BY, at=clock.now())
    now = (await clock_of(connection, chore.org_id)).now()
    await documents.complete(connection, change, chore.version, now)
