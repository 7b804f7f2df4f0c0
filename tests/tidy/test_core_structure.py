"""The structure of the core: no import cycle, and nothing but its own module names an effect."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import plaudit
from plaudit.core.effects.registry import EFFECTS
from plaudit.mechanics.registry import MECHANICS

SOURCE = Path(plaudit.__file__).parent
# The demo is data, as a client writes it. Orders for streaks, which are commands, have the same names as two effects.
MAY_NAME_EFFECTS = {"demo.py"}
ORDERS_FOR_STREAKS = {"check_in", "grant_freeze"}
# Common words, which are also names of other things.
COMMON_WORDS = {"enrol", "notify"}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


CORE = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in (SOURCE / "core").rglob("*.py")}
PACKAGES = {module_name(path) for path in (SOURCE / "core").rglob("__init__.py")}


def imports_of(module: str) -> Iterator[str]:
    """Yield the modules of the core that a module imports, also only for type checking."""
    for node in ast.walk(CORE[module]):
        if isinstance(node, ast.ImportFrom):
            package = module.split(".") if module in PACKAGES else module.split(".")[:-1]
            outer = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*outer, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield from (name for name in (inner if inner in CORE else origin,) if name in CORE)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in CORE)


def test_the_core_has_no_import_cycle():
    assert "plaudit.core.member" in set(imports_of("plaudit.core.context"))
    assert "plaudit.core.effects.notify" in set(imports_of("plaudit.core.effects.registry"))
    try:
        TopologicalSorter({module: set(imports_of(module)) for module in CORE}).prepare()
    except CycleError as cycle:
        pytest.fail(" <- ".join(cycle.args[1]))


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
