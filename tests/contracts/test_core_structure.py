"""The structure of the core: nothing but its own module names an effect."""

import ast
from pathlib import Path

import plaudit
from plaudit.core.effects.registry import EFFECTS
from plaudit.mechanics.registry import MECHANICS

SOURCE = Path(plaudit.__file__).parent
# The demo is data, as a client writes it. Orders for streaks, which are commands, have the same names as two effects.
MAY_NAME_EFFECTS = {"demo.py"}
ORDERS_FOR_STREAKS = {"check_in", "grant_freeze"}
# Common words, which are also names of other things.
COMMON_WORDS = {"enrol", "notify"}


def test_only_its_own_module_names_an_effect():
    names = {*EFFECTS} - ORDERS_FOR_STREAKS - COMMON_WORDS
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path.parent != SOURCE / "core" / "effects" and path.parent.parent != SOURCE / "mechanics"
        if path.name not in MAY_NAME_EFFECTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert found == []


def test_every_module_of_an_effect_is_listed():
    modules = {path.stem for path in (SOURCE / "core" / "effects").glob("*.py")}
    shared = {"__init__", "registry", "effect_type", "amounts", "membership"}
    own = {row.name for mechanic in MECHANICS.values() for row in mechanic.effects}
    assert modules - shared == {row.name for row in EFFECTS.types} - own
