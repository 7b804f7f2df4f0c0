"""The contracts of the tests: nothing waits for a length of time, and names say what they name."""

import ast
import re
from pathlib import Path

from tests.contracts.names import line_of, says_nothing

TESTS = Path(__file__).parents[1]
MODULES = sorted(TESTS.rglob("*.py"))

# Where time has to pass, and why. Everything else waits for what it waits for, by `support/eventually.py`.
MAY_SLEEP = {
    "support/eventually.py": "it polls",
    "api/http/test_bodies.py": "senders and receivers of bodies that are slow",
    "api/http/test_conventions.py": "a body that comes late",
    "faults/test_kills.py": "processes are killed at any time, and clients try again after a pause",
    "faults/test_outage.py": "a database is away for as long as it takes every part to look for it again",
    "faults/test_processes.py": "processes are killed at different steps of their start",
    "journeys/test_generated_client.py": "a client of its own, in a process that has no tests",
    "storage/upgrades/fill.py": "a tool, which runs in trees of earlier versions",
}
SLEEP = re.compile(r"(?<!def )\bsleep\((?!0\))")  # `sleep(0)` only lets other tasks run


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def test_nothing_waits_for_a_length_of_time():
    sleeping = {name_of(path) for path in MODULES if SLEEP.search(path.read_text(encoding="utf-8"))}
    assert sleeping - {"contracts/test_tests.py"} == set(MAY_SLEEP)


def test_loops_and_functions_are_named_by_nouns_and_verbs():
    named = [
        f"{name_of(path)}:{line_of(node)}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if says_nothing(node)
    ]
    assert named == []
