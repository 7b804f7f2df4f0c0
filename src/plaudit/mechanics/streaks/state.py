"""How a member's streaks stand, as it is kept: by the streak's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.member import Member, states_of

KIND: Final = "streak"  # of the states and the documents; causes are `streak.<id>`


class StreakState(Struct, frozen=True, array_like=True):
    """How a member's streak stands. Periods are numbers of days, weeks or months (see `periods.period_number`).

    `spans` are the periods that count, `counts` how often in periods that do not yet; `awarded` says up to which length,
    and by which period, milestones have been reached; `absences` are first and last days (ordinals).
    `given` is how many freezes there were to begin with, or at an instant, and then what was given (or used by choice)
    when; `chosen` are the frozen periods that were chosen (see `freezes`).
    """

    spans: tuple[tuple[int, int], ...] = ()
    counts: dict[int, int] = {}
    current: int = 0
    longest: int = 0
    alive: bool = False
    freezes: int = 0
    frozen: tuple[int, ...] = ()
    repaired: tuple[int, ...] = ()
    absences: tuple[tuple[int, int], ...] = ()
    awarded: tuple[tuple[int, int], ...] = ()
    zone: str = ""
    previous_zone: str = ""
    zone_since: datetime | None = None
    lapsed_at: datetime | None = None
    due_at: datetime | None = None
    given: tuple[tuple[datetime | None, int], ...] = ()
    chosen: tuple[int, ...] = ()


_NONE: Mapping[str, StreakState] = {}


def streaks_of(member: Member) -> Mapping[str, StreakState]:
    """Return a member's streaks."""
    return member.states.get(KIND, _NONE)


def keep(member: Member, streak_id: str, state: StreakState) -> None:
    """Put down how a streak stands."""
    states_of(member, KIND)[streak_id] = state


def cause_of(streak_id: str) -> Cause:
    """Return a streak as a cause."""
    return Cause(KIND, streak_id)


def streak_fields(state: StreakState) -> dict[str, Any]:
    """What conditions and formulas see of a streak."""
    return {"current": state.current, "longest": state.longest, "freezes": state.freezes, "alive": state.alive}
