"""CloudEvents. Each event becomes an action. `source` and `id` together are its key, so it counts once."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any, cast
from urllib.parse import unquote_to_bytes

from msgspec import UNSET, Meta, Struct, UnsetType

from plaudit import bounds
from plaudit.api.http.operations import BATCH_BYTES_MAX, Call, Operation, OperationResult, decode_json, decode_loosely
from plaudit.api.http.wire import Json
from plaudit.api.views.actions import IngestResult, ingest_result
from plaudit.documents.lenient import AN_ID
from plaudit.documents.validation import convert
from plaudit.errors import FieldError, Invalid, PlauditError, UnsupportedMedia, invalid_fields
from plaudit.ingest.action import Action
from plaudit.ingest.actions import AcceptedAction

from .actions import BATCH_ACTIONS_MAX, accepted

_JSON_MEDIA = re.compile(r"^[^/\s]+/(?:[^/\s]+\+)?json$")
_STRUCTURED = "application/cloudevents"

Id = Annotated[str, Meta(min_length=1, max_length=256, extra=AN_ID)]


class CloudEvent(Struct, kw_only=True):
    """CloudEvents 1.0. `subject` is the user, `type` the action; `source` and `id` together are the event's key.

    `data` is JSON, or base64 of JSON in `data_base64`; both are optional. Extension attributes are ignored.
    """

    specversion: Annotated[str, Meta(pattern=r"^1\.\d$")]
    id: Id
    source: Annotated[str, Meta(min_length=1, max_length=1_000)]
    type: Annotated[str, Meta(min_length=1, max_length=128)]
    subject: Id
    time: datetime | None = None
    datacontenttype: str | None = None
    data: dict[str, Any] | UnsetType | None = UNSET
    data_base64: str | UnsetType | None = UNSET


# The names of an action's fields in a CloudEvent.
_NAMES = {"action": "type", "userId": "subject", "timestamp": "time", "eventId": "id"}


def _action_of(raw: Any) -> Action | PlauditError:
    if isinstance(raw, PlauditError):
        return raw
    try:
        cloud_event = convert(raw, CloudEvent)
        return to_action(
            {
                "action": cloud_event.type,
                "userId": cloud_event.subject,
                "timestamp": cloud_event.time,
                "data": _data_of(cloud_event),
                "metadata": {"source": cloud_event.source},
                "eventId": "ce:"
                + blake2b(f"{cloud_event.source}\n{cloud_event.id}".encode(), digest_size=16).hexdigest(),
            }
        )
    except PlauditError as error:
        return error


def _data_of(cloud_event: CloudEvent) -> dict[str, Any]:
    """Return the data of an event, from either of its fields. Raise Invalid if it is not a JSON object."""
    data = cloud_event.data or None
    if cloud_event.data_base64 is UNSET or cloud_event.data_base64 is None:
        return data or {}
    if data is not None:
        raise invalid_fields([FieldError("data_base64", "must not be given together with data")])
    if cloud_event.datacontenttype is not None and not is_json(cloud_event.datacontenttype):
        raise invalid_fields(
            [FieldError("datacontenttype", f"must be JSON (got {cloud_event.datacontenttype[:100]!r})")]
        )
    try:
        decoded = decode_json(b64decode(cloud_event.data_base64, validate=True))
    except (NotBase64, ValueError, Invalid):
        raise invalid_fields([FieldError("data_base64", "must be base64 of a JSON object")]) from None
    if not isinstance(decoded, dict):
        raise invalid_fields([FieldError("data_base64", "must be base64 of a JSON object")])
    return cast("dict[str, Any]", decoded)


def is_json(media: str) -> bool:
    """Return whether a media type is JSON, such as `text/json` or `application/vnd.shop+json; charset=utf-8`."""
    return _JSON_MEDIA.match(media.partition(";")[0].strip().lower()) is not None


def to_action(raw: Json) -> Action:
    """Return the action with these fields, without those that are None. Raise Invalid if they are wrong."""
    return convert({name: value for name, value in raw.items() if value is not None}, Action)


def with_client_field_names(
    results: Sequence[AcceptedAction | PlauditError], names: Mapping[str, str]
) -> Sequence[AcceptedAction | PlauditError]:
    """Return the results, with errors that use the client's field names. `names` has these by the action's field names."""
    for result in results:
        if isinstance(result, PlauditError):
            result.fields = [_renamed(field, names) for field in result.fields]
            first = result.fields[0].field if len(result.fields) == 1 else ""
            if first and not result.message.startswith("Missing"):
                result.message = f"{first} {result.fields[0].message}"
    return results


def _renamed(error: FieldError, names: Mapping[str, str]) -> FieldError:
    head, dot, rest = error.field.partition(".")
    return FieldError(names.get(head, head) + dot + rest, error.message)


async def cloud_events(call: Call) -> OperationResult:
    """Store one CloudEvent (structured or binary), or a batch."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == f"{_STRUCTURED}-batch+json":
        events = decode_loosely(call.raw)
        if not isinstance(events, list):
            raise Invalid("A batch of CloudEvents must be a JSON array")
        items = [_action_of(bounds.fitting(event)) for event in check_batch_size(cast("list[Any]", events))]
        return _ingest_response(with_client_field_names(await accepted(call, items), _NAMES))
    if media == f"{_STRUCTURED}+json":
        item = _action_of(decode_json(call.raw))
    elif media.startswith(_STRUCTURED):
        raise UnsupportedMedia(f"Content-Type must be a JSON format of CloudEvents (got {media[:100]})")
    else:
        item = _action_of(_of_headers(call, media))
    results = with_client_field_names(await accepted(call, [item]), _NAMES)
    raise_first_error(results)
    return _ingest_response(results)


def _of_headers(call: Call, media: str) -> Json:
    """Return a CloudEvent in binary mode: the headers contain its attributes, the body is its data."""
    raw: Json = {
        name.removeprefix("ce-"): _header_text(value) for name, value in call.headers.items() if name.startswith("ce-")
    }
    if call.raw:
        if media and not is_json(media):
            raise UnsupportedMedia(f"Content-Type must be JSON (got {media[:100]})")
        raw["data"] = decode_json(call.raw)
    return raw


def _header_text(value: str) -> str:
    """Return the text of a header. Clients percent-encode it (HTTP binding, 3.1.3.2) or send plain UTF-8.

    The HTTP server decodes headers as Latin-1. A value that is not UTF-8 is returned as it is.
    """
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode("utf-8")
    except UnicodeError:
        return value


def check_batch_size(items: list[Any]) -> list[Any]:
    """Return the events of a batch. Raise Invalid if there are too many."""
    if len(items) > BATCH_ACTIONS_MAX:
        raise Invalid(f"A batch may contain at most {BATCH_ACTIONS_MAX:,} events (got {len(items):,})")
    return items


def raise_first_error(results: Sequence[AcceptedAction | PlauditError]) -> None:
    """Raise the first error among the results, if there is one."""
    for result in results:
        if isinstance(result, PlauditError):
            raise result


def _ingest_response(results: Sequence[AcceptedAction | PlauditError]) -> OperationResult:
    return OperationResult(data=ingest_result(results), status=202, enveloped=False)


OPERATIONS = [
    Operation(
        name="reportCloudEvents", method="POST", path="/v1/ingest/cloudevents", summary="Report CloudEvents",
        description="Structured, binary or batched.", run=cloud_events, scope="actions:write", tag="Actions",
        body={"type": "object"}, media="lines", response=IngestResult, status=202, enveloped=False, errors=(400, 413),
        body_bytes_max=BATCH_BYTES_MAX,
    )
]  # fmt: skip
