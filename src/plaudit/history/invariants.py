"""The invariants that `plaudit verify` checks, each with the remedy for a violation."""

from msgspec import Struct

from plaudit.core.soundness import Unsound
from plaudit.mechanics.registry import MECHANICS

EXAMPLES_MAX = 5

REPORT = "Back up the database as it is, and report the violation with the examples"
_NOT_BY_HAND = f"{REPORT}; if a row was changed by hand, restore its value"
_RESTORE = f"{REPORT}; then restore the last backup that verifies"


class InvariantResult(Struct, frozen=True):
    """The result of checking an invariant: the number of rows checked, the violations, some examples, and the remedy."""

    name: str
    counted: int
    violations: int
    examples: list[str]
    remedy: str

    @property
    def holds(self) -> bool:
        return self.violations == 0


class Invariant(Struct, frozen=True):
    """An invariant and the remedy for a violation. `counted` is the column of the query `counted` with the rows checked."""

    counted: str
    name: str
    remedy: str

    def check(self, counted: int, violations: list[str]) -> InvariantResult:
        """Return the result of the check."""
        return InvariantResult(self.name, counted, len(violations), violations[:EXAMPLES_MAX], self.remedy)


# Checked by the query of the same name.
BY_QUERY = {
    "balance_is_sum": Invariant("balances", "balance = sum of transactions", _NOT_BY_HAND),
    "balance_follows": Invariant("transactions", "each balance follows from the one before", _RESTORE),
    "balance_in_bounds": Invariant(
        "balances", "no balance outside its metric's bounds",
        "If the metric's minimum or maximum was changed since, credit or debit the member (POST /v1/transactions); "
        "otherwise report it",
    ),
    "balance_is_lots": Invariant("balances", "balance = sum of lots", _NOT_BY_HAND),
    "lots_are_postings": Invariant("balances", "each lot = sum of the postings on it", _NOT_BY_HAND),
    "postings_are_transaction": Invariant("transactions", "transaction = sum of its postings on lots", _RESTORE),
    "reversed_once": Invariant(
        "transactions", "no transaction reversed by more than its amount",
        "Return the excess (POST /v1/transactions), and report it",
    ),
    "reversals_in_time": Invariant(
        "transactions", "a reversal counts when its original did",
        "Compare the member's scores at the two times named, and report it",
    ),
    "transaction_has_event": Invariant("transactions", "every transaction has its event", _RESTORE),
    "effect_once": Invariant(
        "transactions", "each effect applied once", "Reverse the second of them (POST /v1/transactions/{id}/reverse), and report it"
    ),
    "event_has_id": Invariant("events", "the log and its ids agree", _RESTORE),
    "positions_whole": Invariant("positions", "log positions have no gaps", _RESTORE),
    "code_in_one_hand": Invariant(
        "codes", "each code has one owner", "Do not redeem the code; give its members another one, and report it"
    ),
    "codes_in_time": Invariant(
        "codes", "no code issued or redeemed after its coupon's expiry",
        "Settle with the shop whether it counts, and report it",
    ),
    "nothing_oversold": Invariant(
        "claimed", "nothing oversold",
        "If the product's allocatedStock was lowered since, raise it; otherwise report it, and decide which members get none",
    ),
    "segments_listed": Invariant(
        "segment_members", "segments and their lists agree", "Save the segment again to refill it; report it"
    ),
    "erased_are_nowhere": Invariant(
        "members", "no erased person on a board, in a draw or in a segment",
        "Delete that member's rows from the named table, and report it",
    ),
    "scores_are_sums": Invariant(
        "standings", "score = sum of what counted in the competition",
        "Do not settle the competition by hand before the cause is known; report it",
    ),
    "prizes_once": Invariant(
        "prizes", "every prize once", "Reverse the second one (POST /v1/transactions/{id}/reverse), and report it"
    ),
    "totals_are_sums": Invariant("daily_totals", "daily totals equal to the ledger", _NOT_BY_HAND),
    "inbox_and_log": Invariant("events", "no event both queued and decided", REPORT),
}  # fmt: skip

STATE_KINDS_KNOWN = Invariant(
    "states", "every state is a campaign's or a mechanic's",
    "Run the version of Plaudit that has the mechanic; otherwise delete the listed rows from the table `progress`",
)  # fmt: skip
TRANSFERS = Invariant(
    "transfers", "every transfer has arrived in full, is on its way, or was returned",
    "Credit the receiver, or the sender, with what is missing (POST /v1/transactions), and report it",
)  # fmt: skip
REPLAY = Invariant("events", "replaying the log gives the same rows", _NOT_BY_HAND)
NOT_COMPARABLE = Invariant(
    "members", "members not comparable: a part of their programme is not in force today",
    "Nothing: an earlier version decided by something that this version no longer has",
)  # fmt: skip

# Checked for each member while the log is replayed.
OF_BOOKS: dict[str, Invariant] = {
    Unsound.holds: Invariant("members", "every held amount exists", "Release the hold, place it again, and report it"),
    Unsound.debt: Invariant("members", "debt is only what the lots lack", _NOT_BY_HAND),
    Unsound.available: Invariant(
        "members", "nothing below its metric's minimum is available",
        "If the metric's minimum was raised since, credit the member (POST /v1/transactions); otherwise report it",
    ),
}  # fmt: skip


def counted_once() -> Invariant:
    """Return the invariant that no event counts twice for a step, or for a document of a mechanic that counts events."""
    counting = "".join(f" or a {kind}" for kind, mechanic in MECHANICS.items() if mechanic.counts_events)
    return Invariant(
        "events", f"no event counts twice for a step{counting}",
        "Reverse what was paid for the second time (POST /v1/transactions/{id}/reverse), and report it",
    )  # fmt: skip


def of_mechanics() -> dict[str, Invariant]:
    """Return the invariants that mechanics check during a replay, by kind."""
    return {
        kind: Invariant(mechanic.collection, mechanic.recount_invariant.name, mechanic.recount_invariant.remedy)
        for kind, mechanic in MECHANICS.items()
        if mechanic.recount_invariant is not None
    }


def of_members() -> dict[str, Invariant]:
    """Return the invariants of each member, by the names that `soundness` uses."""
    states = {
        kind: Invariant("members", f"{mechanic.collection} are consistent", _NOT_BY_HAND)
        for kind, mechanic in MECHANICS.items()
        if mechanic.checks_states
    }
    return OF_BOOKS | states


def every() -> list[Invariant]:
    """Return all invariants, in the order of the report."""
    return [
        *BY_QUERY.values(), STATE_KINDS_KNOWN, TRANSFERS, counted_once(), *of_mechanics().values(), *of_members().values(), REPLAY,
        NOT_COMPARABLE,
    ]  # fmt: skip
