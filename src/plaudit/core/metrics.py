"""Amounts of a metric: scaled integers, and the one rounding rule. Amounts are never floats."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, Overflow
from fractions import Fraction
from math import floor
from typing import Any

from msgspec import Struct

from .periods import Period, days_after

# The largest amount in smallest units: sums of such amounts must still fit the database's 64-bit integers.
AMOUNT_MAX = 10**15
# The largest sum of many amounts (scores, goals, lifetime amounts), just within these integers.
SUM_MAX = 9 * 10**18


class Expiry(Struct, frozen=True, kw_only=True):
    """When a lot expires: at the end of the day, `days` days later (rolling), or at the end of a calendar period.

    With `extended_by_activity` (rolling only), every credit and every debit extends the expiry of all lots.
    `metric.expiring` fires `remind_days` before a lot expires.
    """

    days: int | None = None
    period: Period | None = None
    extended_by_activity: bool = False
    remind_days: int | None = None


class Cap(Struct, frozen=True):
    """The most that a member can earn of a metric in a calendar period."""

    period: Period
    amount: int


class Multiplier(Struct, frozen=True, kw_only=True):
    """A factor for earned amounts while it applies. `weekdays` are ISO (1 Monday to 7 Sunday); empty: all."""

    name: str
    factor: Decimal
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekdays: frozenset[int] = frozenset()
    condition: Any = None  # a conditions.Condition


class Metric(Struct, frozen=True, kw_only=True):
    """A compiled metric. `minimum`, `maximum` and `default` are in smallest units: 10 ** `decimals` of them are 1.

    `stacking` combines multipliers that apply at the same time: the highest, their product, or the sum of what each adds
    to 1. `into_debt`: the reversal of a spent credit can take the balance below its minimum.
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
        """Return whether the metric needs lots, because amounts can expire or be pending."""
        return self.expiry is not None or self.pending_days > 0


def available_at(metric: Metric, earned_at: datetime, time_zone: str) -> datetime:
    """Return when an earned amount becomes available: `pending_days` later, at the same local time."""
    return days_after(earned_at, metric.pending_days, time_zone)


def to_scaled(number: Any, decimals: int) -> int | None:
    """Return a number (int, float, Decimal or decimal string) in smallest units, or None if not finite or too large.

    Halves are rounded away from zero. A float is taken as its decimal string (99.99 is 99.99), as its sender wrote it.
    """
    if number.__class__ is int:
        return number * 10**decimals
    if number.__class__ is float:  # the fast way for floats that need no rounding, as most do
        whole, point, fraction = repr(number).partition(".")
        if point and len(fraction) <= decimals and fraction.isdigit():
            return int(whole + fraction.ljust(decimals, "0"))
    exact = _exact(number, decimals)
    try:
        return None if exact is None else int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def times(number: Any, factor: Fraction, decimals: int) -> int | None:
    """Return a number times a factor in smallest units, rounded once, or None if it is not finite or too large."""
    exact = _exact(number, decimals)
    if exact is None or not exact.is_finite() or exact.adjusted() > DIGITS_MAX:
        return None
    product = Fraction(exact) * factor
    return floor(product + HALF) if product >= 0 else -floor(HALF - product)


DIGITS_MAX = 40  # digits of a number to be multiplied: far more than any amount has
HALF = Fraction(1, 2)


def _exact(number: Any, decimals: int) -> Decimal | None:
    if isinstance(number, bool):
        return None
    try:
        return (Decimal(repr(number)) if isinstance(number, float) else Decimal(number)).scaleb(decimals)
    except (InvalidOperation, Overflow, TypeError, ValueError, OverflowError):
        return None


def misfit(amount: Any, decimals: int) -> str | None:
    """Return the error's message if a metric with these decimals cannot hold an amount exactly, or None."""
    exact = _exact(amount, decimals)
    if exact is None or not exact.is_finite() or abs(exact) > AMOUNT_MAX:
        return (
            f"must be between -{to_number(AMOUNT_MAX, decimals)} and {to_number(AMOUNT_MAX, decimals)} (got {amount})"
        )
    return f"must have at most {decimals} decimal places (got {amount})" if exact % 1 else None


def is_number(value: Any) -> bool:
    """Return whether a value is a number of any size, or a decimal string."""
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    try:
        return isinstance(value, str | Decimal) and Decimal(value).is_finite()
    except InvalidOperation:
        return False


def to_number(amount: int, decimals: int) -> int | float:
    """Return an amount in smallest units as a number for display and conditions: 12345 with 2 decimals is 123.45."""
    return amount if decimals == 0 else float(Decimal(amount).scaleb(-decimals))
