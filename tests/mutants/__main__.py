"""Change one thing in the core or a mechanic, run the tests that it could fail, and report it if none of them does.

    collect the tests ──► run each once: which functions does it call? ──► for each mutant: fork, swap, run those

A forked process has everything imported, so a mutant takes less than a second, unless it survives. What is run on
import only (constants, tables) takes an interpreter of its own.
"""

import argparse
import functools
import gc
import importlib.util
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType

import pytest

from .equivalents import EQUIVALENT
from .mutate import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "plaudit"
TESTS = ["tests/core", "tests/mechanics", "tests/documents", "tests/model"]
ARGUMENTS = [
    "-o",
    "addopts=",
    *(f"-pno:{name}" for name in ("terminal", "xdist", "cacheprovider", "faulthandler")),
    *TESTS,
]
MEMORY_MAX = 4 * 2**30
CALLS_TRACED = 500_000
KILLED, TIMED_OUT, SURVIVED = "killed", "timed out", "survived"
COLD_SECONDS, MODEL_SECONDS = 240, 40  # of the processor: it ends what goes on for ever


class Failed(BaseException):
    """A test has failed, and with that the mutant is killed."""


class WithoutDatabase:
    """A plug-in for pytest that leaves out what needs a database, and makes the same examples up each time."""

    def pytest_sessionstart(self) -> None:
        from hypothesis import Phase, settings

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if "server" not in getattr(item, "fixturenames", ())]


class Tests(WithoutDatabase):
    """A plug-in for pytest that takes the place of its loop: it runs the tests as often as there are mutants."""

    def __init__(self, mutants: list[Mutant]) -> None:
        self.mutants = mutants
        self.by_function: dict[tuple[str, int], dict[pytest.Item, float]] = defaultdict(dict)
        self.model: dict[pytest.Item, float] = {}
        self.survivors: list[Mutant] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            raise Failed(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        try:
            self._run_each_once(session.items)
        except Failed as failed:
            sys.exit(f"A test fails without any mutant: {failed}")
        functions = _functions_by_code()
        gc.freeze()
        results: dict[str, int] = dict.fromkeys((KILLED, TIMED_OUT, SURVIVED), 0)
        for number, mutant in enumerate(self.mutants, 1):
            result = self._test(mutant, functions)
            results[result] += 1
            if result == SURVIVED:
                self.survivors.append(mutant)
                print(
                    f"{mutant.path.relative_to(ROOT)}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}",
                    flush=True,
                )
            if number % 50 == 0 or number == len(self.mutants):
                counts = ", ".join(f"{count} {name}" for name, count in results.items())
                print(f"{number} of {len(self.mutants)}: {counts}", file=sys.stderr, flush=True)
        return True

    def _run_each_once(self, items: list[pytest.Item]) -> None:
        """Run the tests as they are, and remember which functions each calls, and how long it takes.

        The model calls nearly all, and is for the mutants that nothing else kills.
        """
        for item in items:
            if item.path.parent.name == "model":
                self.model[item] = 0.0
                continue
            called: set[CodeType] = set()
            begin = time.process_time()
            sys.settrace(_tracer(called))
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            sys.settrace(None)
            for code in called:
                self.by_function[code.co_filename, code.co_firstlineno][item] = time.process_time() - begin

    def _test(self, mutant: Mutant, functions: dict[CodeType, list[FunctionType]]) -> str:
        pairs = list(_changed_codes(mutant))
        tests = {}
        for old, _ in pairs:
            tests |= self.by_function[str(mutant.path), old.co_firstlineno]
        if not tests or not mutant.in_function:
            return _test_on_import(mutant)
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            return TIMED_OUT if os.WIFSIGNALED(status) else KILLED if os.WEXITSTATUS(status) else SURVIVED
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        try:
            for old, new in pairs:
                for function in functions.get(old, ()):
                    function.__code__ = new
            for item in [*sorted(tests, key=tests.__getitem__), *self.model]:
                signal.setitimer(signal.ITIMER_PROF, 5 + 3 * tests.get(item, MODEL_SECONDS))
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        except BaseException:
            os._exit(1)
        os._exit(0)


def _tracer(called: set[CodeType]) -> Callable[..., None]:
    """Return what takes down which functions are called; of a test that goes on for long, only at its beginning."""
    left = count(CALLS_TRACED, -1)

    def trace(frame: FrameType, _event: str, _argument: object) -> None:
        called.add(frame.f_code)
        if not next(left):
            sys.settrace(None)

    return trace


def _functions_by_code() -> dict[CodeType, list[FunctionType]]:
    """Return what can be swapped. What was remembered of earlier calls is forgotten."""
    found = defaultdict(list)
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename.startswith(str(SOURCE)):
            found[thing.__code__].append(thing)
        elif isinstance(thing, functools._lru_cache_wrapper) and thing.__module__.startswith("plaudit."):
            thing.cache_clear()
    return found


def _changed_codes(mutant: Mutant) -> Iterator[tuple[CodeType, CodeType]]:
    """Return the functions of a module that a mutant changes, as they are and as they become."""
    name = str(mutant.path)
    after = dict(_codes(compile(mutant.source, name, "exec", dont_inherit=True)))
    for key, code in _codes(compile(mutant.path.read_bytes(), name, "exec", dont_inherit=True)):
        if key in after and after[key] != code and code.co_name != "<module>":
            yield code, after[key]


def _codes(code: CodeType, key: tuple[object, ...] = ()) -> Iterator[tuple[object, CodeType]]:
    yield key, code
    for number, part in enumerate(part for part in code.co_consts if isinstance(part, CodeType)):
        yield from _codes(part, (*key, number, part.co_qualname))


def _test_on_import(mutant: Mutant) -> str:
    """Run all tests in an interpreter that imports the mutant in place of the module."""
    command = [sys.executable, "-m", "tests.mutants", "--import", str(mutant.path)]
    done = subprocess.run(command, input=mutant.source, capture_output=True, cwd=ROOT, check=False)
    return TIMED_OUT if done.returncode < 0 else KILLED if done.returncode else SURVIVED


class Importer(MetaPathFinder, Loader):
    """Finds one module, with other source than it has."""

    def __init__(self, path: Path, source: bytes) -> None:
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.path, self.source = path, source

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def create_module(self, spec: object) -> None:  # noqa: ARG002
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(self.path), "exec", dont_inherit=True), module.__dict__)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("places", nargs="*", help="modules or folders, path or path:line; default: core and mechanics")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants, at random; default: all")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument("--import", dest="imported", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ |= {"PLAUDIT_MODEL_HISTORIES": "300", "PLAUDIT_MODEL_SEED": "1"}
    if options.imported:
        resource.setrlimit(resource.RLIMIT_CPU, (COLD_SECONDS, COLD_SECONDS))
        sys.meta_path.insert(0, Importer(Path(options.imported), sys.stdin.buffer.read()))
        return pytest.main(["-x", *ARGUMENTS], plugins=[WithoutDatabase()])
    mutants = [
        mutant for place in options.places or ["src/plaudit/core", "src/plaudit/mechanics"] for mutant in _at(place)
    ]
    if options.sample:
        mutants = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
    tests = Tests([mutant for mutant in mutants if _key(mutant) not in EQUIVALENT])
    if pytest.main(ARGUMENTS, plugins=[tests]):
        return 2
    return 1 if tests.survivors else 0


def _at(place: str) -> Iterator[Mutant]:
    """Return the mutants of a folder, a module, or one line of it."""
    name, _, line = place.partition(":")
    path = (ROOT / name).resolve()
    for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        yield from (mutant for mutant in mutants_of(module) if not line or mutant.line == int(line))


def _key(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.path.relative_to(SOURCE).as_posix(), mutant.before, mutant.after


if __name__ == "__main__":
    sys.exit(main())
