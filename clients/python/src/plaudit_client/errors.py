"""The client's exceptions."""

from collections.abc import Mapping
from datetime import datetime


class PlauditError(Exception):
    """The API refused a request, or could not be reached (status 0).

    `code` never changes; `fields` says what is wrong with each field. `next_available_at` is when a refused command can
    succeed; `id` is what the first of several identical requests created.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        fields: Mapping[str, str] | None = None,
        next_available_at: datetime | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.fields = dict(fields or {})
        self.next_available_at = next_available_at
        self.id = id


class InvalidSignature(Exception):
    """A message that did not come from the server, was changed on the way, or is too old."""
