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
    "chores/settle_leagues.sql": "likewise",
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
        "chores/fill_segments.py": "a chore, which writes",
        "chores/fill_segments.sql": "likewise",
        "engine/segment_tallies.py": "it reads the log for a look at a member",
        "engine/load.py": "it asks that for these looks",
        "engine/rows.py": "the rows of a table of its own",
        "storage/documents.py": "how the table of fills names documents",
        "storage/documents.sql": "likewise",
        "storage/erasure.py": "tables of its own",
        "reads/segments.py": "lists of members, read from a table of its own",
        "reads/segments.sql": "likewise",
        "reads/member_export.py": "likewise",
        "reads/analytics.sql": "a number in a response",
        "api/views/analytics.py": "likewise",
        "api/admin/analytics.py": "likewise",
        "api/views/privacy.py": "a part of an export",
        "api/admin/segments.py": "operations, which the mechanic does not describe yet",
        "api/views/segments.py": "the types of their responses",
        "api/identity/current_member.py": "what a member may see, by rows that are not decoded",
        "api/first_generation/calls.py": "likewise",
        "api/shared/member_pages.py": "likewise",
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
    assert outside - _exceptions(kind) == set()


def test_every_exception_is_needed():
    named = set().union(*map(_named_in, FOLDERS))
    assert {*EXCEPTIONS} - named == set()
    for kind, exceptions in EXCEPTIONS_OF.items():
        assert {*exceptions} - _named_in(kind) == set()
    for kind, exceptions in EXCEPTIONS_OF.items():
        assert {*exceptions} - _named_in(kind) == set()
