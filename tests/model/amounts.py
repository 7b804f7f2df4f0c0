"""Numbers as documents and events have them: exact, in smallest units, rounded once, halves away from zero."""

from fractions import Fraction
from functools import cache
from typing import Any

Json = dict[str, Any]


@cache
def exact(number: Any) -> Fraction:
    """Floats count as what they print: 99.99 is 99.99."""
    return Fraction(str(number))


def rounded(number: Fraction) -> int:
    whole = int(abs(number) + Fraction(1, 2))
    return whole if number >= 0 else -whole


def scaled(number: Any, metric: Json) -> int:
    return rounded(exact(number) * 10 ** metric.get("decimals", 0))


def shown(amount: int, metric: Json) -> float:
    return amount / 10 ** metric.get("decimals", 0)


def formula(text: Any, data: Json) -> Fraction | None:
    """What an effect's `amount` comes to: a number, or the name of a field of the event, perhaps with a minus."""
    if not isinstance(text, str):
        return exact(text)
    name = text.removeprefix("-")
    if name not in data:
        return None
    return -exact(data[name]) if text.startswith("-") else exact(data[name])


def meets(conditions: list[Json] | None, look: Any) -> bool:
    """Whether all conditions hold; `look` finds a field, or None."""
    return all(
        compared(look(condition["field"]), condition["operator"], condition["value"]) for condition in conditions or []
    )


def compared(found: Any, operator: str, value: Any) -> bool:
    if found is None:
        return False
    match operator:
        case ">=":
            return exact(found) >= exact(value)
        case ">":
            return exact(found) > exact(value)
        case "<=":
            return exact(found) <= exact(value)
        case "<":
            return exact(found) < exact(value)
        case "==":
            return found == value
        case "in":
            return found in value
    raise ValueError(operator)
