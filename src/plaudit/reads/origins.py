"""Find the original transaction of a reversal, and the documents in which it counted."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.core.ids import bucket_of, member_id_of
from plaudit.core.ledger.earned import Booked, Origin, counted_at, is_earned, is_scored
from plaudit.core.mechanic_rules import documents_that_counted, says_what_counted
from plaudit.core.program import Program
from plaudit.engine.processed import outcome_from
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme, load_at_version
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Row = dict[str, Any]


async def origin_of(connection: Connection, programme: Programme, row: Row, user_id: str) -> Origin:
    """Return the origin of a transaction: itself, or the one that it reverses, through any number of reversals.

    `user_id` is the transaction's member, or the one that remained after merges.
    """
    rows = [dict(record) for record in await connection.fetch(_SQL.chain, row["bucket"], row["transaction_id"])]
    first = rows[-1]
    if first["reverses"] is not None:  # the original is no longer in the ledger
        return Origin(row["transaction_id"], earned=False, scored=False)
    booked = Booked(
        first["amount"], first["cause_kind"], first["kind"] or "", first["occurred_at"], first["own_expiry"]
    )
    if not is_scored(booked):
        return Origin(row["transaction_id"], is_earned(booked), scored=False, counted_at=booked.occurred_at)
    past = _Past(connection, programme)
    program = await past.program(first["program_version"])
    at = counted_at(booked, program.metrics.get(row["metric"]), program.settings.time_zone)
    counted_in = await _counted_in(past, rows, row["metric"], user_id, at)
    return Origin(row["transaction_id"], earned=True, scored=True, counted_at=at, counted_in=counted_in)


async def _counted_in(past: "_Past", rows: list[Row], metric: str, user_id: str, at: datetime) -> frozenset[str] | None:
    """Return the documents of mechanics that counted a credit and all of its later reversals.

    Return None if the log no longer has the events. A credit of which nothing was left to release counts as released,
    since reversing its reversal restores it; one that is still pending counts as if it were released now.
    """
    if not says_what_counted(past.programme.compiled, metric):
        return frozenset()
    *reversals, first = rows
    documents: frozenset[str] | None = None
    counting = [reversal for reversal in reversals if reversal["occurred_at"] >= at]
    credit = first if at == first["occurred_at"] else await past.release(first, user_id, at)
    if credit is None:
        documents = documents_that_counted(await past.program_before(at), (), metric, first["user_id"], at, at)
    else:
        counting.insert(0, credit)
    for row in counting:
        if row["program_version"] is None:
            return None
        program, now = await past.program(row["program_version"]), max(row["occurred_at"], at)
        trace = outcome_from(row["outcome"]).trace
        counted = documents_that_counted(program, trace, metric, row["user_id"], now, at)
        documents = counted if documents is None else documents & counted
    return documents


class _Past(Struct):
    """Past programmes, and the releases that were decided by them."""

    connection: Connection
    programme: Programme
    _programmes: dict[int, Program] = {}

    async def program(self, version: int | None) -> Program:
        """Return the programme of a version, or the current one if the version is unknown."""
        if version is None or version == self.programme.compiled.version:
            return self.programme.compiled
        if version not in self._programmes:
            org_id: UUID = self.programme.compiled.org_id
            self._programmes[version] = (await load_at_version(self.connection, org_id, version)).compiled
        return self._programmes[version]

    async def program_before(self, instant: datetime) -> Program:
        """Return the programme as it was just before an instant."""
        org_id = self.programme.compiled.org_id
        version = await self.connection.fetchval(_SQL.version_before, org_id, instant)
        return await self.program(version or 0)

    async def release(self, credit: Row, user_id: str, at: datetime) -> Row | None:
        """Return a credit with the event that released it, of its member or the remaining one, or None."""
        ids = list({credit["member_id"], member_id_of(self.programme.compiled.org_id, user_id)})
        row = await self.connection.fetchrow(_SQL.release, [bucket_of(value) for value in ids], ids, at)
        return None if row is None else {**credit, **dict(row), "occurred_at": at}
