"""The views of streaks in profiles and in the member API."""

from typing import Any

from msgspec import UNSET, UnsetType, structs

from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.view import Time, View, optional_time

from .compiled import streaks_in
from .state import StreakState, streaks_of


class StreakProgress(View):
    """A member's current run. It breaks unless the member extends it before `extendBy`."""

    current: int
    longest: int
    alive: bool
    freezes: int
    extend_by: Time | None
    broken_at: Time | None
    time_zone: str


class MemberStreak(View):
    """A member's streak."""

    streak_id: str
    streak: StreakProgress


class StreakStanding(View):
    """A streak with the member's current run, even if it has not started."""

    streak_id: str
    name: str
    cadence: str
    current: int
    longest: int
    alive: bool
    freezes: int
    extend_by: Time | None
    broken_at: Time | None
    time_zone: str | UnsetType = UNSET


_NOT_STARTED: dict[str, Any] = {
    "current": 0, "longest": 0, "alive": False, "freezes": 0, "extend_by": None, "broken_at": None,
}  # fmt: skip


def streak_view(state: StreakState) -> StreakProgress:
    """Return the view of a member's streak."""
    return StreakProgress(
        current=state.current,
        longest=state.longest,
        alive=state.alive,
        freezes=state.freezes,
        extend_by=optional_time(state.due_at),
        broken_at=None if state.alive else optional_time(state.lapsed_at),
        time_zone=state.zone,
    )


def streak_standings(program: Program, member: Member) -> list[StreakStanding]:
    """Return the streaks that a member has started or can start."""
    own = streaks_of(member)
    return [
        StreakStanding(
            streak_id=streak_id,
            name=streak.name,
            cadence=streak.cadence,
            **(structs.asdict(streak_view(own[streak_id])) if streak_id in own else _NOT_STARTED),
        )
        for streak_id, streak in streaks_in(program).items()
        if streak.active or streak_id in own
    ]
