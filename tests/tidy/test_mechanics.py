"""A mechanic is a folder: nothing outside it names what is in it."""

from pathlib import Path

import pytest

import plaudit
from plaudit.mechanics.registry import MECHANICS

SOURCE = Path(plaudit.__file__).parent
FOLDERS = {"competition": "mechanics/competitions", "streak": "mechanics/streaks", "ladder": "mechanics/ladders"}
MORE_WORDS = {"ladder": ("rung",)}  # by which a mechanic would be named, too
# What may name a mechanic, and why.
EXCEPTIONS = {
    "mechanics/registry.py": "the list of mechanics",
    "demo.py": "data, as a client writes it",
    "api/examples.json": "documents, as clients write them",
    "static/plaudit-member.js": "a client: it shows what it knows",
    "api/pages.py": "what the front page says of Plaudit",
    "storage/schema.sql": "the form of what is stored",
    "storage/erasure.sql": "tables of its own",
    "engine/members.sql": "tables of its own",
    "engine/commit.sql": "tables of its own",
    "imports/moving_members.py": "the columns of tables of its own",
    "imports/moving_organisation.sql": "tables of its own",
    "reads/leaderboards.py": "boards, read from a table of its own",
    "reads/leaderboards.sql": "likewise",
    "reads/rounds.py": "boards of rounds that are over, likewise",
    "reads/rounds.sql": "likewise",
    "reads/members.sql": "tables of its own",
    "reads/member_lines.sql": "tables of its own",
    "reads/member_export.sql": "tables of its own",
    "reads/organisation_lines.py": "tables of its own",
    "reads/organisation_lines.sql": "tables of its own",
    "history/verify.sql": "what is checked of tables of its own",
    "history/invariants.py": "likewise",
    "chores/settle_competitions.py": "a chore, which writes",
    "chores/settle_competitions.sql": "likewise",
    "chores/settle_leagues.py": "likewise",
    "chores/complete_documents.sql": "which documents are over, and when",
    "chores/of_workers.py": "the list of chores",
    "chores/pieces.py": "the kinds of work of chores",
    "guard.py": "likewise, as suspects are stored",
    "api/admin/clock.py": "moving the clock runs the chores",
    "api/admin/competitions.py": "operations, which the mechanic does not describe yet",
    "api/views/competitions.py": "the types of their responses",
    "api/app.py": "the list of operations",
    "api/admin/campaign_stats.py": "one operation, which the mechanic does not describe yet",
    "error_codes.py": "the codes of these operations",
    "api/admin/rewards.py": "a field of a response",
    "api/views/rewards.py": "likewise",
    "api/views/first_generation.py": "the words of the first generation",
    "api/views/member_progress.py": "the types of responses, which the mechanic does not describe yet",
    "core/cause.py": "how logs of earlier versions write causes",
    "api/views/profiles.py": "likewise",
    "api/views/member_api.py": "likewise",
    "api/views/events.py": "likewise",
    "api/views/notification.py": "likewise",
    "api/views/jobs.py": "likewise",
    "core/change_summary.py": "the form of what is stored",
    "engine/processed.py": "likewise",
    "api/admin/member_progress.py": "three operations, which the mechanics do not describe yet",
    "api/member/me.py": "two operations, which the mechanics do not describe yet",
}


def _named_in(kind: str) -> set[str]:
    words = (kind, *MORE_WORDS.get(kind, ()))
    files = [path for path in SOURCE.rglob("*") if path.suffix in {".py", ".sql", ".js", ".json"}]
    return {
        path.relative_to(SOURCE).as_posix()
        for path in files
        if "migrations" not in path.parts and any(word in path.read_text(encoding="utf-8").lower() for word in words)
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
