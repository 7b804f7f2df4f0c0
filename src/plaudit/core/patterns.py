"""Regular expressions in linear time (RE2), compiled once and bounded in size, so no pattern can stall the engine."""

from functools import lru_cache
from typing import Any, cast

import re2

from plaudit.core.formulas.limits import FormulaError

PATTERN_MAX = 500  # characters
PROGRAM_MAX = 3_000  # RE2 instructions of a compiled pattern, including those for all bytes of character classes
SHAPE_MAX = 400  # RE2 instructions of the pattern over single bytes, which limits how many states are active at once
WORK_A_STEP = 64  # one step of a budget: RE2 instructions times bytes of text, which bounds the cost of a search
MEMORY_MAX = 1 << 18  # bytes that RE2 can use for one pattern
TEXT_MAX = 2_000  # characters; a longer text matches no pattern


class PatternError(ValueError):
    """A pattern that cannot be used. The message says why."""


class Pattern:
    """A compiled regular expression. `with_groups` also captures groups, which costs more."""

    __slots__ = ("_compiled", "_size")

    def __init__(self, pattern: str, *, with_groups: bool = False) -> None:
        self._compiled = _compiled(pattern, with_groups)
        self._size: int = self._compiled.programsize

    def steps(self, text: str) -> int:
        """Return the most steps that a search for the pattern in `text` takes."""
        if len(text) > TEXT_MAX:
            return 1
        length = len(text) if text.isascii() else len(text.encode(errors="replace"))
        return 1 + length * self._size // WORK_A_STEP

    def search(self, text: str) -> bool:
        """Return whether the pattern occurs anywhere in `text`."""
        return self._search(text) is not None

    def is_all_of(self, text: str) -> bool:
        """Return whether the whole of `text` matches the pattern."""
        return _is_fit(text) and self._compiled.fullmatch(text) is not None

    def groups(self, text: str) -> list[str]:
        """Return the first occurrence and its matched groups, or []."""
        match = self._search(text)
        return [] if match is None else [value for value in (match.group(), *match.groups()) if value is not None]

    def fitting(self, text: str) -> str:
        """Return the text. Raise FormulaError if it is too long to search."""
        if len(text) > TEXT_MAX:
            raise FormulaError(f"a pattern matches texts of at most {TEXT_MAX:,} characters (got {len(text):,})")
        return text

    def _search(self, text: str) -> Any:
        return self._compiled.search(text) if _is_fit(text) else None


def _is_fit(text: str) -> bool:
    if len(text) > TEXT_MAX:
        return False
    # RE2 does not accept half of a surrogate pair, which is not a character.
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


@lru_cache(maxsize=1_024)  # a programme is recompiled after each change, and most of its patterns stay the same
def _compiled(pattern: str, with_groups: bool) -> Any:
    if len(pattern) > PATTERN_MAX:
        raise PatternError(f"must be at most {PATTERN_MAX} characters (got {len(pattern)})")
    if not _is_fit(pattern):
        raise PatternError("must be a string of whole characters")
    try:
        compiled = re2.compile(pattern, _options(with_groups=with_groups))
        shape = re2.compile(pattern.encode(), _options(encoding=re2.Options.Encoding.LATIN1))
    except re2.error as problem:  # pyright: ignore[reportUnknownVariableType]
        reason = _reason(cast("Exception", problem))
        raise PatternError(f"must be a valid regular expression: {reason}") from None
    if compiled.programsize > PROGRAM_MAX:
        raise PatternError(
            "must be a smaller regular expression: repetitions and classes make it too large "
            f"(at most {PROGRAM_MAX:,} instructions, got {compiled.programsize:,})"
        )
    if shape.programsize > SHAPE_MAX:
        raise PatternError(
            "must be a smaller regular expression: repetitions, above all within one another, make it too large "
            f"(at most {SHAPE_MAX} instructions, got {shape.programsize:,})"
        )
    return compiled


def _options(*, with_groups: bool = False, encoding: Any = None) -> Any:
    options = re2.Options()
    options.max_mem = MEMORY_MAX
    options.log_errors = False
    options.never_capture = not with_groups
    if encoding is not None:
        options.encoding = encoding
    return options


def _reason(problem: Exception) -> str:
    reason = problem.args[0] if problem.args else problem
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
