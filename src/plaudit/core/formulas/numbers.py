"""Numbers of formulas: integers and exact decimals of 28 digits, never floats. Others are refused."""

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
# `Underflow` is no mistake: a number that is too small to be written down is 0.
_EXACT = Context(prec=DIGITS, Emax=DIGITS - 1, Emin=-DIGITS, traps=[InvalidOperation, DivisionByZero, Overflow])
_TOO_LARGE = f"a number is beyond 10^{DIGITS}"

Number = int | Decimal


def number_in(value: float | Decimal) -> Number:
    """Return a number from outside. Raises FormulaError when it is beyond the range, infinite or not a number."""
    if isinstance(value, int):
        if -NUMBER_MAX <= value <= NUMBER_MAX:
            return value
        raise NumberTooLarge(_TOO_LARGE)
    try:  # a float counts as what it prints, which is what its sender wrote
        found = _EXACT.create_decimal(repr(value) if isinstance(value, float) else value)
    except Overflow:
        raise NumberTooLarge(_TOO_LARGE) from None
    if not found.is_finite():
        raise FormulaError("a number is infinite, or is none")
    return found


def number_from(text: str) -> Number | None:
    """Return the number that a text is, or None. Raises FormulaError when it is beyond the range."""
    plain = text.strip()
    if len(plain) > 100 or not plain.isascii() or not plain.lstrip("+-")[:1].isdigit():
        return None
    try:
        found = _EXACT.create_decimal(plain)
    except Overflow:
        raise NumberTooLarge(_TOO_LARGE) from None
    except InvalidOperation:
        return None
    return int(found) if found == found.to_integral_value() else found


def number_out(value: Number) -> int | float:
    """Return a number as JSON has it."""
    if isinstance(value, int):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def number_text(value: Number) -> str:
    """Return a number as it is written: without an exponent, without zeros at the end."""
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
    """Return a / b, and None for a division by 0, which `??` can give a value of its own."""
    if not b:
        return None
    if isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return a // b
    return _checked(_EXACT.divide, a, b)


def remainder(a: Number, b: Number) -> Number | None:
    """Return what is left of a division, with the sign of a; None when it is by 0."""
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
    found = _checked(_EXACT.power, Decimal(a), Decimal(b))
    return int(found) if isinstance(a, int) and isinstance(b, int) and b >= 0 else found


def negate(a: Number) -> Number:
    """Return -a."""
    return -a if isinstance(a, int) else _EXACT.minus(a)


def floor(a: Number) -> int:
    """Return the next integer down."""
    return a if isinstance(a, int) else int(a.to_integral_value(ROUND_FLOOR))


def ceil(a: Number) -> int:
    """Return the next integer up."""
    return a if isinstance(a, int) else int(a.to_integral_value(ROUND_CEILING))


def rounded(a: Number, places: int, how: str = ROUND_HALF_UP) -> Number:
    """Return a with so many decimal places; halves go away from zero."""
    if isinstance(a, int) or places >= DIGITS:
        return a
    try:
        return a.quantize(Decimal(1).scaleb(-places), how, _EXACT)
    except InvalidOperation:  # it has all its digits before the point, and none to round
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
