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
        "chores/settle_competitions.sql", "chores/settle_leagues.py", "chores/settle_leagues.sql", "reads/leaderboards.py",
        "reads/leaderboards.sql", "reads/rounds.py", "reads/rounds.sql",
    },
    "streak": {"api/admin/streaks.py"},
    "ladder": {"api/admin/ladders.py"},
    "segment": {
        "api/admin/segments.py", "chores/fill_segments.py", "chores/fill_segments.sql", "reads/segments.py",
        "reads/segments.sql",
    },
}  # fmt: skip
MORE_WORDS = {"ladder": ("rung",)}  # by which a mechanic would be named, too
# What may name mechanics though it is about more than they are: which of them, by the reason.
ALL = "competition streak ladder segment"
EXCEPTIONS = {
    "a list": {
        "mechanics/registry.py": ALL,
        "api/app.py": ALL,
        "chores/of_workers.py": "competition segment",
    },
    "the programme, as a client writes it, and what clients and pages show": {
        "demo.py": ALL,
        "api/examples.json": ALL,
        "static/plaudit-member.js": "streak ladder",
        "api/pages.py": "streak",
        "api/views/first_generation.py": "competition",
    },
    "tables of its own, for which SQL has no other name": {
        "storage/schema.sql": ALL,
        "storage/erasure.sql": "competition segment",
        "storage/erasure.py": "segment",
        "storage/documents.sql": "segment",
        "storage/documents.py": "segment",
        "engine/tables.sql": "segment",
        "imports/moving_organisation.sql": "competition segment",
        "reads/members.sql": "competition",
        "reads/member_export.sql": "competition segment",
        "reads/member_export.py": "segment",
        "reads/organisation_lines.py": "competition segment",
        "reads/organisation_lines.sql": "competition segment",
        "reads/analytics.sql": "segment",
        "history/verify.sql": "competition segment",
        "history/invariants.py": "competition segment",
        "chores/complete_documents.sql": "competition",
    },
    "the form of what is stored": {
        "core/cause.py": ALL,
        "core/change_summary.py": "ladder",
        "engine/processed.py": "ladder",
    },
    "an operation on more than the mechanic, and a field of its response": {
        "api/admin/clock.py": "competition",
        "api/admin/campaign_stats.py": "competition",
        "api/admin/analytics.py": "segment",
        "api/views/analytics.py": "segment",
        "api/views/notification.py": "ladder",
        "api/views/privacy.py": "segment",
    },
    "an example in a description": {
        "api/admin/reference.py": "segment",
        "api/http/parameters.py": "segment",
        "api/views/cause.py": "segment",
    },
    "an audience, which documents call `segments`, and the refusal `not_in_segment`": {
        "documents/effect.py": "segment",
        "documents/campaign.py": "segment",
        "documents/product.py": "segment",
        "documents/dialects.py": "segment",
        "documents/programme_file.py": "segment",
        "documents/compile.py": "segment",
        "documents/compile_effects.py": "segment",
        "mechanics/streaks/compiling.py": "segment",
        "mechanics/competitions/campaign_part.py": "segment",
        "mechanics/competitions/compiling.py": "segment",
        "mechanics/competitions/document.py": "segment",
        "mechanics/competitions/scores.py": "segment",
        "history/explain.py": "segment",
        "core/decision.py": "segment",
        "core/refusals.py": "segment",
        "core/campaigns.py": "segment",
        "core/commands/redemption.py": "segment",
        "api/identity/current_member.py": "segment",
        "api/member/competitions.py": "segment",
        "api/member/rewards.py": "segment",
        "api/views/documents.py": "segment",
        "api/views/events.py": "segment streak",  # and an example
    },
    "something else of this name: Twilio Segment, a part of a path": {
        "api/ingest/segment.py": "segment",
        "api/http/content_encoding.py": "segment",
        "api/http/routing.py": "segment",
        "api/identity/callers.py": "segment",
    },
}


def _exceptions(kind: str) -> set[str]:
    files = [(name, kinds.split()) for named in EXCEPTIONS.values() for name, kinds in named.items()]
    return {name for name, kinds in files if kind in kinds}


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


@pytest.mark.parametrize("kind", FOLDERS)
def test_every_exception_is_needed(kind):
    assert (ITS_OWN[kind] | _exceptions(kind)) - _named_in(kind) == set()


def test_every_exception_has_one_reason():
    names = [name for named in EXCEPTIONS.values() for name in named]
    assert len(names) == len({*names})
