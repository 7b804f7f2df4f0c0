"""Record what a request decided and queued, for a dry run, which shows it and rolls it back."""

from contextvars import ContextVar
from uuid import UUID

from msgspec import Struct, field

from .processed import ProcessedEvent


class Watched(Struct, kw_only=True):
    """What was decided, in order; and the events put into the inbox, each with its bucket."""

    decided: list[ProcessedEvent] = field(default_factory=list[ProcessedEvent])
    queued: list[tuple[int, UUID]] = field(default_factory=list[tuple[int, UUID]])


WATCHED: ContextVar[Watched | None] = ContextVar("watched", default=None)
