"""What a request has decided and queued, for the request that wants to know: a dry run, which shows it and undoes it."""

from contextvars import ContextVar
from uuid import UUID

from msgspec import Struct, field

from .processed import ProcessedEvent


class Watched(Struct, kw_only=True):
    """What was decided, in its order; and the events that went into the inbox, each with its bucket."""

    decided: list[ProcessedEvent] = field(default_factory=list[ProcessedEvent])
    queued: list[tuple[int, UUID]] = field(default_factory=list[tuple[int, UUID]])


WATCHED: ContextVar[Watched | None] = ContextVar("watched", default=None)
