"""What must hold of a member's state, however it came about: a book-keeper can check it with nothing else at hand."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise

from . import runs
from .ledger.lots import DEBT, Book
from .ledger.post import available, in_lots
from .member import Balance, Member, StreakState
from .metrics import Metric


class Unsound(StrEnum):
    """What does not hold."""

    holds = "holds"
    debt = "debt"
    available = "available"
    streaks = "streaks"


def unsound(member: Member, metrics: Mapping[str, Metric]) -> Iterator[tuple[Unsound, str]]:
    """Return what does not hold of a member, in words; of a metric that is no more, nothing is asked."""
    for metric_id, balance in member.balances.items():
        metric = metrics.get(metric_id)
        if metric is not None:
            for what, told in _of_balance(metric, balance):
                yield what, f"metric {metric_id}: {told}"
    for streak_id, state in member.streaks.items():
        for told in _of_streak(state):
            yield Unsound.streaks, f"streak {streak_id}: {told}"


def _of_balance(metric: Metric, balance: Balance) -> Iterator[tuple[Unsound, str]]:
    free = available(balance)
    if metric.minimum is not None and not metric.into_debt and free < min(metric.minimum, 0):
        yield Unsound.available, f"{free} are available of a balance of {balance.amount}"
    book = balance.book
    if book is None:
        return
    reserved = dict.fromkeys((lot.number for lot in book.lots), 0)
    for hold in book.holds:
        inside = sum(part.amount for part in hold.parts)
        lacks = inside < hold.amount and metric.minimum is not None and metric.minimum >= 0 and not metric.into_debt
        if inside > hold.amount or (lacks and in_lots(metric, balance)):
            yield Unsound.holds, f"hold {hold.hold_id} is of {hold.amount}, and has {inside} in lots"
        for part in hold.parts:
            reserved[part.lot] = reserved.get(part.lot, 0) + part.amount
    amounts = {lot.number: lot.amount for lot in book.lots}
    for number, held in reserved.items():
        if held > max(amounts.get(number, 0), 0):
            yield Unsound.holds, f"{held} of lot {number} are held, and it has {amounts.get(number, 0)}"
    yield from _of_debt(book, reserved)


def _of_debt(book: Book, reserved: Mapping[int, int]) -> Iterator[tuple[Unsound, str]]:
    """Debt is only what all lots lack: nothing that could pay it is left."""
    owed = sum(lot.amount for lot in book.lots if lot.number == DEBT)
    left = sum(
        lot.amount - reserved[lot.number] for lot in book.lots if lot.number != DEBT and lot.available_at is None
    )
    if owed and left > 0:
        yield Unsound.debt, f"{-owed} are owed, though {left} are available"


def _of_streak(state: StreakState) -> Iterator[str]:
    if any(first > last for first, last in state.spans) or any(
        later[0] <= earlier[1] + 1 for earlier, later in pairwise(state.spans)
    ):
        yield f"its spans {state.spans} are not apart and in order"
    if state.current > state.longest or state.freezes < 0:
        yield f"{state.current} in a row, {state.longest} at the longest, {state.freezes} freezes"
    spared = [turn for turn in state.frozen if runs.counts(state.spans, turn)]
    if spared:
        yield f"turns {spared} count, and are spared by freezes as well"
