"""The contracts of our own code: purity, sizes, SQL in its place, words."""

import ast
import asyncio
import builtins
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

import asyncpg

import plaudit
from plaudit.storage.queries import queries_beside
from tests.contracts.names import is_no_noun, line_of, says_nothing

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


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text_of(path))))


def lines(paths: Iterable[Path], wrong: Callable[[ast.AST], bool]) -> list[str]:
    """Where a node of these modules is what it should not be."""
    return [f"{name_of(path)}:{line_of(node)}" for path in paths for node in nodes_of(path) if wrong(node)]


FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
PURE = [path for path in MODULES if name_of(path).startswith(("core/", "documents/", "mechanics/"))]


def test_a_module_stays_small():
    assert [name_of(path) for path in MODULES if len(text_of(path).splitlines()) > LINES_MAX] == []


def test_a_function_stays_small():
    assert lines(MODULES, lambda node: isinstance(node, FUNCTION) and _length(node) >= FUNCTION_LINES_MAX) == []


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno


def test_the_core_the_documents_and_the_mechanics_are_pure():
    assert lines(PURE, _is_impure) == []


def _is_impure(node: ast.AST) -> bool:
    match node:
        case ast.AsyncFunctionDef() | ast.Await() | ast.Global():
            return True
        case ast.Import():
            return any(alias.name.partition(".")[0] in IMPURE for alias in node.names)
        case ast.ImportFrom(level=0):
            return (node.module or "").partition(".")[0] in IMPURE
        case ast.Attribute(attr="now" | "utcnow" | "today" | "uuid4"):
            return not _is_of_ours(node)
        case ast.Call(func=ast.Name(id="open" | "print" | "input" | "eval" | "exec")):
            return True
    return False


def _is_of_ours(node: ast.Attribute) -> bool:
    """`context.now` is the event's time; `datetime.now` would be the clock's."""
    return isinstance(node.value, ast.Name) and node.value.id in {"context", "self", "scope"}


def test_only_the_clock_reads_the_time():
    reads = re.compile(r"datetime\.(now|utcnow|today)\(|\btime\.time\(")
    assert [name_of(path) for path in MODULES if reads.search(text_of(path))] == ["clock.py"]


def _acquires(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Attribute) and inner.attr == "acquire" for inner in ast.walk(node))


def _functions(path: Path) -> dict[str, bool]:
    """The functions of a module, and whether each takes a connection out of a pool."""
    return {node.name: _acquires(node) for node in nodes_of(path) if isinstance(node, FUNCTION)}


def test_no_request_holds_a_connection_while_it_waits_for_another():
    """Else as many of them as the pool has connections wait for each other for ever."""
    acquiring = {name for path in MODULES for name, acquires in _functions(path).items() if acquires}
    found = []
    for path in (path for path in MODULES if name_of(path).startswith("api/")):
        own = _functions(path)

        def waits(node: ast.AST, own: dict[str, bool] = own) -> bool:
            if not (isinstance(node, ast.AsyncWith) and any(_acquires(item.context_expr) for item in node.items)):
                return False
            calls = [inner for part in node.body for inner in ast.walk(part) if isinstance(inner, ast.Call)]
            names = [call.func.id for call in calls if isinstance(call.func, ast.Name)]
            return any(map(_acquires, node.body)) or any(own.get(name, name in acquiring) for name in names)

        found += lines([path], waits)
    assert found == []


def test_words_of_others_stay_outside():
    inside = [path for path in MODULES if not name_of(path).startswith(MAY_SPEAK_OUTSIDE)]
    assert lines(inside, lambda node: bool(_words(node) & OUTSIDE_WORDS)) == []


def _words(node: ast.AST) -> set[str]:
    names = [getattr(node, part, None) for part in ("id", "attr", "arg", "name")]
    words = [re.split(r"_|(?<=[a-z])(?=[A-Z])", name) for name in names if isinstance(name, str)]
    return {word.lower().removesuffix("s") for parts in words for word in parts}


def test_sql_stands_in_sql_files():
    # These ask before there is a schema; a month's table has another name each time; what all tables have alike is built.
    early = {"storage/embedded.py", "storage/schema.py", "storage/months.py", "storage/statements.py"}
    statement = re.compile(r"\s*(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b", re.DOTALL)

    def is_sql(node: ast.AST) -> bool:
        return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(statement.match(node.value))

    assert lines([path for path in MODULES if name_of(path) not in early], is_sql) == []


def test_a_module_runs_no_queries_but_its_own():
    """Another module's queries are behind its functions: one place knows their parameters and their rows."""
    assert lines(MODULES, _takes_queries_of_another) == []


def _takes_queries_of_another(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom():
            return any(alias.name in ("SQL", "_SQL") for alias in node.names)
        case ast.Attribute(attr="SQL" | "_SQL"):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="queries_beside"), args=[beside])):
            return ast.unparse(node.targets[0]) != "_SQL" or ast.unparse(beside) != "__file__"
    return False


def test_reads_only_read():
    writes = re.compile(r"\b(INSERT|UPDATE|DELETE|TRUNCATE)\b")
    reads = [path for path in QUERIES if name_of(path).startswith("reads/")]
    assert reads
    assert [name_of(path) for path in reads if writes.search(text_of(path))] == []


def _queries(path: Path) -> Mapping[str, str]:
    return queries_beside(str(path)).by_name


async def _unprepared(url: str) -> list[str]:
    """The queries that the database does not take, and why."""
    found = []
    connection = await asyncpg.connect(url)
    try:
        for path in QUERIES:
            for name, query in _queries(path).items():
                try:
                    await connection.prepare(query)
                except asyncpg.PostgresError as error:
                    found.append(f"{name_of(path)}: {name}: {error}")
    finally:
        await connection.close()
    return found


def test_every_query_is_used():
    words = {word for path in MODULES for word in re.findall(r"\w+", text_of(path))}
    assert [f"{name_of(path)}: {name}" for path in QUERIES for name in _queries(path) if name not in words] == []


def test_every_query_prepares(database):
    assert asyncio.run(_unprepared(database)) == []


def test_the_glossary_gives_every_term_once():
    terms = [
        term.strip(" `")
        for line in GLOSSARY.splitlines()
        if line.startswith("| ") and not line.startswith(("| term |", "| --- |"))
        for term in line.split("|")[1].split(",")
    ]
    assert len(terms) == len(set(terms))
    assert {"member", "event", "trigger", "campaign", "effect", "metric", "posting", "claim", "bucket"} <= set(terms)


# What may ask the wall clock, and for what. Everything else in an organisation goes by the organisation's clock:
# `Programme.now`, `OrgClock`, and in SQL `now() + clock_offset`.
WALL_CLOCK = {
    "when a row was written, or arrived": (
        "api/run_command.py", "api/dry_runs.py", "api/admin/clock.py", "ingest/actions.py", "history/backtest.py",
        "chores/complete_documents.py", "chores/settle_competitions.py", "chores/settle_leagues.py", "chores/fill_segments.py", "imports/batch.py", "engine/inline.py",
        "imports/moving_history.py", "chores/due_members.py", "engine/worker.py",
    ),
    "changes of documents, which are dated by the organisation's clock where they are stored": (
        "api/admin/document_operations.py", "api/admin/programme.py", "api/admin/profile_schema.py", "cli/orgs.py", "cli/on_database.py", "demo.py",
    ),
    "keys, tokens, requests and rate limits": (
        "api/identity/callers.py", "api/http/errors.py", "api/http/idempotency.py", "api/identity/jwks.py", "api/member/push_subscriptions.py",
        "api/member/stream.py", "api/http/rate_limits.py", "api/identity/token_exchange.py", "api/identity/tokens.py", "api/admin/api_keys.py",
        "storage/orgs.sql", "storage/signing_keys.sql",
    ),
    "deliveries": ("api/admin/webhooks.py", "delivery/web_push.py", "delivery/deliverer.py", "delivery/webhooks.py"),
    "leases, jobs, health and what is deleted when": (
        "api/admin/health.py", "api/admin/analytics.py", "api/admin/privacy.py", "chores/of_workers.py", "engine/aftermath.py", "engine/leases.sql",
        "chores/pieces.py", "storage/jobs.py", "chores/rollbacks.py", "engine/load.sql", "engine/past.sql", "engine/timers.py", "engine/timers.sql", "history/simulate.sql", "storage/watches.sql",
        "reads/health.sql", "reads/gauges.sql", "storage/migrate.py", "storage/suspects.py",
    ),
    "the organisation's clock itself": ("clock.py", "history/simulate.py"),
}  # fmt: skip


def _asks_the_wall_clock(path: Path) -> bool:
    text = text_of(path)
    if path.suffix == ".sql":
        return any(re.search(r"\bnow\(\)(?! \+ (max\()?clock_offset)", line) for line in text.splitlines())
    return re.search(
        r"\bclock\.now\(\)", re.sub(r"_clock\.now\(\)|live\.clock\.now\(\)|self\.clock\.now\(\)", "", text)
    ) is not None or (path.name == "clock.py" and path.parent == SOURCE)


def test_only_what_is_named_here_asks_the_wall_clock():
    """When this fails: a module asks the wall clock. Members see the organisation's: should it not be that?"""
    asking = {name_of(path) for path in [*MODULES, *QUERIES] if _asks_the_wall_clock(path)}
    named = [name for names in WALL_CLOCK.values() for name in names]
    assert len(named) == len(set(named))
    assert asking == set(named)


def test_loops_and_functions_are_named_by_nouns_and_verbs():
    assert lines(MODULES, says_nothing) == []
    assert lines(MODULES, is_no_noun) == []


def test_docstrings_name_errors_that_exist():
    known = {node.name for path in MODULES for node in nodes_of(path) if isinstance(node, ast.ClassDef)}
    known |= {*dir(builtins), "ExpressionError", "UniqueViolationError", "ZoneInfoNotFoundError"}
    named = re.compile(r"\b[Rr]aises? ((?:[A-Z]\w+(?:, or |, | or )?)+)")
    wrong = [
        f"{name_of(path)}: {name}"
        for path in MODULES
        for node in nodes_of(path)
        if isinstance(node, FUNCTION | ast.ClassDef | ast.Module)
        for names in named.findall(ast.get_docstring(node) or "")
        for name in re.findall(r"[A-Z]\w+", names)
        if name not in known
    ]
    assert wrong == []


def test_every_package_has_its_folder_of_tests():
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    folders = {path.parent.name for path in (SOURCE.parents[1] / "tests").glob("*/__init__.py")}
    assert packages - folders == set()
