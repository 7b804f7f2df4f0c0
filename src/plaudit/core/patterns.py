"""Regular expressions in linear time (RE2): compiled once, bounded in size, so no text can stall the engine."""

from functools import lru_cache
from typing import Any, cast

import re2

from plaudit.core.formulas.limits import FormulaError

PATTERN_MAX = 500  # characters
PROGRAM_MAX = 3_000  # instructions of RE2 that a pattern becomes, with the bytes of all letters of its classes
SHAPE_MAX = 400  # instructions that it becomes with a class as one: how many may all be under way at one place
WORK_A_STEP = 64  # instructions and bytes of text, multiplied, that are one step: RE2 takes at most so many at each
MEMORY_MAX = 1 << 18  # bytes that RE2 may use for one pattern
TEXT_MAX = 2_000  # characters: a longer text matches no pattern


class PatternError(ValueError):
    """A pattern that cannot be used. The message says why."""


class Pattern:
    """A compiled regular expression. `with_groups` also captures groups, which costs more."""

    __slots__ = ("_compiled", "_size")

    def __init__(self, pattern: str, *, with_groups: bool = False) -> None:
        self._compiled = _compiled(pattern, with_groups)
        self._size: int = self._compiled.programsize

    def steps(self, text: str) -> int:
        """Return how many steps of an evaluation it takes at most to look for the pattern in `text`."""
        if len(text) > TEXT_MAX:
            return 1
        length = len(text) if text.isascii() else len(text.encode(errors="replace"))
        return 1 + length * self._size // WORK_A_STEP

    def search(self, text: str) -> bool:
        """Return whether the pattern occurs anywhere in `text`."""
        return self._search(text) is not None

    def is_all_of(self, text: str) -> bool:
        """Return whether the whole of `text` is of the pattern."""
        return _is_fit(text) and self._compiled.fullmatch(text) is not None

    def groups(self, text: str) -> list[str]:
        """Return the first occurrence and the groups in it that took part; nothing if there is none."""
        found = self._search(text)
        return [] if found is None else [value for value in (found.group(), *found.groups()) if value is not None]

    def fitting(self, text: str) -> str:
        """Return a text that the pattern can be looked for in. Raises FormulaError for one that is too long."""
        if len(text) > TEXT_MAX:
            raise FormulaError(f"a pattern matches texts of at most {TEXT_MAX:,} characters (got {len(text):,})")
        return text

    def _search(self, text: str) -> Any:
        return self._compiled.search(text) if _is_fit(text) else None


def _is_fit(text: str) -> bool:
    if len(text) > TEXT_MAX:
        return False
    # Half of a surrogate pair is no character, and RE2 cannot be given it.
    return text.isascii() or not any("\ud800" <= name <= "\udfff" for name in text)


@lru_cache(maxsize=1_024)  # a programme is compiled anew with each change, and most of its patterns are the same
def _compiled(pattern: str, with_groups: bool) -> Any:
    if len(pattern) > PATTERN_MAX:
        raise PatternError(f"must be at most {PATTERN_MAX} characters (got {len(pattern)})")
    if not _is_fit(pattern):
        raise PatternError("must be a string of whole characters")
    try:
        found = re2.compile(pattern, _options(with_groups=with_groups))
        shape = re2.compile(pattern.encode(), _options(encoding=re2.Options.Encoding.LATIN1))
    except re2.error as problem:  # pyright: ignore[reportUnknownVariableType]
        reason = _reason(cast("Exception", problem))
        raise PatternError(f"must be a valid regular expression: {reason}") from None
    if found.programsize > PROGRAM_MAX:
        raise PatternError(
            "must be a smaller regular expression: repetitions and classes make it too large "
            f"(at most {PROGRAM_MAX:,} instructions, got {found.programsize:,})"
        )
    if shape.programsize > SHAPE_MAX:
        raise PatternError(
            "must be a smaller regular expression: repetitions, above all within one another, make it too large "
            f"(at most {SHAPE_MAX} instructions, got {shape.programsize:,})"
        )
    return found


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
