"""What can be checked of each event and of each member while the log is decided again, by the tables alone."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct, field

from plaudit.core.decision import Refusal, Trace
from plaudit.core.event import BACKFILL, MERGE, ROLLBACK, STREAK, TAKEOVER
from plaudit.core.member import Member
from plaudit.core.metrics import Metric
from plaudit.core.periods import Cadence, local_day, period_number
from plaudit.core.runs import counts
from plaudit.core.soundness import Unsound, unsound
from plaudit.core.streaks import SPANS_KEPT
from plaudit.engine.arrival import Arrival
from plaudit.storage.programmes import Programme

STREAK_CAUSE = "streak."
_OTHERWISE = frozenset({MERGE, TAKEOVER, BACKFILL, ROLLBACK, STREAK})  # commands, whose trace says something else


class _Counted(Struct):
    """When a streak counted for a member, by the events' times. Without a `cadence` it cannot be said for which turns."""

    times: list[datetime] = field(default_factory=list[datetime])
    cadence: Cadence | None = None
    clear: bool = True


class Recount(Struct):
    """What was found, by what does not hold: of all that has been looked at."""

    events: int = 0
    members: int = 0
    streaks: int = 0
    counted_twice: list[str] = field(default_factory=list[str])
    not_in_streaks: list[str] = field(default_factory=list[str])
    unsound: dict[Unsound, list[str]] = field(default_factory=lambda: {kind: list[str]() for kind in Unsound})
    _counted: dict[tuple[UUID, str], _Counted] = field(default_factory=dict[tuple[UUID, str], _Counted])
    _otherwise: set[UUID] = field(default_factory=set[UUID])

    def see_event(self, arrival: Arrival, trace: list[Trace], programme: Programme) -> None:
        """Look at an event as it was decided, with the programme that judged it."""
        self.events += 1
        if arrival.kind in (MERGE, TAKEOVER, ROLLBACK):
            self._otherwise.add(arrival.member_id)
        if arrival.kind in _OTHERWISE:
            return
        counted = [
            entry for entry in trace if entry.refusal is None and entry.trigger is None and _counts(entry, programme)
        ]
        if len(counted) > 1:
            times = Counter(f"{entry.campaign_id}, step {entry.step}" for entry in counted)
            times += Counter(f"{entry.campaign_id}, a round" for entry in counted if _completed(entry))
            self.counted_twice += [f"event {arrival.event_id}: {what}" for what, number in times.items() if number > 1]
        for entry in trace:
            if entry.campaign_id.startswith(STREAK_CAUSE) and entry.refusal in (None, Refusal.turn_counted):
                self._note(arrival, entry.campaign_id.removeprefix(STREAK_CAUSE), programme)

    def _note(self, arrival: Arrival, streak_id: str, programme: Programme) -> None:
        found = self._counted.setdefault((arrival.member_id, streak_id), _Counted())
        streak = programme.compiled.streaks.get(streak_id)
        if streak is None or streak.threshold > 1 or streak.grace or found.cadence not in (None, streak.cadence):
            found.clear = False
            return
        found.cadence = streak.cadence
        found.times.append(arrival.occurred_at)

    def see_member(self, member: Member, metrics: Mapping[str, Metric]) -> None:
        """Look at a member as they are, after all of their events."""
        self.members += 1
        for what, told in unsound(member, metrics):
            self.unsound[what].append(f"member {member.member_id}, {told}")
        for streak_id, state in member.streaks.items():
            counted = self._counted.pop((member.member_id, streak_id), None)
            if counted is None or not counted.clear or counted.cadence is None or member.member_id in self._otherwise:
                continue
            if state.zone_since is not None or not state.zone:  # another calendar may have counted
                continue
            self.streaks += 1
            turns = {period_number(local_day(at, state.zone), counted.cadence) for at in counted.times}
            first = state.spans[0][0] if len(state.spans) == SPANS_KEPT else min(turns)
            missing = sorted(turn for turn in turns if turn >= first and not counts(state.spans, turn))
            if missing:
                named = f"member {member.member_id}, streak {streak_id}"
                self.not_in_streaks.append(f"{named}: turns {missing[:5]} counted, and are not in its spans")


def _counts(trace: Trace, programme: Programme) -> bool:
    """Return whether a line of a trace is of a campaign, a rule or a streak: of what counts an event."""
    return (
        trace.campaign_id.startswith(STREAK_CAUSE)
        or trace.campaign_id in programme.campaigns
        or trace.campaign_id in programme.rules
    )


def _completed(trace: Trace) -> bool:
    return isinstance(trace.progress, dict) and "completed" in trace.progress
