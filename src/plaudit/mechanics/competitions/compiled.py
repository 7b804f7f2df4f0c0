"""Compiled competitions."""

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
    """The prize for the ranks from `first` to `last`."""

    first: int
    last: int
    effects: tuple[Effect, ...]


class League(Struct, frozen=True):
    """A league: rounds of a calendar `period`, in divisions, lowest first.

    After each round, `promote` members of each division move up and `relegate` move down.
    """

    period: Period
    divisions: tuple[str, ...]
    promote: int
    relegate: int


class Competition(Struct, frozen=True, kw_only=True):
    """A compiled competition: a contest by entries, or a ranking by earnings of `metric` or by events with `trigger`.

    `get` reads the field of these events that is summed (None: events are counted). The profile field `scope_field`
    divides the leaderboard. `excluded` users and members outside the `audience` do not compete.
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
    cause: Cause = UNKNOWN  # derived from the id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", cause_of(self.competition_id))

    @property
    def is_ranking(self) -> bool:
        """Whether the competition ranks by a score, and so has standings."""
        return self.metric is not None or self.trigger is not None

    def is_open(self, at: datetime) -> bool:
        """Return whether scores and entries count at an instant."""
        return (
            self.active
            and (self.starts_at is None or self.starts_at <= at)
            and (self.ends_at is None or at < self.ends_at)
        )

    def prize_for(self, rank: int) -> int | None:
        """Return the index of the first prize for a rank, or None."""
        return next((index for index, prize in enumerate(self.prizes) if prize.first <= rank <= prize.last), None)


def competition_of(program: Program, competition_id: str) -> Competition | None:
    """Return the programme's competition with this id, or None."""
    return program.compiled(KIND, competition_id)
