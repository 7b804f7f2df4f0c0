"""Amounts of a metric: scaled integers, and the one rounding rule. No floats near money."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

# Beyond this many smallest units a sum could leave the database's 64-bit integers; one amount may never come near.
AMOUNT_MAX = 10**15


class Metric(Struct, frozen=True, kw_only=True):
    """What is counted for members. `minimum`, `maximum` and `default` are scaled by ten to the power of `decimals`."""

    metric_id: str
    name: str
    decimals: int = 0
    default: int = 0
    minimum: int | None = 0
    maximum: int | None = None


def round_half_up(number: Any, decimals: int) -> int | None:
    """A number (int, float, Decimal or decimal text) in smallest units; None when it is not a finite number.

    Halves go away from zero. Floats count as what they print (99.99 is 99.99), which is what their sender wrote.
    """
    if number.__class__ is int:
        return number * 10**decimals
    if isinstance(number, bool):
        return None
    try:
        exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
        return int(exact.scaleb(decimals).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (InvalidOperation, TypeError, ValueError, OverflowError):
        return None


def shown(amount: int, decimals: int) -> int | float:
    """A scaled amount as the number that people and conditions see: 12345 with 2 decimals is 123.45."""
    return amount if decimals == 0 else float(Decimal(amount).scaleb(-decimals))
