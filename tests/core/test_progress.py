"""Progress as it stands at an instant: time takes away what has left a window, without any event."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from plaudit.core.goals import Goal, count_event, standing_at
from plaudit.core.member import StepProgress
from plaudit.core.periods import Period
from plaudit.core.progress import is_completed, progress_at
from tests.core.test_challenges import challenge, step
from tests.support.factories import NOON

DAILY = {"mode": "recurring", "startDate": "2026-01-01T00:00:00Z", "recurrence": {"rule": "FREQ=DAILY"}}
SATURDAYS = {
    "mode": "recurring",
    "startDate": "2026-01-03T00:00:00Z",
    "recurrence": {"rule": "FREQ=WEEKLY;BYDAY=SA", "durationSeconds": 86_400},
}

VIEWS = [
    ("a total never passes", {"target": 3}, {}, ["2026-01-01", "2026-01-02"], "2027-01-01", 2, False),
    ("within the day it counts", {"target": 3, "window": {"days": 1}}, {}, ["2026-01-01"] * 2, "2026-01-02 11:59", 2, False),
    ("a day later it counts no more", {"target": 3, "window": {"days": 1}}, {}, ["2026-01-01"] * 2, "2026-01-02 12:00", 0, False),
    ("of two, one has left", {"target": 3, "window": {"days": 1}}, {}, ["2026-01-01 08:00", "2026-01-01"], "2026-01-02 09:00", 1, False),
    ("this week", {"target": 3, "window": {"period": "week"}}, {}, ["2026-01-05", "2026-01-06"], "2026-01-11 23:59", 2, False),
    ("the week is over", {"target": 3, "window": {"period": "week"}}, {}, ["2026-01-05", "2026-01-06"], "2026-01-12 00:00", 0, False),
    ("distinct values leave", {"type": "distinct", "field": "v", "target": 3, "window": {"days": 1}}, {}, ["2026-01-01"], "2026-01-03", 0, False),
    ("a sum leaves", {"type": "sum", "field": "v", "target": 9, "window": {"days": 1}}, {}, ["2026-01-01"], "2026-01-03", 0, False),
    ("what is done stays", {"target": 1, "window": {"days": 1}}, {}, ["2026-01-01"], "2027-01-01", "done", True),
    ("done today", {"target": 1}, DAILY, ["2026-01-05"], "2026-01-05 23:59", "done", True),
    ("not done tomorrow", {"target": 1}, DAILY, ["2026-01-05"], "2026-01-06 00:00", 0, False),
    ("half of yesterday is no half today", {"target": 2}, DAILY, ["2026-01-05"], "2026-01-06 00:00", 0, False),
    ("between occurrences it is the last one's", {"target": 1}, SATURDAYS, ["2026-01-03"], "2026-01-07", "done", True),
    ("until the next begins", {"target": 1}, SATURDAYS, ["2026-01-03"], "2026-01-10 00:00", 0, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("goal", "more", "events", "at", "stands", "completed"), [row[1:] for row in VIEWS], ids=[row[0] for row in VIEWS]
)
def test_progress_is_what_counts_at_the_instant(goal, more, events, at, stands, completed):
    ann = challenge(step(**goal), **more)
    for local in events:
        ann.do(local, v=1)
    campaign, kept = ann.program.campaigns()["camp_1"], ann.member.progress["camp_1"]
    found = progress_at(campaign, kept, ann.at(at), "UTC").steps.get(0, StepProgress())
    value = found.value // (1_000_000 if goal.get("type") == "sum" else 1)
    assert ("done" if found.done_at is not None else value) == stands
    assert is_completed(campaign, kept, ann.at(at)) is completed


GOALS = st.one_of(
    st.builds(
        lambda kind, hours: Goal(type=kind, target=99, rolling=timedelta(hours=hours)),
        st.sampled_from(["count", "sum", "distinct"]),
        st.integers(1, 72),
    ),
    st.builds(
        lambda kind, period: Goal(type=kind, target=99, calendar=period),
        st.sampled_from(["count", "sum", "distinct"]),
        st.sampled_from(list(Period)),
    ),
)


@given(GOALS, st.lists(st.tuples(st.integers(0, 200), st.integers(1, 5)), max_size=12), st.integers(0, 300))
def test_the_next_event_counts_on_top_of_what_is_shown(goal, events, later):
    kept, hours = StepProgress(), 0
    for hour, value in sorted(events):
        after = count_event(goal, kept, value if goal.type == "sum" else 1, value, NOON + timedelta(hours=hour), "UTC")
        kept, hours = after if isinstance(after, StepProgress) else kept, hour
    now = NOON + timedelta(hours=hours + later)
    standing = standing_at(goal, kept, now, "UTC")
    after = count_event(goal, kept, 1, "another", now, "UTC")
    assert isinstance(after, StepProgress)
    assert after.value == standing.value + 1
    on_top = count_event(goal, standing, 1, "another", now, "UTC")
    assert isinstance(on_top, StepProgress)
    # Windows that are over are remembered beside it, for late events.
    counts_now = [
        structs.replace(standing_at(goal, step_progress, now, "UTC"), windows=()) for step_progress in (on_top, after)
    ]
    assert counts_now[0] == counts_now[1]
