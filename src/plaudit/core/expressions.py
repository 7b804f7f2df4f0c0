"""Formulas in use: expressions, and templates with expressions. `core/formulas` implements the language."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from plaudit.core.formulas.budget import Budget
from plaudit.core.formulas.compiling import compile_tree
from plaudit.core.formulas.grammar import parse
from plaudit.core.formulas.limits import SOURCE_MAX, FormulaError
from plaudit.core.formulas.values import NUMBERS, Number, Run, filled_in, plain

EXPRESSION_LENGTH_MAX = SOURCE_MAX
TEMPLATE_FORMULAS_MAX = 20

ExpressionError = FormulaError

_FORMULA = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class Expression:
    """A compiled formula. Its steps count against the event's `budget`, if given."""

    __slots__ = ("_evaluate", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._evaluate = _compiled(source)

    def evaluate(self, names: Any, budget: Budget | None = None) -> Any:
        """Return the value as JSON. Raise ExpressionError, and nothing else, if the formula fails on these names."""
        return plain(self._value_of(names, budget))

    def amount(self, names: Any, budget: Budget | None = None) -> Number | None:
        """Return the value as an exact number, or None if it is not a number. Raise ExpressionError if it fails."""
        value = self._value_of(names, budget)
        return value if value.__class__ in NUMBERS else None

    def filled(self, names: Any, budget: Budget | None = None) -> str:
        """Return the value as the text for a message, or "" if the formula fails."""
        try:
            return filled_in(self._value_of(names, budget))
        except ExpressionError:
            return ""

    def _value_of(self, names: Any, budget: Budget | None) -> Any:
        try:
            return self._evaluate(Run(names, budget))
        except FormulaError:
            raise
        except BaseException as problem:
            if must_pass(problem):
                raise
            # Any other exception of a library also fails only this formula.
            raise ExpressionError(f"could not be evaluated ({type(problem).__name__})") from None


class Template:
    """A text with formulas in `{{ … }}`."""

    __slots__ = ("_parts",)

    def __init__(self, source: str) -> None:
        pieces = _FORMULA.split(source)
        if len(pieces) // 2 > TEMPLATE_FORMULAS_MAX:
            raise ExpressionError(f"must have at most {TEMPLATE_FORMULAS_MAX} formulas (got {len(pieces) // 2})")
        self._parts: list[str | Expression] = [Expression(piece) if i % 2 else piece for i, piece in enumerate(pieces)]

    def render(self, names: Any, budget: Budget | None = None) -> str:
        """Return the text with the formulas' values. A formula that fails is replaced by nothing."""
        return "".join(part if isinstance(part, str) else part.filled(names, budget) for part in self._parts)


def formulas_in(source: str) -> list[str]:
    """Return the formulas of a template."""
    return _FORMULA.findall(source)


def must_pass(problem: BaseException) -> bool:
    """Return whether an exception, such as a cancellation, ends the task and must not be caught."""
    # The core must not import asyncio, so a cancellation is recognised by its name.
    ends = isinstance(problem, KeyboardInterrupt | SystemExit | GeneratorExit)
    return ends or type(problem).__name__ == "CancelledError"


# A programme is recompiled after each change, and nearly all of its formulas stay the same.
@lru_cache(maxsize=8_192)
def _compiled(source: str) -> Callable[[Run], Any]:
    return compile_tree(parse(source))
