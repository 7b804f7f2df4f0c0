"""Formulas in ZEN: compiled once, evaluated on plain values, without a clock and without chance."""

import re
from typing import Any

import zen

EXPRESSION_LENGTH_MAX = 2_000

# ZEN's older date functions understand the text "now" (also when it comes in with the data), `d()` is the present,
# and `rand` is chance. A decision must come out the same whenever it is made, so none of these is let in.
_IMPURE_FUNCTIONS = (
    "rand|date|time|duration|year|dayOfWeek|dayOfMonth|dayOfYear|weekOfYear|monthOfYear|monthString|dateString"
    "|weekdayString|startOf|endOf"
)
_IMPURE = re.compile(
    rf"(?<![.\w])(?:{_IMPURE_FUNCTIONS})\s*\(|(?<![.\w])d\s*\(\s*\)|\.\s*is(?:Today|Yesterday|Tomorrow)\b"
)


class ExpressionError(ValueError):
    """A formula that cannot be compiled, or that failed on the values it was given. The sentence says why."""


class Expression:
    """A compiled formula. `evaluate` takes the names it may use and answers a JSON value."""

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str) -> None:
        if len(source) > EXPRESSION_LENGTH_MAX:
            raise ExpressionError(f"an expression may have at most {EXPRESSION_LENGTH_MAX} characters")
        found = _IMPURE.search(source)
        if found is not None:
            raise ExpressionError(
                f"{found.group().rstrip('( ')!r} depends on the present or on chance and cannot be used; "
                "use event.timestamp, or d(…) with an instant"
            )
        self.source = source
        self._compiled = _compile(source)

    def evaluate(self, names: dict[str, Any]) -> Any:
        """The value of the formula. Raises ExpressionError when it fails on these values."""
        try:
            return self._compiled.evaluate(names)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ExpressionError(_sentence(error)) from None


class Template:
    """A text with formulas in `{{ … }}`, filled in with what they come to."""

    __slots__ = ("_parts",)

    def __init__(self, source: str) -> None:
        pieces = re.split(r"\{\{(.*?)\}\}", source)
        self._parts: list[str | Expression] = [
            Expression(piece.strip()) if i % 2 else piece for i, piece in enumerate(pieces)
        ]

    def filled(self, names: dict[str, Any]) -> str:
        """The text; a formula that fails on these values leaves nothing in its place."""
        return "".join(part if isinstance(part, str) else _filled(part, names) for part in self._parts)


def _filled(formula: Expression, names: dict[str, Any]) -> str:
    try:
        value = formula.evaluate(names)
    except ExpressionError:
        return ""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class Pattern:
    """A regular expression of the linear-time kind (Rust's regex, through ZEN): no text can stall the engine.

    It costs some 40 microseconds a look, because ZEN compiles it each time: `starts_with` and the like are cheaper.
    """

    __slots__ = ("_pattern",)

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.found_in("")  # an invalid pattern shows only when it is used

    def found_in(self, text: str) -> bool:
        """Whether the pattern occurs anywhere in `text`."""
        return _MATCHES.evaluate({"text": text, "pattern": self._pattern}) is True


def _compile(source: str) -> Any:
    try:
        return zen.compile_expression(source)
    except RuntimeError as error:
        raise ExpressionError(_sentence(error)) from None


def _sentence(error: BaseException) -> str:
    """The library's reason, without its JSON and its stack trace."""
    found = re.search(r'"source":"((?:[^"\\]|\\.)*)"', str(error))
    return found.group(1) if found else str(error).split("\n", 1)[0]


_MATCHES = Expression("matches(text, pattern)")
