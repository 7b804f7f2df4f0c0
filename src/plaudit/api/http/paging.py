"""Pages of lists. A cursor says where the next page begins.

A cursor is opaque to clients. It encodes the sort key of the last item.
"""

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
GREATEST_ID = UUID(int=2**128 - 1)  # the start of a list that is sorted by id, newest first

T = TypeVar("T")
Item = TypeVar("Item")


def page_size(query: Mapping[str, str]) -> int:
    """Return the `limit` of a request: 50 by default, at most 100."""
    text = query.get("limit", str(PAGE_SIZE))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_SIZE_MAX or len(text) > 9:
        raise invalid_fields([FieldError("limit", f"must be a number from 1 to {PAGE_SIZE_MAX} (got {text!r})")])
    return int(text)


def cursor_of(*key: Any) -> str:
    """Return the cursor of the page after the item with this sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Return the bytes encoded in base64url without padding (RFC 4648, 5). Raise ValueError."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def read_cursor(query: Mapping[str, str], shape: type[T], first: T) -> T:
    """Return the sort key in the request's cursor, or `first` if it has none. Raise Invalid for a malformed cursor."""
    text = query.get("cursor")
    if not text:
        return first
    try:
        key = msgspec.json.decode(from_base64url(text), type=shape)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise not_a_cursor() from None
    if bounds.wrong_values(key, "cursor"):
        raise not_a_cursor()
    return key


def not_a_cursor() -> Invalid:
    """Return the error for a cursor that is not one of this list."""
    return invalid_fields([FieldError("cursor", "must be a cursor returned by this list")])


def paged(
    items: Sequence[T], size: int, key: Callable[[T], tuple[Any, ...]], end: tuple[Any, ...] | None = None
) -> tuple[Sequence[T], str | None]:
    """Return a page of the items, and the cursor of the next page if there is one more item than the page holds.

    `end` is the sort key of the last item that was examined, if the query stopped before the end of the list.
    """
    if len(items) <= size:
        return items, None if end is None else cursor_of(*end)
    page = items[:size]
    return page, cursor_of(*key(page[-1]))


class PageRequest(Struct, Generic[T], frozen=True):
    """The page of a list that a request asks for: `size` items after the sort key `start`."""

    size: int
    start: T

    @property
    def limit(self) -> int:
        """The number of rows to fetch: one more than the page holds, to find out whether there is a next page."""
        return self.size + 1

    def cut(
        self, items: Sequence[Item], key: Callable[[Item], tuple[Any, ...]], end: tuple[Any, ...] | None = None
    ) -> tuple[Sequence[Item], str | None]:
        """Return the page of the fetched items, and the cursor of the next page; see `paged`."""
        return paged(items, self.size, key, end)


def page_request(query: Mapping[str, str], shape: type[T], first: T) -> PageRequest[T]:
    """Return the page that a request asks for. Raise Invalid for a wrong limit or cursor."""
    return PageRequest(page_size(query), read_cursor(query, shape, first))
