"""What an achievement changed, as members see it: metrics, items and moves, before and after."""

from collections.abc import Iterable

from msgspec import Struct, field

from .cause import Cause
from .decision import Decision, Move, ProductChange, Transaction


class BalanceChange(Struct, frozen=True):
    """A transaction's effect on a balance (scaled integers)."""

    metric: str
    amount: int
    balance_after: int
    cause: Cause


class ChangeSummary(Struct, frozen=True, omit_defaults=True):
    """Balances before and after by metric (scaled integers); items with quantities, negative for lost ones; moves."""

    metrics: dict[str, tuple[int, int]] = {}
    items: tuple[ProductChange, ...] = ()
    moves: tuple[Move, ...] = field(default=(), name="rungs")


def summarise(
    cause: Cause,
    moved: Iterable[BalanceChange | Transaction],
    items: Iterable[ProductChange],
    moves: Iterable[Move],
) -> ChangeSummary:
    """Return what one cause changed. `moves` are those shown with this cause, as moves have no cause of their own."""
    metrics: dict[str, tuple[int, int]] = {}
    for balance_change in moved:
        if balance_change.cause == cause and balance_change.amount:
            before = (
                metrics[balance_change.metric][0]
                if balance_change.metric in metrics
                else balance_change.balance_after - balance_change.amount
            )
            metrics[balance_change.metric] = (before, balance_change.balance_after)
    return ChangeSummary(metrics, tuple(item for item in items if item.logged == cause.logged), tuple(moves))


def summarise_decision(decision: Decision, cause: Cause) -> ChangeSummary:
    """Return what a cause changed in a decision, with the moves that followed."""
    return summarise(cause, decision.transactions, decision.items, decision.moves)
