"""A member's live stream: server-sent events (HTML, 9.2), resumable by `Last-Event-ID`.

event: ready            the stream is open; its id is the position where it starts
event: reset            the requested id is unknown, so the stream starts now; `changed` follows
event: notification     data: the notification, as in /me/notifications; its id is where to resume
event: changed          the member's balances, progress or other data have changed
: (a comment)           every 15 seconds, so that proxies do not close an idle connection
"""

from collections.abc import AsyncIterator

import msgspec

from plaudit import clock
from plaudit.api.http.operations import Call, Operation, OperationResult, Parameter
from plaudit.api.identity.current_member import OWN, load_current_member, member_id
from plaudit.api.views.notification import notification_view
from plaudit.delivery.live import HEARTBEAT_SECONDS, LiveStream, LiveStreams
from plaudit.errors import FieldError, invalid_fields

RETRY_MILLISECONDS = 2_000
DIGITS_MAX = 18  # no id has more
GOT_MAX = 50

_ENCODER = msgspec.json.Encoder()


async def get_stream(call: Call) -> OperationResult:
    """Open a stream. It ends when the token expires."""
    await load_current_member(call)
    stream = await call.services.streams.open(member_id(call), _seen(call))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return OperationResult(
        data=None, status=200, headers=headers, media="text/event-stream", parts=_events(call, stream)
    )


def _seen(call: Call) -> int | None:
    text = call.headers.get("last-event-id") or call.query.get("lastEventId")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS_MAX:
        expected = f"must be an event id received from this stream, a number of at least 0 (got {text[:GOT_MAX]!r})"
        raise invalid_fields([FieldError("Last-Event-ID", expected)])
    return int(text)


async def _events(call: Call, stream: LiveStream) -> AsyncIterator[bytes]:
    assert call.caller is not None
    streams: LiveStreams = call.services.streams
    ends_at = call.caller.expires_at
    try:
        yield f"retry: {RETRY_MILLISECONDS}\nid: {stream.seen}\nevent: ready\ndata: {{}}\n\n".encode()
        if stream.reset:
            yield b"event: reset\ndata: {}\n\nevent: changed\ndata: {}\n\n"
        while not stream.ended and (ends_at is None or clock.now() < ends_at):
            notes, changed = await stream.next(HEARTBEAT_SECONDS)
            if not notes and not changed:
                streams.refresh(stream)
                yield b":\n\n"
                continue
            programme = await call.programme()
            events = [
                b"id: %d\nevent: notification\ndata: %s\n\n"
                % (note.sequence, _ENCODER.encode(notification_view(programme, note)))
                for note in notes
            ]
            yield b"".join([*events, b"event: changed\ndata: {}\n\n"])
    finally:
        streams.close(stream)


_SEEN = Parameter(
    "lastEventId",
    "Where to continue, for clients that cannot set the header Last-Event-ID: the last id received.",
    {"type": "string"},
)

OPERATIONS = [
    Operation(
        name="streamMyNotifications", method="GET", path="/api/loyalty/me/stream",
        summary="Stream notifications as server-sent events", run=get_stream, query=(_SEEN,), streams_response=True,
        errors=(400, 429), other_media=("text/event-stream",), **OWN,
    ),
]  # fmt: skip
