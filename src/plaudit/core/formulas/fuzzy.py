"""The similarity of two strings: the Damerau-Levenshtein distance, as a share of the longer one."""

from typing import Any

from .limits import FUZZY_TEXT_MAX, FormulaError
from .numbers import Number, divide
from .values import Run, text


def likeness(run: Run, value: Any, expected: Any) -> Number | None:
    """Return the similarity of two strings: 1 if they are equal, 0 if they have nothing in common."""
    a, b = text(value, "fuzzyMatch"), text(expected, "fuzzyMatch")
    if max(len(a), len(b)) > FUZZY_TEXT_MAX:
        raise FormulaError(f"fuzzyMatch compares texts of at most {FUZZY_TEXT_MAX} characters")
    if not a and not b:
        return 1
    run.spend(len(a) * len(b) // 2)
    longest = max(len(a), len(b))
    return divide(longest - _distance(a, b), longest)


def _distance(a: str, b: str) -> int:
    """Return the insertions, deletions, substitutions and transpositions between two strings."""
    far = len(a) + len(b)
    rows = [[far] * (len(b) + 2)] + [[far, i, *([0] * len(b))] for i in range(len(a) + 1)]
    rows[1] = [far, *range(len(b) + 1)]
    last_row_of: dict[str, int] = {}
    for i, name in enumerate(a, 1):
        last_column = 0
        for j, other in enumerate(b, 1):
            k, last = last_row_of.get(other, 0), last_column
            cost = 1
            if name == other:
                cost, last_column = 0, j
            rows[i + 1][j + 1] = min(
                rows[i][j] + cost,
                rows[i + 1][j] + 1,
                rows[i][j + 1] + 1,
                rows[k][last] + (i - k - 1) + 1 + (j - last - 1),
            )
        last_row_of[name] = i
    return rows[-1][-1]
