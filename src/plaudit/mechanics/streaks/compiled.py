"""Compiled streaks."""

from collections.abc import Mapping
from datetime import date, timedelta

from msgspec import Struct
from msgspec.structs import force_setattr

from plaudit.core.cause import UNKNOWN, Cause
from plaudit.core.periods import Cadence
from plaudit.core.program import Effect, Program

from .state import KIND, cause_of


class Price(Struct, frozen=True):
    """A price in smallest units of a metric."""

    metric: str
    amount: int


class Milestone(Struct, frozen=True):
    """The effects when a run reaches this length, once per run."""

    length: int
    effects: tuple[Effect, ...]


class Streak(Struct, frozen=True, kw_only=True):
    """A compiled streak. `threshold` actions make a period count. `pauses` are first and last days, for all members."""

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
    cause: Cause = UNKNOWN  # derived from the id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.streak_id))


_NONE: Mapping[str, Streak] = {}


def streaks_in(program: Program) -> Mapping[str, Streak]:
    """Return a programme's streaks by id."""
    return program.mechanics.get(KIND, _NONE)


def streak_of(program: Program, streak_id: str) -> Streak | None:
    """Return the programme's streak with this id, or None."""
    return program.compiled(KIND, streak_id)
