"""A mechanic is a folder: nothing outside it names what is in it."""

from pathlib import Path

import pytest

import plaudit
from plaudit.mechanics.registry import MECHANICS

SOURCE = Path(plaudit.__file__).parent
FOLDERS = {"streak": "mechanics/streaks"}
# What may name a mechanic, and why.
EXCEPTIONS = {
    "mechanics/registry.py": "the list of mechanics",
    "demo.py": "data, as a client writes it",
    "api/examples.json": "documents, as clients write them",
    "static/plaudit-member.js": "a client: it shows what it knows",
    "api/pages.py": "what the front page says of Plaudit",
    "storage/schema.sql": "the form of what is stored",
    "api/views/member_progress.py": "the types of responses, which the mechanic does not describe yet",
    "core/cause.py": "how logs of earlier versions write causes",
    "api/views/profiles.py": "likewise",
    "api/views/member_api.py": "likewise",
    "api/views/events.py": "likewise",
    "api/admin/member_progress.py": "two operations, which the mechanic does not describe yet",
    "api/member/me.py": "one operation, which the mechanic does not describe yet",
}


def _named_in(word: str) -> set[str]:
    files = [path for path in SOURCE.rglob("*") if path.suffix in {".py", ".sql", ".js", ".json"}]
    return {
        path.relative_to(SOURCE).as_posix()
        for path in files
        if "migrations" not in path.parts and word in path.read_text(encoding="utf-8").lower()
    }


def test_every_mechanic_is_a_folder():
    assert {*FOLDERS} == {*MECHANICS}


@pytest.mark.parametrize("kind", FOLDERS)
def test_nothing_else_names_a_mechanic(kind):
    outside = {name for name in _named_in(kind) if not name.startswith(f"{FOLDERS[kind]}/")}
    assert outside - {*EXCEPTIONS} == set()


def test_every_exception_is_needed():
    named = set().union(*map(_named_in, FOLDERS))
    assert {*EXCEPTIONS} - named == set()
