"""Record what a request decided and queued. A dry run returns the record, and rolls everything back."""

from contextvars import ContextVar
from uuid import UUID

from msgspec import Struct, field

from .processed import ProcessedEvent


class Recording(Struct, kw_only=True):
    """The decided events in order, and the queued events with their buckets."""

    decided: list[ProcessedEvent] = field(default_factory=list[ProcessedEvent])
    queued: list[tuple[int, UUID]] = field(default_factory=list[tuple[int, UUID]])


RECORDING: ContextVar[Recording | None] = ContextVar("recording", default=None)
