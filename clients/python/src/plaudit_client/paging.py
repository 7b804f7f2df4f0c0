"""Pages of lists."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """A page of a list: its items, and the cursor of the next page; None on the last."""

    @property
    def items(self) -> Sequence[T_co]:
        """The items of this page."""
        ...

    @property
    def cursor(self) -> str | None:
        """Where the next page begins."""
        ...
