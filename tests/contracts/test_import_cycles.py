"""No module imports itself through others, not even for type checking only."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def test_the_imports_have_no_cycle():
    graph = grimp.build_graph("plaudit", exclude_type_checking_imports=False)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert "plaudit.core.effects.notify" in imports["plaudit.core.effects.registry"]
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as cycle:
        pytest.fail(" <- ".join(cycle.args[1]))
