"""Daily totals, updated with the ledger. Analytics read them, so their cost does not grow with the ledger."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from plaudit.core.cause import Cause
from plaudit.core.periods import local_day
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

_SQL = queries_beside(__file__)

Key = tuple[UUID, date, str, str, str]  # organisation, day, metric, the kind and the id of the cause
Totals = dict[Key, list[int]]  # the sums of credits and debits, and their counts


class Booked(Protocol):
    """A transaction of a decision, or of an import."""

    @property
    def metric(self) -> str:
        """Return the metric's id."""
        ...

    @property
    def amount(self) -> int:
        """Return the amount in smallest units."""
        ...

    @property
    def cause(self) -> Cause:
        """Return the cause."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """Return the time of the event."""
        ...


def count_in(totals: Totals, program: Program, transactions: Iterable[Booked]) -> None:
    """Add a decision's transactions to the totals."""
    for transaction in transactions:
        amount = transaction.amount
        if amount == 0:
            continue
        day = local_day(transaction.occurred_at, program.settings.time_zone)
        cause = transaction.cause
        sums = totals.setdefault((program.org_id, day, transaction.metric, cause.kind, cause.id), [0, 0, 0, 0])
        if amount > 0:
            sums[0] += amount
            sums[2] += 1
        else:
            sums[1] -= amount
            sums[3] += 1


async def add_totals(connection: Connection, totals: Mapping[Key, list[int]]) -> None:
    """Add totals to the stored ones. Rows are locked in the order of their keys."""
    if totals:
        rows = [(*key, *sums) for key, sums in sorted(totals.items())]
        await connection.execute(_SQL.add_totals, *(list(column) for column in zip(*rows, strict=True)))
