"""Cursors: where a list goes on. Opaque outside; inside, the sort key of the last item."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct

from plaudit import bounds
from plaudit.errors import FieldError, Invalid, invalid_fields

PAGE_SIZE = 50
PAGE_SIZE_MAX = 100
GREATEST_ID = UUID(int=2**128 - 1)  # where a list by ids begins that has the newest first

T = TypeVar("T")
Item = TypeVar("Item")


def page_size(query: Mapping[str, str]) -> int:
    """The `limit` of a request: 50 unless it says otherwise, 100 at most."""
    text = query.get("limit", str(PAGE_SIZE))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_SIZE_MAX or len(text) > 9:
        raise invalid_fields([FieldError("limit", f"must be a number from 1 to {PAGE_SIZE_MAX} (got {text!r})")])
    return int(text)


def cursor_of(*key: Any) -> str:
    """The cursor that says: after the item with this sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """The bytes behind base64url without padding (RFC 4648, 5). Raises ValueError."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def read_cursor(query: Mapping[str, str], shape: type[T], first: T) -> T:
    """The sort key in the request's cursor, or `first` when it has none. Raises Invalid for what is no cursor."""
    text = query.get("cursor")
    if not text:
        return first
    try:
        found = msgspec.json.decode(from_base64url(text), type=shape)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise not_a_cursor() from None
    if bounds.wrong_values(found, "cursor"):
        raise not_a_cursor()
    return found


def not_a_cursor() -> Invalid:
    """The error for a cursor that no list has answered."""
    return invalid_fields([FieldError("cursor", "must be a cursor returned by this list")])


def paged(
    items: Sequence[T], size: int, key: Callable[[T], tuple[Any, ...]], end: tuple[Any, ...] | None = None
) -> tuple[Sequence[T], str | None]:
    """A page out of up to one item more than it holds, and the cursor to the next one if there is more.

    `end` is the sort key of the last that was looked at, where that was not to the end of the list.
    """
    if len(items) <= size:
        return items, None if end is None else cursor_of(*end)
    shown = items[:size]
    return shown, cursor_of(*key(shown[-1]))


class PageRequest(Struct, Generic[T], frozen=True):
    """Which page of a list a request asks for: `size` items after the sort key `start`."""

    size: int
    start: T

    @property
    def limit(self) -> int:
        """How many rows to fetch: one more than the page holds, to see whether there is a next one."""
        return self.size + 1

    def cut(
        self, items: Sequence[Item], key: Callable[[Item], tuple[Any, ...]], end: tuple[Any, ...] | None = None
    ) -> tuple[Sequence[Item], str | None]:
        """Return the page out of the fetched items, and the cursor to the next one; see `paged`."""
        return paged(items, self.size, key, end)


def page_request(query: Mapping[str, str], shape: type[T], first: T) -> PageRequest[T]:
    """Return which page a request asks for. Raise Invalid for a limit or cursor that is none."""
    return PageRequest(page_size(query), read_cursor(query, shape, first))
