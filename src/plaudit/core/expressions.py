"""Formulas in use: an expression with a value, and a template that is filled in. `core/formulas` has the language."""

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
    """A compiled formula. Its steps are also of the `budget` of the event, where there is one."""

    __slots__ = ("_value", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self._value = _compiled(source)

    def evaluate(self, names: Any, budget: Budget | None = None) -> Any:
        """Return the value as JSON has it. Raises ExpressionError, and nothing else, when it fails on these values."""
        return plain(self._found(names, budget))

    def amount(self, names: Any, budget: Budget | None = None) -> Number | None:
        """Return the value as an exact number; None when it is none. Raises ExpressionError when it fails."""
        found = self._found(names, budget)
        return found if found.__class__ in NUMBERS else None

    def filled(self, names: Any, budget: Budget | None = None) -> str:
        """Return the value as it stands in a message, and nothing when it fails."""
        try:
            return filled_in(self._found(names, budget))
        except ExpressionError:
            return ""

    def _found(self, names: Any, budget: Budget | None) -> Any:
        try:
            return self._value(Run(names, budget))
        except FormulaError:
            raise
        except BaseException as problem:
            if must_pass(problem):
                raise
            # Whatever else a library raises is of this formula, on these values: nothing else fails with it.
            raise ExpressionError(f"could not be evaluated ({type(problem).__name__})") from None


class Template:
    """A text with formulas in `{{ … }}`, filled in with what they come to."""

    __slots__ = ("_parts",)

    def __init__(self, source: str) -> None:
        pieces = _FORMULA.split(source)
        if len(pieces) // 2 > TEMPLATE_FORMULAS_MAX:
            raise ExpressionError(f"must have at most {TEMPLATE_FORMULAS_MAX} formulas (got {len(pieces) // 2})")
        self._parts: list[str | Expression] = [Expression(piece) if i % 2 else piece for i, piece in enumerate(pieces)]

    def render(self, names: Any, budget: Budget | None = None) -> str:
        """Return the text; a formula that fails on these values leaves nothing in its place."""
        return "".join(part if isinstance(part, str) else part.filled(names, budget) for part in self._parts)


def formulas_in(source: str) -> list[str]:
    """Return the formulas of a template."""
    return _FORMULA.findall(source)


def must_pass(problem: BaseException) -> bool:
    """Return whether an exception, such as a cancellation, ends the task and must not be caught."""
    # A cancellation is known by its name, because the core knows nothing of asyncio.
    ends = isinstance(problem, KeyboardInterrupt | SystemExit | GeneratorExit)
    return ends or type(problem).__name__ == "CancelledError"


# A programme is compiled anew with each change, and nearly all its formulas are the same as before.
@lru_cache(maxsize=8_192)
def _compiled(source: str) -> Callable[[Run], Any]:
    return compile_tree(parse(source))
