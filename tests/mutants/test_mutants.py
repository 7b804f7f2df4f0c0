"""The tool itself: what it changes, and that its list of equivalents is of today's source."""

import ast
from pathlib import Path

import pytest

import plaudit

from .equivalents import EQUIVALENT
from .mutate import mutants_of

SOURCE = Path(plaudit.__file__).parent
# A line of a function, and what becomes of it.
CHANGES = [
    ("return a <= b", ["return None", "return a < b"]),
    ("return a is not b", ["return None", "return a is b"]),
    ("return a and not b", ["return None", "return a or not b", "return a and (b)"]),
    ("a += min(b, 2)", ["a -= min(b, 2)", "a += max(b, 2)", "a += min(b, 3)", "a += min(b, 1)"]),
    ("c = a if b else 0", ["c = a if True else 0", "c = a if False else 0", "c = a if b else 1"]),
    ("c = [x for x in a if x]", ["c = [x for x in a if True]"]),
    ("a.clear()", ["pass"]),
    ("c: int | None = a", []),
    ("return None", []),
]


@pytest.mark.parametrize(("line", "wanted"), CHANGES)
def test_what_is_changed(line, wanted, tmp_path):
    module = tmp_path / "module.py"
    module.write_text(f"def f(a, b):\n    {line}\n", encoding="utf-8")
    mutants = list(mutants_of(module))
    assert [mutant.after for mutant in mutants] == wanted
    for mutant in mutants:
        assert (mutant.line, mutant.before, mutant.in_function) == (2, line, True)
        ast.parse(mutant.source)


def test_each_equivalent_is_a_mutant_of_today():
    for name in {name for name, _, _ in EQUIVALENT}:
        mutants = {(mutant.before, mutant.after) for mutant in mutants_of(SOURCE / name)}
        assert {(before, after) for module, before, after in EQUIVALENT if module == name} <= mutants
