"""The invariants of the books, as queries, and the log decided again from nothing."""

from msgspec import Struct

from plaudit.storage.postgres import Connection
from plaudit.storage.queries import queries_beside

from .replay import replay

SQL = queries_beside(__file__)

EXAMPLES_MAX = 5

# What each query looks at, and in words what must hold.
_CHECKS = {
    "balance_is_sum": ("balances", "balance = sum of transactions"),
    "balance_follows": ("transactions", "each balance follows from the one before"),
    "balance_in_bounds": ("balances", "no balance outside its metric's bounds"),
    "balance_is_lots": ("balances", "balance = sum of lots"),
    "postings_are_transaction": ("transactions", "transaction = sum of its postings on lots"),
    "reversed_once": ("transactions", "nothing taken back twice"),
    "transaction_has_event": ("transactions", "every transaction has its event"),
    "effect_once": ("transactions", "no effect twice"),
    "event_has_id": ("events", "the log and its ids agree"),
    "positions_whole": ("positions", "positions without gaps"),
    "code_in_one_hand": ("codes", "every code in one hand"),
    "nothing_oversold": ("claimed", "nothing oversold"),
    "segments_listed": ("segment_members", "segments and their lists agree"),
    "prizes_once": ("prizes", "every prize once"),
    "totals_are_sums": ("daily_totals", "daily totals equal to the ledger"),
    "inbox_and_log": ("events", "nothing both waiting and decided"),
}


class Check(Struct, frozen=True):
    """What was checked, how many there were, how many did not hold, and some of these."""

    name: str
    counted: int
    violations: int
    examples: list[str]

    @property
    def holds(self) -> bool:
        return self.violations == 0


async def verify(connection: Connection) -> list[Check]:
    """Check every invariant, at one instant."""
    found: list[Check] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0")
        counted = await connection.fetchrow(SQL.counted)
        assert counted is not None
        for query, (what, name) in _CHECKS.items():
            rows = await connection.fetch(SQL.by_name[query])
            examples = [str(row[0]) for row in rows[:EXAMPLES_MAX]]
            found.append(Check(name, counted[what], len(rows), examples))
        replayed = await replay(connection)
        found.append(
            Check(
                "replaying the log gives the same",
                replayed.events,
                len(replayed.differences),
                replayed.differences[:EXAMPLES_MAX],
            )
        )
    return found
