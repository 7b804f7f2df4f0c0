"""One family of errors: a stable code, a kind, a sentence, and the fields concerned. Knows nothing of HTTP."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class ErrorKind(StrEnum):
    """What sort of thing went wrong; `api/http/errors` maps each to a status, once."""

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
    """What is wrong with one field: its path in the request, and what it must be."""

    field: str
    message: str

    def under(self, prefix: str) -> "FieldError":
        """The same, where the field is part of something larger."""
        joint = "" if self.field.startswith("[") or not self.field or not prefix else "."
        return FieldError(prefix + joint + self.field, self.message)


class PlauditError(Exception):
    """Anything that a caller did or met that has a name. `code` is stable, the message is for people.

    `next_at` is when it may succeed, for what ends by itself, by the clock that shows `now` (None: the wall clock); `made` the id of what was made before.
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
    """The request is not what it must be; every field that is wrong is named."""

    kind = ErrorKind.invalid
    code = "invalid"


class Unauthenticated(PlauditError):
    """There is no secret, or one that nobody knows."""

    kind = ErrorKind.unauthenticated
    code = "unauthenticated"


class Forbidden(PlauditError):
    """The secret is known, but not for this organisation or not for this call."""

    kind = ErrorKind.forbidden
    code = "forbidden"


class NotFound(PlauditError):
    """There is no such thing in this organisation."""

    kind = ErrorKind.not_found
    code = "not_found"


class Conflict(PlauditError):
    """It cannot be done in the present state of things: it exists already, is referred to, or has run out."""

    kind = ErrorKind.conflict
    code = "conflict"


class TooLarge(PlauditError):
    """The body is larger than the call takes."""

    kind = ErrorKind.too_large
    code = "too_large"


class TooSlow(PlauditError):
    """The body does not come, or hardly."""

    kind = ErrorKind.too_slow
    code = "too_slow"


class UnsupportedMedia(PlauditError):
    """A body in a format that the call does not take."""

    kind = ErrorKind.unsupported
    code = "unsupported_media"


class IdempotencyConflict(PlauditError):
    """The same key came with another content before."""

    kind = ErrorKind.mismatch
    code = "idempotency_mismatch"


class RateLimited(PlauditError):
    """More requests than the organisation's limit; `next_at` is when there may be more."""

    kind = ErrorKind.too_many
    code = "rate_limited"


class Unavailable(PlauditError):
    """The server cannot do it now; trying again later is right."""

    kind = ErrorKind.unavailable
    code = "unavailable"


def invalid_fields(errors: Sequence[FieldError]) -> Invalid:
    """The error for fields that are wrong, in the documents' words where some are missing. So many are named at most."""
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
REASONS_MAX = 3  # of those that the message itself gives
