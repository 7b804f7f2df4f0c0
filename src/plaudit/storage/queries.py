"""Named SQL queries, in `.sql` files next to the modules that use them.

Each query follows a line `-- name: some_name` and a comment that says what it is for. Parameters are PostgreSQL's own,
`$1` and so on. A test prepares every query on the real server, and fails on unused ones.
"""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Queries:
    """The queries of one file, as attributes."""

    def __init__(self, queries: dict[str, str]) -> None:
        self.by_name = queries

    def __getattr__(self, name: str) -> str:
        try:
            return self.by_name[name]
        except KeyError:
            raise AttributeError(f"no query is named {name}") from None


def queries_beside(module_file: str) -> Queries:
    """Return the queries of the `.sql` file next to a module: `queries_beside(__file__)`."""
    text = Path(module_file).with_suffix(".sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)
    return Queries(dict(zip(parts[1::2], (part.strip() for part in parts[2::2]), strict=True)))
