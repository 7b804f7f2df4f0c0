"""Streaks as deciding needs them."""

from collections.abc import Mapping
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import force_setattr

from plaudit.core.cause import UNKNOWN, Cause
from plaudit.core.periods import Cadence
from plaudit.core.program import Effect, Program

from .state import KIND, cause_of


class Price(Struct, frozen=True):
    """What something costs, in smallest units of a metric."""

    metric: str
    amount: int


class Milestone(Struct, frozen=True):
    """What follows when a run has this length; once in each run."""

    length: int
    effects: tuple[Effect, ...]


class Streak(Struct, frozen=True, kw_only=True):
    """`threshold` actions make a period count. Pauses are first and last days, for everybody."""

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
    cause: Cause = UNKNOWN  # follows from its id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.streak_id))


_NONE: Mapping[str, Streak] = {}


def streaks_in(program: Program) -> Mapping[str, Streak]:
    """Return the streaks of a programme by their ids."""
    return program.mechanics.get(KIND, _NONE)


def streak_of(program: Program, streak_id: str) -> Streak | None:
    """Return a streak of the programme; None if there is none of this id."""
    return program.compiled(KIND, streak_id)
