"""Streaks as deciding needs them."""

from datetime import date, timedelta

from msgspec import Struct

from plaudit.core.periods import Cadence
from plaudit.core.program import Effect, Program

from .state import KIND


class Price(Struct, frozen=True):
    """What something costs, in smallest units of a metric."""

    metric: str
    amount: int


class Milestone(Struct, frozen=True):
    """What follows when a run has this length; once in each run."""

    length: int
    effects: tuple[Effect, ...]


class Streak(Struct, frozen=True, kw_only=True):
    """`threshold` actions make a turn count. Pauses are first and last days, for everybody."""

    streak_id: str
    name: str
    active: bool = True
    cadence: Cadence = Cadence.daily
    threshold: int = 1
    grace: timedelta = timedelta(0)
    freezes_max: int = 0
    freezes_at_start: int = 0
    freezes_automatic: bool = True
    freeze_price: Price | None = None
    repair_days: int = 0
    repair_price: Price | None = None
    pauses: tuple[tuple[date, date], ...] = ()
    milestones: tuple[Milestone, ...] = ()


def streak_of(program: Program, streak_id: str) -> Streak | None:
    """Return a streak of the programme; None if there is none of this id."""
    return program.compiled(KIND, streak_id)
