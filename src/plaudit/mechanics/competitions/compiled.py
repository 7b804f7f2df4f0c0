"""Competitions as deciding needs them."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import force_setattr

from plaudit.core.cause import UNKNOWN, Cause
from plaudit.core.conditions import Condition
from plaudit.core.fields import Getter
from plaudit.core.periods import Period
from plaudit.core.program import Audience, Effect, Program

from .state import KIND, cause_of


class Prize(Struct, frozen=True):
    """What the ranks from `first` to `last` win."""

    first: int
    last: int
    effects: tuple[Effect, ...]


class League(Struct, frozen=True):
    """Rounds of a calendar `period` in divisions, the lowest first: so many go up, so many down, after each."""

    period: Period
    divisions: tuple[str, ...]
    promote: int
    relegate: int


class Competition(Struct, frozen=True, kw_only=True):
    """A contest by entries; or by a ranking, on what is earned of `metric`, or on events of kind `trigger`.

    `get` finds the field of these events that is summed (None: they are counted). `scope_field` of the profile
    divides the board. `excluded` users and those outside the `audience` do not take part.
    """

    competition_id: str
    active: bool
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    metric: str | None = None
    trigger: str | None = None
    condition: Condition | None = None
    get: Getter | None = None
    scope_field: str | None = None
    league: League | None = None
    excluded: frozenset[str] = frozenset()
    audience: Audience | None = None
    prizes: tuple[Prize, ...] = ()
    cause: Cause = UNKNOWN  # follows from its id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.competition_id))

    @property
    def is_ranking(self) -> bool:
        """Whether it has standings."""
        return self.metric is not None or self.trigger is not None

    def is_open(self, at: datetime) -> bool:
        """Return whether it takes part in what happens at an instant."""
        return (
            self.active
            and (self.starts_at is None or self.starts_at <= at)
            and (self.ends_at is None or at < self.ends_at)
        )

    def prize_for(self, rank: int) -> int | None:
        """Return which prize a rank wins: the first band that it falls in."""
        return next((number for number, prize in enumerate(self.prizes) if prize.first <= rank <= prize.last), None)


def competition_of(program: Program, competition_id: str) -> Competition | None:
    """Return a competition of the programme; None if there is none of this id."""
    return program.compiled(KIND, competition_id)
