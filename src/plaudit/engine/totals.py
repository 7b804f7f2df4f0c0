"""The day's totals, kept up with the books: analytics read them, however long the ledger."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from plaudit.core.cause import Cause
from plaudit.core.periods import local_day
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

SQL = queries_beside(__file__)

Key = tuple[UUID, date, str, str, str]  # organisation, day, metric, the kind and the id of the cause
Totals = dict[Key, list[int]]  # credits, debits, how many of each


class Booked(Protocol):
    """A transaction: a posting of a decision, or one that was booked elsewhere."""

    @property
    def metric(self) -> str:
        """Of what."""
        ...

    @property
    def amount(self) -> int:
        """How much, in smallest units."""
        ...

    @property
    def cause(self) -> Cause:
        """From where."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """When, by the time of its event."""
        ...


def count_in(totals: Totals, program: Program, postings: Iterable[Booked]) -> None:
    """Add what a decision books."""
    for posting in postings:
        amount = posting.amount
        if amount == 0:
            continue
        day = local_day(posting.occurred_at, program.settings.time_zone)
        cause = posting.cause
        sums = totals.setdefault((program.org_id, day, posting.metric, cause.kind, cause.id), [0, 0, 0, 0])
        if amount > 0:
            sums[0] += amount
            sums[2] += 1
        else:
            sums[1] -= amount
            sums[3] += 1


async def add_totals(connection: Connection, totals: Mapping[Key, list[int]]) -> None:
    """Add them to what there is. The order of the keys is that of the locks."""
    if totals:
        rows = [(*key, *sums) for key, sums in sorted(totals.items())]
        await connection.execute(SQL.add_totals, *(list(column) for column in zip(*rows, strict=True)))
