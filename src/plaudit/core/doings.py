"""What a campaign has done, and the logged events that are decided again without it."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from .event import Event
from .program import Program


class Doings(Struct, frozen=True):
    """A campaign's results between two instants, by the events' own times; or for one event."""

    campaign_id: str
    since: datetime | None = None
    until: datetime | None = None
    of_event: UUID | None = None

    def cover(self, event: Event) -> bool:
        """Return whether what the campaign has made of an event is among them."""
        if self.of_event is not None:
            return event.event_id == self.of_event
        after = self.since is None or self.since <= event.occurred_at
        return after and (self.until is None or event.occurred_at < self.until)


class Happened(Struct, frozen=True):
    """An event of the log: by which programme it was judged, with which claims refused, and whether it was rejected.

    Of a takeover, `former` is the log of who was merged into the member, from its beginning to the merge.
    """

    event: Event
    program: Program
    refused: frozenset[UUID] = frozenset()
    rejected: bool = False
    former: "tuple[Happened, ...]" = ()
