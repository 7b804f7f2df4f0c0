"""Amounts of a metric: scaled integers, and the one rounding rule. No floats for money."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, Overflow
from fractions import Fraction
from math import floor
from typing import Any

from msgspec import Struct

from .periods import Period, days_after

# Beyond this many smallest units a sum could leave the database's 64-bit integers; one amount may never come near.
AMOUNT_MAX = 10**15
# … and what is summed of many amounts (scores, goals, all that was ever earned) stays within these integers.
SUM_MAX = 9 * 10**18


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
    """The amount of a metric that may be earned in a calendar period."""

    period: Period
    amount: int


class Multiplier(Struct, frozen=True, kw_only=True):
    """While it holds, earned amounts count `factor` times. `weekdays` are ISO (1 Monday to 7 Sunday); empty: all."""

    name: str
    factor: Decimal
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    weekdays: frozenset[int] = frozenset()
    condition: Any = None  # a conditions.Condition


class Metric(Struct, frozen=True, kw_only=True):
    """What is counted for members. `minimum`, `maximum` and `default` are scaled by ten to the power of `decimals`.

    `stacking` says what several multipliers at once come to: the highest of them, their product, or 1 and what each adds.
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
        """Whether the metric needs lots: its points can expire or be pending."""
        return self.expiry is not None or self.pending_days > 0


def available_at(metric: Metric, earned_at: datetime, time_zone: str) -> datetime:
    """Return when what is earned at an instant can be spent: so many days on, at the same local time."""
    return days_after(earned_at, metric.pending_days, time_zone)


def to_scaled(number: Any, decimals: int) -> int | None:
    """Return a number (int, float, Decimal or decimal text) in smallest units; None for one that is not finite or too large.

    Halves go away from zero. Floats count as what they print (99.99 is 99.99), which is what their sender wrote.
    """
    if number.__class__ is int:
        return number * 10**decimals
    if number.__class__ is float:  # mostly there is nothing to round
        whole, point, fraction = repr(number).partition(".")
        if point and len(fraction) <= decimals and fraction.isdigit():
            return int(whole + fraction.ljust(decimals, "0"))
    exact = _exact(number, decimals)
    try:
        return None if exact is None else int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def times(number: Any, factor: Fraction, decimals: int) -> int | None:
    """Return a number times a factor in smallest units, rounded once; None for one that is not finite or too large."""
    exact = _exact(number, decimals)
    if exact is None or not exact.is_finite() or exact.adjusted() > DIGITS_MAX:
        return None
    product = Fraction(exact) * factor
    return floor(product + HALF) if product >= 0 else -floor(HALF - product)


DIGITS_MAX = 40  # of a number that is multiplied: far beyond any amount
HALF = Fraction(1, 2)


def _exact(number: Any, decimals: int) -> Decimal | None:
    if isinstance(number, bool):
        return None
    try:
        return (Decimal(repr(number)) if isinstance(number, float) else Decimal(number)).scaleb(decimals)
    except (InvalidOperation, Overflow, TypeError, ValueError, OverflowError):
        return None


def misfit(amount: Any, decimals: int) -> str | None:
    """Return why no metric with so many decimal places holds an amount exactly, as an error's message; None if it does."""
    exact = _exact(amount, decimals)
    if exact is None or not exact.is_finite() or abs(exact) > AMOUNT_MAX:
        return (
            f"must be between -{to_number(AMOUNT_MAX, decimals)} and {to_number(AMOUNT_MAX, decimals)} (got {amount})"
        )
    return f"must have at most {decimals} decimal places (got {amount})" if exact % 1 else None


def is_number(value: Any) -> bool:
    """Return whether a value is a number, or the decimal text of one, of whatever size."""
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    try:
        return isinstance(value, str | Decimal) and Decimal(value).is_finite()
    except InvalidOperation:
        return False


def to_number(amount: int, decimals: int) -> int | float:
    """Return a scaled amount as a number for people and conditions: 12345 with 2 decimals is 123.45."""
    return amount if decimals == 0 else float(Decimal(amount).scaleb(-decimals))
