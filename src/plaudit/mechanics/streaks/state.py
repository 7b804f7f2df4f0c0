"""A member's streak states, stored by the streak's id."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from plaudit.core.cause import Cause
from plaudit.core.member import Member, states_of

KIND: Final = "streak"  # the kind of the states and the documents; causes are `streak.<id>`


class StreakState(Struct, frozen=True, array_like=True):
    """A member's streak. Periods are numbers of days, weeks or months (see `periods.period_number`).

    `spans` are the periods that count; `counts` are the actions in periods below the threshold. `awarded` are the
    lengths for which milestones have run, each with the run's last period at that time. `absences` are first and last
    days, as ordinals. `given` starts with the freezes held at an instant (None: at the start), followed by those given
    or (negative) used by choice since. `chosen` are the frozen periods that the member chose (see `freezes`).
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
    """Return a member's streak states by the streaks' ids."""
    return member.states.get(KIND, _NONE)


def keep(member: Member, streak_id: str, state: StreakState) -> None:
    """Set the state of a member's streak."""
    states_of(member, KIND)[streak_id] = state


def cause_of(streak_id: str) -> Cause:
    """Return the cause that stands for a streak."""
    return Cause(KIND, streak_id)


def streak_fields(state: StreakState) -> dict[str, Any]:
    """Return the fields of a streak that conditions and formulas can use."""
    return {"current": state.current, "longest": state.longest, "freezes": state.freezes, "alive": state.alive}
