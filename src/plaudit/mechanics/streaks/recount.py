"""What can be checked of streaks while the log is decided again: every event that counted for a streak is in it."""

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
    """When a streak counted for a member, by the events' times. Without a `cadence`, for which periods is unknown."""

    times: list[datetime] = field(default_factory=list[datetime])
    cadence: Cadence | None = None
    clear: bool = True


class StreakRecount(Recount):
    """The periods that events counted for, and the spans in which they must be."""

    def __init__(self) -> None:
        super().__init__()
        self._counted: dict[tuple[UUID, str], _Counted] = {}

    def see_event(
        self, member_id: UUID, document_id: str, compiled: Streak | None, at: datetime, refusal: str | None
    ) -> None:
        if refusal not in (None, StreakRefusal.already_checked_in):
            return
        found = self._counted.setdefault((member_id, document_id), _Counted())
        if (
            compiled is None
            or compiled.threshold > 1
            or compiled.grace
            or found.cadence not in (None, compiled.cadence)
        ):
            found.clear = False
            return
        found.cadence = compiled.cadence
        found.times.append(at)

    def see_state(self, member_id: UUID, document_id: str, state: StreakState, *, by_events: bool) -> None:
        counted = self._counted.pop((member_id, document_id), None)
        if counted is None or not counted.clear or counted.cadence is None or not by_events:
            return
        if state.zone_since is not None or not state.zone:  # another calendar may have counted
            return
        self.checked += 1
        periods = {period_number(local_day(at, state.zone), counted.cadence) for at in counted.times}
        first = state.spans[0][0] if len(state.spans) == SPANS_KEPT else min(periods)
        missing = sorted(period for period in periods if period >= first and not counts(state.spans, period))
        if missing:
            named = f"member {member_id}, streak {document_id}"
            self.wrong.append(f"{named}: periods {missing[:5]} counted but are not in its spans")
