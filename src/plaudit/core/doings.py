"""The input of a rollback: which results of a campaign to undo, and the logged events to decide again without it."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from .event import Event
from .program import Program


class Doings(Struct, frozen=True):
    """The results of a campaign that a rollback covers: those of events between two times, or those of one event."""

    campaign_id: str
    since: datetime | None = None
    until: datetime | None = None
    of_event: UUID | None = None

    def cover(self, event: Event) -> bool:
        """Return whether the campaign's results of an event are covered."""
        if self.of_event is not None:
            return event.event_id == self.of_event
        is_since = self.since is None or self.since <= event.occurred_at
        return is_since and (self.until is None or event.occurred_at < self.until)


class Happened(Struct, frozen=True):
    """An event of the log, with the programme that decided it, its refused claims, and whether it was rejected.

    For a takeover, `former` is the whole log of the member who was merged into this one, up to the merge.
    """

    event: Event
    program: Program
    refused: frozenset[UUID] = frozenset()
    rejected: bool = False
    former: "tuple[Happened, ...]" = ()
