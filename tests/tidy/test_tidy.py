"""The contracts of our own code: purity, sizes, SQL in its place, words."""

import ast
import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

import plaudit
from plaudit.storage.queries import queries_beside

SOURCE = Path(plaudit.__file__).parent
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
QUERIES = sorted(path for path in SOURCE.rglob("*.sql") if path.name != "schema.sql" and "migrations" not in path.parts)
GLOSSARY = (SOURCE.parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")

LINES_MAX = 400
FUNCTION_LINES_MAX = 70
IMPURE = {"asyncio", "random", "secrets", "time", "os", "socket", "threading", "asyncpg", "httpx", "pathlib", "logging"}
# Words that have a better one in the glossary; the dialects and the API may speak them, because clients do.
OUTSIDE_WORDS = {"customer", "participant", "voucher", "wallet", "tier", "cohort", "mission", "quest"}
MAY_SPEAK_OUTSIDE = ("api", "documents/dialects.py")


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_stays_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize(
    "path", [one for one in MODULES if name_of(one).startswith(("core/", "documents/"))], ids=name_of
)
def test_the_core_and_the_documents_are_pure(path):
    for node in ast.walk(tree_of(path)):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global), node.lineno
        names = []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & IMPURE, node.lineno
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today", "uuid4"} or _is_of_ours(node), node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "eval", "exec"}, node.lineno


def _is_of_ours(node: ast.Attribute) -> bool:
    """`deciding.now` is the event's time; `datetime.now` would be the clock's."""
    return isinstance(node.value, ast.Name) and node.value.id in {"deciding", "self", "scope"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_clock_reads_the_time(path):
    if name_of(path) in {"clock.py", "storage/migrate.py", "engine/worker.py"}:  # months to make: no event's time
        return
    assert not re.search(r"datetime\.(now|utcnow|today)\(|\btime\.time\(", path.read_text(encoding="utf-8"))


def _acquires(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == "acquire" for one in ast.walk(node))


def _functions(path: Path) -> dict[str, bool]:
    """The functions of a module, and whether each takes a connection out of a pool."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name: _acquires(node) for node in ast.walk(tree_of(path)) if isinstance(node, kinds)}


ACQUIRING = {name for path in MODULES for name, acquires in _functions(path).items() if acquires}


@pytest.mark.parametrize("path", [one for one in MODULES if name_of(one).startswith("api/")], ids=name_of)
def test_no_request_holds_a_connection_while_it_waits_for_another(path):
    """Else as many of them as the pool has connections wait for each other for ever."""
    own = _functions(path)
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.AsyncWith) and any(_acquires(item.context_expr) for item in node.items)):
            continue
        assert not any(map(_acquires, node.body)), node.lineno
        for call in [one for each in node.body for one in ast.walk(each) if isinstance(one, ast.Call)]:
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            assert not own.get(name, name in ACQUIRING), call.lineno


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_words_of_others_stay_outside(path):
    if name_of(path).startswith(MAY_SPEAK_OUTSIDE):
        return
    names = set()
    for node in ast.walk(tree_of(path)):
        for name in (
            getattr(node, "id", None),
            getattr(node, "attr", None),
            getattr(node, "arg", None),
            getattr(node, "name", None),
        ):
            names |= set(re.split(r"_|(?<=[a-z])(?=[A-Z])", name)) if isinstance(name, str) else set()
    assert not {name.lower().removesuffix("s") for name in names} & OUTSIDE_WORDS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_sql_stands_in_sql_files(path):
    if name_of(path) in {"storage/embedded.py", "storage/schema.py"}:  # ask before there is a schema
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.match(
                r"\s*(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b", node.value, re.DOTALL
            ), node.lineno


@pytest.mark.parametrize("path", [one for one in QUERIES if name_of(one).startswith("reads/")], ids=name_of)
def test_reads_only_read(path):
    assert not re.search(r"\b(INSERT|UPDATE|DELETE|TRUNCATE)\b", path.read_text(encoding="utf-8"))


async def _prepare(url: str, path: Path) -> None:
    connection = await asyncpg.connect(url)
    try:
        for name, query in queries_beside(str(path)).by_name.items():
            try:
                await connection.prepare(query)
            except asyncpg.PostgresError as error:
                raise AssertionError(f"{path.name}: {name}: {error}") from None
    finally:
        await connection.close()


@pytest.mark.parametrize("path", QUERIES, ids=name_of)
def test_every_query_is_used_and_prepares(path, database):
    asyncio.run(_prepare(database, path))
    text = "\n".join(one.read_text(encoding="utf-8") for one in MODULES)
    for name in queries_beside(str(path)).by_name:
        assert re.search(rf"\b{name}\b", text), name


def test_the_glossary_gives_every_term_once():
    terms = [
        term.strip(" `")
        for line in GLOSSARY.splitlines()
        if line.startswith("| ")
        for term in line.split("|")[1].split(",")
    ]
    assert len(terms) == len(set(terms))
    assert {"member", "event", "trigger", "campaign", "effect", "metric", "posting", "claim", "bucket"} <= set(terms)
