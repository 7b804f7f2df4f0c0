"""A mechanic is a folder: nothing outside it names what is in it."""

from pathlib import Path

import pytest

import plaudit
from plaudit.mechanics.registry import MECHANICS

SOURCE = Path(plaudit.__file__).parent
FOLDERS = {
    "competition": "mechanics/competitions",
    "streak": "mechanics/streaks",
    "ladder": "mechanics/ladders",
    "segment": "mechanics/segments",
}
# What a mechanic has outside of its folder, since it reads or writes: its operations, chores and queries.
ITS_OWN = {
    "competition": {
        "api/admin/competitions.py", "api/member/competitions.py", "chores/settle_competitions.py",
        "chores/settle_competitions.sql", "chores/settle_leagues.py", "reads/leaderboards.py", "reads/leaderboards.sql",
        "reads/rounds.py", "reads/rounds.sql",
    },
    "streak": {"api/admin/streaks.py"},
    "ladder": {"api/admin/ladders.py"},
    "segment": {
        "api/admin/segments.py", "chores/fill_segments.py", "chores/fill_segments.sql", "reads/segments.py",
        "reads/segments.sql",
    },
}  # fmt: skip
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
    "imports/moving_organisation.sql": "tables of its own",
    "reads/members.sql": "tables of its own",
    "reads/member_lines.sql": "tables of its own",
    "reads/member_export.sql": "tables of its own",
    "reads/organisation_lines.py": "tables of its own",
    "reads/organisation_lines.sql": "tables of its own",
    "history/verify.sql": "what is checked of tables of its own",
    "history/invariants.py": "likewise",
    "chores/settle_leagues.sql": "likewise",
    "chores/complete_documents.sql": "which documents are over, and when",
    "chores/of_workers.py": "the list of chores",
    "api/admin/clock.py": "moving the clock runs the chores",
    "api/app.py": "the list of operations",
    "api/admin/campaign_stats.py": "one operation, which the mechanic does not describe yet",
    "api/views/first_generation.py": "the words of the first generation",
    "core/cause.py": "how logs of earlier versions write causes",
    "api/views/events.py": "likewise",
    "api/views/notification.py": "likewise",
    "core/change_summary.py": "the form of what is stored",
    "engine/processed.py": "likewise",
}

# What may name this mechanic alone, and why.
AUDIENCE = "an audience, which documents call `segments`"
EXCEPTIONS_OF = {
    "segment": {
        "documents/effect.py": AUDIENCE,
        "documents/campaign.py": AUDIENCE,
        "documents/product.py": AUDIENCE,
        "documents/dialects.py": AUDIENCE,
        "documents/programme_file.py": AUDIENCE,
        "documents/compile.py": AUDIENCE,
        "documents/compile_effects.py": AUDIENCE,
        "mechanics/streaks/compiling.py": AUDIENCE,
        "mechanics/competitions/campaign_part.py": AUDIENCE,
        "mechanics/competitions/compiling.py": AUDIENCE,
        "mechanics/competitions/document.py": AUDIENCE,
        "history/explain.py": AUDIENCE,
        "api/views/documents.py": AUDIENCE,
        "core/decision.py": "the code of the refusal for who is outside an audience",
        "core/refusals.py": "likewise, and what it means",
        "core/campaigns.py": "likewise",
        "core/commands/redemption.py": "likewise",
        "mechanics/competitions/scores.py": "likewise",
        "storage/documents.py": "how the table of fills names documents",
        "storage/documents.sql": "likewise",
        "storage/erasure.py": "tables of its own",
        "reads/member_export.py": "likewise",
        "reads/analytics.sql": "a number in a response",
        "api/views/analytics.py": "likewise",
        "api/admin/analytics.py": "likewise",
        "api/views/privacy.py": "a part of an export",
        "api/identity/current_member.py": AUDIENCE,
        "api/member/competitions.py": AUDIENCE,
        "api/member/rewards.py": AUDIENCE,
        "api/admin/reference.py": "what an operation says of itself",
        "api/http/parameters.py": "an example of a cause",
        "api/views/cause.py": "likewise",
        "api/ingest/segment.py": "Twilio Segment, which is something else",
        "api/http/routing.py": "parts of a path, which are something else",
        "api/http/content_encoding.py": "likewise",
        "api/identity/callers.py": "likewise",
    }
}


def _exceptions(kind: str) -> set[str]:
    return {*EXCEPTIONS, *EXCEPTIONS_OF.get(kind, {})}


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
    assert outside - ITS_OWN[kind] - _exceptions(kind) == set()


def test_every_exception_is_needed():
    named = set().union(*map(_named_in, FOLDERS))
    assert {*EXCEPTIONS} - named == set()
    for kind, exceptions in EXCEPTIONS_OF.items():
        assert {*exceptions} - _named_in(kind) == set()
    for kind, files in ITS_OWN.items():
        assert files - _named_in(kind) == set()
