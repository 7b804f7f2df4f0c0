"""Amounts of a metric: scaled integers, and the one rounding rule. No floats near money."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from .periods import Period

# Beyond this many smallest units a sum could leave the database's 64-bit integers; one amount may never come near.
AMOUNT_MAX = 10**15


class Expiry(Struct, frozen=True, kw_only=True):
    """When a lot expires: at the end of the day `days` days on (rolling), or at the end of a calendar period.

    With `extended_by_activity` (rolling only) every credit and every spending puts the expiry of all off again.
    `remind_days` before it, `metric.expiring` is fired.
    """

    days: int | None = None
    period: Period | None = None
    extended_by_activity: bool = False
    remind_days: int | None = None


class Cap(Struct, frozen=True):
    """How much may be earned of a metric in a calendar period."""

    period: Period
    amount: int


class Multiplier(Struct, frozen=True, kw_only=True):
    """What is earned while it holds counts `factor` times. `weekdays` are ISO (1 Monday to 7 Sunday); empty: all."""

    name: str
    factor: Decimal
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekdays: frozenset[int] = frozenset()
    condition: Any = None  # a conditions.Condition


class Metric(Struct, frozen=True, kw_only=True):
    """What is counted for members. `minimum`, `maximum` and `default` are scaled by ten to the power of `decimals`.

    `stacking` says what several multipliers at once come to: the highest of them, their product, or their sum.
    `into_debt`: a reversal of what is spent already takes the balance below its minimum, rather than to it.
    """

    metric_id: str
    name: str
    decimals: int = 0
    default: int = 0
    minimum: int | None = 0
    maximum: int | None = None
    expiry: Expiry | None = None
    pending_days: int = 0
    caps: tuple[Cap, ...] = ()
    multipliers: tuple[Multiplier, ...] = ()
    stacking: str = "highest"
    into_debt: bool = False

    @property
    def keeps_lots(self) -> bool:
        """Whether it matters what was earned when."""
        return self.expiry is not None or self.pending_days > 0


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
