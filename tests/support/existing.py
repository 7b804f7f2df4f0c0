"""What is surely there."""

from typing import TypeVar

T = TypeVar("T")


def existing(value: T | None) -> T:
    """Return a value that the test knows to exist."""
    assert value is not None
    return value
