"""Split a batch when some of its events are suspected of having stopped a process."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from plaudit.guard import STOPPED_ORG, Suspect, known
from plaudit.storage.suspects import ORG_STOPPED
from plaudit.view import time_text

from .arrival import Arrival


def why_set_aside(arrival: Arrival, stopped: Suspect) -> str:
    """Return why an event is set aside: because of itself, of its member's timers, or of its organisation's events."""
    if stopped.suspect_id == arrival.event_id:
        return f"It was quarantined: while it was being decided, {stopped.reason}"
    if stopped.kind == "tick" and stopped.member_id == arrival.member_id:
        return f"It was quarantined undecided: while a timer of its member was being decided, {stopped.reason}"
    until = time_text(stopped.noted_at + ORG_STOPPED)
    return (
        f"It was set aside undecided: so are all events of its organisation until {until}, unless others hang again, "
        f"since {STOPPED_ORG} of them ended or stopped a process (of one: {stopped.reason})"
    )


def what_stops(arrival: Arrival) -> Suspect | None:
    """Return the suspect because of which an event is set aside, or None."""
    return known.stopped(arrival.event_id) or known.orgs.get(arrival.org_id) or known.members.get(arrival.member_id)


class TrialPart(Struct, frozen=True):
    """Arrivals to process together. A suspect is alone. If `stopped` is set, it is not tried again."""

    arrivals: Sequence[Arrival]
    suspected: bool = False
    stopped: Suspect | None = None


def apart(arrivals: Sequence[Arrival]) -> Iterator[TrialPart]:
    """Split arrivals, in order, into parts to process together. Each suspect is alone."""
    if not known.all:  # nearly always
        if arrivals:
            yield TrialPart(arrivals)
        return
    together: list[Arrival] = []
    for arrival in arrivals:
        stopped = what_stops(arrival)
        if stopped is None and arrival.event_id not in known.all:
            together.append(arrival)
            continue
        if together:
            yield TrialPart(together)
            together = []
        yield TrialPart([arrival], suspected=stopped is None, stopped=stopped)
    if together:
        yield TrialPart(together)
