"""Numbers in formulas: integers, and exact decimals of 28 digits; never floats. Numbers out of range are refused."""

from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from typing import Any

from .limits import POWER_MAX, FormulaError, NumberTooLarge

DIGITS = 28
NUMBER_MAX = 10**DIGITS
# `Underflow` does not raise: a number that is too small becomes 0.
_EXACT = Context(prec=DIGITS, Emax=DIGITS - 1, Emin=-DIGITS, traps=[InvalidOperation, DivisionByZero, Overflow])
_TOO_LARGE = f"a number is beyond 10^{DIGITS}"

Number = int | Decimal


def number_in(value: float | Decimal) -> Number:
    """Return a JSON number as an exact one. Raise FormulaError if it is out of range, infinite or not a number."""
    if isinstance(value, int):
        if -NUMBER_MAX <= value <= NUMBER_MAX:
            return value
        raise NumberTooLarge(_TOO_LARGE)
    try:  # a float is taken as its decimal string, as its sender wrote it
        exact = _EXACT.create_decimal(repr(value) if isinstance(value, float) else value)
    except Overflow:
        raise NumberTooLarge(_TOO_LARGE) from None
    if not exact.is_finite():
        raise FormulaError("a number is infinite or not a number")
    return exact


def number_from(text: str) -> Number | None:
    """Return the number that a string represents, or None. Raise FormulaError if it is out of range."""
    plain = text.strip()
    if len(plain) > 100 or not plain.isascii() or not plain.lstrip("+-")[:1].isdigit():
        return None
    try:
        exact = _EXACT.create_decimal(plain)
    except Overflow:
        raise NumberTooLarge(_TOO_LARGE) from None
    except InvalidOperation:
        return None
    return int(exact) if exact == exact.to_integral_value() else exact


def number_out(value: Number) -> int | float:
    """Return a number for JSON."""
    if isinstance(value, int):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def number_text(value: Number) -> str:
    """Return a number as a decimal string, without an exponent and without trailing zeros."""
    if isinstance(value, int):
        return str(value)
    text = format(value or Decimal(0), "f")  # 0 has no sign
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def _int(value: int) -> int:
    if -NUMBER_MAX <= value <= NUMBER_MAX:
        return value
    raise NumberTooLarge(_TOO_LARGE)


def add(a: Number, b: Number) -> Number:
    """Return a + b."""
    return _int(a + b) if isinstance(a, int) and isinstance(b, int) else _checked(_EXACT.add, a, b)


def subtract(a: Number, b: Number) -> Number:
    """Return a - b."""
    return _int(a - b) if isinstance(a, int) and isinstance(b, int) else _checked(_EXACT.subtract, a, b)


def multiply(a: Number, b: Number) -> Number:
    """Return a * b."""
    return _int(a * b) if isinstance(a, int) and isinstance(b, int) else _checked(_EXACT.multiply, a, b)


def divide(a: Number, b: Number) -> Number | None:
    """Return a / b, or None if b is 0, which `??` can replace."""
    if not b:
        return None
    if isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return a // b
    return _checked(_EXACT.divide, a, b)


def remainder(a: Number, b: Number) -> Number | None:
    """Return the remainder of a / b, with the sign of a, or None if b is 0."""
    if not b:
        return None
    if isinstance(a, int) and isinstance(b, int):
        left = abs(a) % abs(b)
        return -left if a < 0 else left
    return _checked(_EXACT.remainder, a, b)


def power(a: Number, b: Number) -> Number:
    """Return a ^ b."""
    if abs(b) > POWER_MAX:
        raise FormulaError(f"an exponent is beyond {POWER_MAX:,}")
    result = _checked(_EXACT.power, Decimal(a), Decimal(b))
    return int(result) if isinstance(a, int) and isinstance(b, int) and b >= 0 else result


def negate(a: Number) -> Number:
    """Return -a."""
    return -a if isinstance(a, int) else _EXACT.minus(a)


def floor(a: Number) -> int:
    """Return a rounded down to an integer."""
    return a if isinstance(a, int) else int(a.to_integral_value(ROUND_FLOOR))


def ceil(a: Number) -> int:
    """Return a rounded up to an integer."""
    return a if isinstance(a, int) else int(a.to_integral_value(ROUND_CEILING))


def rounded(a: Number, places: int, how: str = ROUND_HALF_UP) -> Number:
    """Return a rounded to `places` decimal places; by default, halves are rounded away from zero."""
    if isinstance(a, int) or places >= DIGITS:
        return a
    try:
        return a.quantize(Decimal(1).scaleb(-places), how, _EXACT)
    except InvalidOperation:  # all its digits are before the decimal point, so nothing is to be rounded
        return a


def _checked(operation: Any, a: Number, b: Number) -> Decimal:
    try:
        return operation(a, b)
    except Overflow:
        raise NumberTooLarge(_TOO_LARGE) from None
    except InvalidOperation:
        raise FormulaError("the result is not a number") from None
    except DivisionByZero:
        raise FormulaError("the result is infinite") from None
