"""Further ways in for those who speak them already: CloudEvents, and the calls of Segment's libraries.

Each is turned into an action and goes the way of all actions: durable before the answer, once by its id.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct, field

from plaudit.documents.reading import read
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields

from .actions import BATCH_ACTIONS_MAX, Action, accepted
from .operations import BATCH_BYTES_MAX, Answer, Call, Operation, decode_json
from .outside import Json
from .schemas import BOOLEAN, INTEGER, OBJECTS, object_of

_WORDS = re.compile(r"[^A-Za-z0-9._:-]+")


class CloudEvent(Struct, kw_only=True):
    """CloudEvents 1.0: `subject` is the user, `type` the action, `source` and `id` together make it count once."""

    specversion: Annotated[str, Meta(pattern=r"^1\.\d$")]
    id: Annotated[str, Meta(min_length=1, max_length=256)]
    source: Annotated[str, Meta(min_length=1, max_length=1_000)]
    type: Annotated[str, Meta(min_length=1, max_length=128)]
    subject: Annotated[str, Meta(min_length=1, max_length=256)]
    time: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class Track(Struct, kw_only=True, rename="camel"):
    """Segment's `track`: `event` is the action (`Order Completed` becomes `order_completed`), `properties` its data."""

    event: Annotated[str, Meta(min_length=1, max_length=200)]
    user_id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict[str, Any])
    timestamp: datetime | None = None
    message_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    context: dict[str, Any] = field(default_factory=dict[str, Any])


def _of_cloud_event(raw: Any) -> Action | PlauditError:
    try:
        one = read(raw, CloudEvent)
        return _action(
            {
                "action": one.type,
                "userId": one.subject,
                "timestamp": one.time,
                "data": one.data,
                "metadata": {"source": one.source},
                "eventId": "ce:" + blake2b(f"{one.source}\n{one.id}".encode(), digest_size=16).hexdigest(),
            }
        )
    except PlauditError as error:
        return error


def _of_track(raw: Any) -> Action | PlauditError:
    try:
        given = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
        one = read({name: value for name, value in given.items() if name in _TRACK}, Track)
        if one.user_id is None:
            return invalid_fields([FieldError("userId", "is missing: anonymous users are not kept")])
        return _action(
            {
                "action": _WORDS.sub("_", one.event.strip()).strip("_").lower(),
                "userId": one.user_id,
                "timestamp": one.timestamp,
                "data": one.properties,
                "metadata": {"source": "segment", **({"context": one.context} if one.context else {})},
                "eventId": one.message_id,
            }
        )
    except PlauditError as error:
        return error


_TRACK = {one.encode_name for one in msgspec.structs.fields(Track)}


def _action(raw: Json) -> Action:
    return read({name: value for name, value in raw.items() if value is not None}, Action)


async def cloud_events(call: Call) -> Answer:
    """One event (structured or binary), or a batch of them."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "application/cloudevents-batch+json":
        events = decode_json(call.raw)
        if not isinstance(events, list):
            raise Invalid("A batch of CloudEvents must be a list")
        return await _answered(call, [_of_cloud_event(one) for one in _bounded(events)])  # pyright: ignore[reportUnknownArgumentType]
    if media == "application/cloudevents+json":
        raw = decode_json(call.raw)
    else:  # binary: the attributes stand in the headers, the body is the data
        raw = {name.removeprefix("ce-"): value for name, value in call.headers.items() if name.startswith("ce-")}
        raw["data"] = decode_json(call.raw)
    return await _one(call, _of_cloud_event(raw))


async def track(call: Call) -> Answer:
    """One event of Segment's libraries."""
    await _one(call, _of_track(call.body))
    return Answer(data={"success": True}, status=200, enveloped=False)


async def segment_batch(call: Call) -> Answer:
    """A batch of Segment's libraries; what is not `track` is passed over."""
    given = cast("dict[str, Any]", call.body) if isinstance(call.body, dict) else {}
    batch = given.get("batch")
    if not isinstance(batch, list):
        raise invalid_fields([FieldError("batch", "must be a list")])
    items = [_of_track(one) for one in _bounded(cast("list[Any]", batch)) if _is_track(one)]
    return await _answered(call, items, status=200)


def _is_track(one: Any) -> bool:
    return not isinstance(one, dict) or cast("dict[str, Any]", one).get("type", "track") == "track"


def _bounded(items: list[Any]) -> list[Any]:
    if len(items) > BATCH_ACTIONS_MAX:
        raise Invalid(f"A batch may have {BATCH_ACTIONS_MAX} events at most (got {len(items)})")
    return items


async def _one(call: Call, item: Action | PlauditError) -> Answer:
    if isinstance(item, PlauditError):
        raise item
    (result,) = await accepted(call, [item])
    if result["status"] == "refused":
        error = result["error"]
        fields = [FieldError(**one) for one in error.get("details", [])]
        raise Invalid(error["message"], code=error["code"], fields=fields)
    return Answer(data={"accepted": 1, "refused": 0, "results": [result]}, status=202, enveloped=False)


async def _answered(call: Call, items: Sequence[Action | PlauditError], status: int = 202) -> Answer:
    results = await accepted(call, items)
    refused = sum(one["status"] == "refused" for one in results)
    told = {"success": refused == 0, "accepted": len(results) - refused, "refused": refused, "results": results}
    return Answer(data=told, status=status, enveloped=False)


_ACCEPTED = object_of({"accepted": INTEGER, "refused": INTEGER, "results": OBJECTS})
_LOOSE: Json = {"type": "object"}

OPERATIONS = [
    Operation(
        method="POST", path="/v1/ingest/cloudevents", summary="Report CloudEvents: structured, binary or a batch",
        run=cloud_events, scope="actions:write", tag="Actions", body=_LOOSE, media="lines", answer=_ACCEPTED,
        status=202, enveloped=False, errors=(400, 413), body_bytes_max=BATCH_BYTES_MAX,
    ),
    Operation(
        method="POST", path="/v1/track", summary="Report an event as Segment's libraries do", run=track,
        scope="actions:write", tag="Actions", body=_LOOSE, answer=object_of({"success": BOOLEAN}), enveloped=False,
        errors=(400, 413),
    ),
    Operation(
        method="POST", path="/v1/batch", summary="Report events as Segment's libraries do, many at once",
        run=segment_batch, scope="actions:write", tag="Actions", body=_LOOSE, answer=_ACCEPTED, enveloped=False,
        errors=(400, 413), body_bytes_max=BATCH_BYTES_MAX,
    ),
]  # fmt: skip
