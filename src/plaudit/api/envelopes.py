"""The envelopes of answers: the only place that knows them."""

from typing import Any

import msgspec

from plaudit.errors import PlauditError

_ENCODER = msgspec.json.Encoder()


def success(data: Any) -> bytes:
    """`/v1` and `/api/audience`: the data of an answer."""
    return _ENCODER.encode({"success": True, "data": data})


def bare(data: Any) -> bytes:
    """What the documents show without an envelope."""
    return _ENCODER.encode(data)


def failure(error: PlauditError) -> bytes:
    """`/v1` and `/api/audience`: an error."""
    shown: dict[str, Any] = {"message": error.message, "code": error.code}
    if error.fields:
        shown["details"] = [{"field": one.field, "message": one.message} for one in error.fields]
    return _ENCODER.encode({"success": False, "error": shown})
