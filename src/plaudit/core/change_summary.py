"""The changes of one cause as members see them: balances before and after, products, and moves."""

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
    """Balances before and after, by metric (scaled integers); products with quantities, negative if lost; moves."""

    metrics: dict[str, tuple[int, int]] = {}
    items: tuple[ProductChange, ...] = ()
    moves: tuple[Move, ...] = field(default=(), name="rungs")


def summarise(
    cause: Cause,
    balance_changes: Iterable[BalanceChange | Transaction],
    items: Iterable[ProductChange],
    moves: Iterable[Move],
) -> ChangeSummary:
    """Return the changes of one cause, with these `moves`: a move does not have a cause, so the caller selects them."""
    metrics: dict[str, tuple[int, int]] = {}
    for balance_change in balance_changes:
        if balance_change.cause == cause and balance_change.amount:
            before = (
                metrics[balance_change.metric][0]
                if balance_change.metric in metrics
                else balance_change.balance_after - balance_change.amount
            )
            metrics[balance_change.metric] = (before, balance_change.balance_after)
    return ChangeSummary(metrics, tuple(item for item in items if item.logged == cause.logged), tuple(moves))


def summarise_decision(decision: Decision, cause: Cause) -> ChangeSummary:
    """Return the changes of a cause in a decision, with all of the decision's moves."""
    return summarise(cause, decision.transactions, decision.items, decision.moves)
