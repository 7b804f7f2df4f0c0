"""The error hierarchy: a stable code, a kind, a message, and the invalid fields. It knows nothing of HTTP."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class ErrorKind(StrEnum):
    """The kinds of errors. `api/http/errors` maps each to a status."""

    invalid = "invalid"
    unauthenticated = "unauthenticated"
    forbidden = "forbidden"
    not_found = "not_found"
    conflict = "conflict"
    too_large = "too_large"
    unsupported = "unsupported"
    mismatch = "mismatch"
    too_many = "too_many"
    too_slow = "too_slow"
    unavailable = "unavailable"
    failed = "failed"


class FieldError(Struct, frozen=True):
    """An invalid field: its path in the request, and what it must be."""

    field: str
    message: str

    def under(self, prefix: str) -> "FieldError":
        """Return the error with `prefix` before its path."""
        joint = "" if self.field.startswith("[") or not self.field or not prefix else "."
        return FieldError(prefix + joint + self.field, self.message)


class PlauditError(Exception):
    """An error that a caller can cause or encounter. `code` is stable; the message is for people.

    `next_at`: when a retry can succeed, if it can, by the clock that shows `now` (None: the wall clock). `made`: the id of
    the object that an earlier request has created.
    """

    kind = ErrorKind.failed
    code = "failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Sequence[FieldError] = (),
        next_at: datetime | None = None,
        now: datetime | None = None,
        made: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.fields = list(fields)
        self.next_at = next_at
        self.now = now
        self.made = made


class Invalid(PlauditError):
    """The request is invalid; every invalid field is named."""

    kind = ErrorKind.invalid
    code = "invalid"


class Unauthenticated(PlauditError):
    """The secret is missing or unknown."""

    kind = ErrorKind.unauthenticated
    code = "unauthenticated"


class Forbidden(PlauditError):
    """The secret is valid, but not for this organisation or this call."""

    kind = ErrorKind.forbidden
    code = "forbidden"


class NotFound(PlauditError):
    """The object does not exist in this organisation."""

    kind = ErrorKind.not_found
    code = "not_found"


class Conflict(PlauditError):
    """The request conflicts with the current state: an object already exists, is referred to, or has run out."""

    kind = ErrorKind.conflict
    code = "conflict"


class TooLarge(PlauditError):
    """The body is larger than the call allows."""

    kind = ErrorKind.too_large
    code = "too_large"


class TooSlow(PlauditError):
    """The body does not arrive, or too slowly."""

    kind = ErrorKind.too_slow
    code = "too_slow"


class UnsupportedMedia(PlauditError):
    """The body has a format that the call does not support."""

    kind = ErrorKind.unsupported
    code = "unsupported_media"


class IdempotencyConflict(PlauditError):
    """The same key was used before with different content."""

    kind = ErrorKind.mismatch
    code = "idempotency_mismatch"


class RateLimited(PlauditError):
    """The organisation has exceeded its limit. `next_at` is when it can call again."""

    kind = ErrorKind.too_many
    code = "rate_limited"


class Unavailable(PlauditError):
    """The server cannot process the request now. Retry later."""

    kind = ErrorKind.unavailable
    code = "unavailable"


def invalid_fields(errors: Sequence[FieldError]) -> Invalid:
    """Return the error for invalid fields. It names at most 50. If some are missing, its sentence is the documented one."""
    errors = errors[:FIELDS_MAX]
    missing = [error.field for error in errors if error.message == FIELD_MISSING]
    if missing:
        return Invalid(f"Missing required fields: {', '.join(missing)}", code="missing_fields", fields=errors)
    whole = [error.message for error in errors if error.message[0].isupper()]
    if whole:  # a documented sentence, which names its field itself
        return Invalid(whole[0], fields=errors)
    if len(errors) == 1 and errors[0].field:
        return Invalid(f"{errors[0].field} {errors[0].message}", fields=errors)
    if len(errors) == 1:
        return Invalid(f"The body {errors[0].message}", fields=errors)
    reasons = "; ".join(f"{error.field} {error.message}".lstrip() for error in errors[:REASONS_MAX])
    more = f"; and {len(errors) - REASONS_MAX} more" if len(errors) > REASONS_MAX else ""
    return Invalid(f"{len(errors)} fields are invalid: {reasons}{more}", fields=errors)


FIELD_MISSING = "is missing"
FIELDS_MAX = 50
REASONS_MAX = 3  # in the message; `fields` has all
