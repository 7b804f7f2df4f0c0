"""The check of streaks during a replay of the log: every event that counted for a streak is in one of its spans."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, field

from plaudit.core.periods import Cadence, local_day, period_number
from plaudit.mechanics.base import Recount, RecountInvariant

from .compiled import Streak
from .refusals import StreakRefusal
from .rules import SPANS_KEPT
from .runs import counts
from .state import StreakState

INVARIANT = RecountInvariant(
    "every event that counted for a streak is in it",
    "Repair the member's streak (POST /v1/profiles/{userId}/streaks/{streakId}), and report it",
)


class _Counted(Struct):
    """The times of the events that counted for a member's streak.

    If the periods that they count for cannot be worked out from their times alone, `clear` is False.
    """

    times: list[datetime] = field(default_factory=list[datetime])
    cadence: Cadence | None = None
    clear: bool = True


class StreakRecount(Recount):
    """A comparison of the events that counted for a streak with the spans of its state."""

    def __init__(self) -> None:
        super().__init__()
        self._counted: dict[tuple[UUID, str], _Counted] = {}

    def see_event(
        self, member_id: UUID, document_id: str, compiled: Streak | None, at: datetime, refusal: str | None
    ) -> None:
        if refusal not in (None, StreakRefusal.already_checked_in):
            return
        counted = self._counted.setdefault((member_id, document_id), _Counted())
        if (
            compiled is None
            or compiled.threshold > 1
            or compiled.grace
            or counted.cadence not in (None, compiled.cadence)
        ):
            counted.clear = False
            return
        counted.cadence = compiled.cadence
        counted.times.append(at)

    def see_state(self, member_id: UUID, document_id: str, state: StreakState, *, by_events: bool) -> None:
        counted = self._counted.pop((member_id, document_id), None)
        if counted is None or not counted.clear or counted.cadence is None or not by_events:
            return
        if state.zone_since is not None or not state.zone:  # some events may have counted by another time zone
            return
        self.checked += 1
        periods = {period_number(local_day(at, state.zone), counted.cadence) for at in counted.times}
        first = state.spans[0][0] if len(state.spans) == SPANS_KEPT else min(periods)
        missing = sorted(period for period in periods if period >= first and not counts(state.spans, period))
        if missing:
            subject = f"member {member_id}, streak {document_id}"
            self.wrong.append(f"{subject}: periods {missing[:5]} counted but are not in its spans")
