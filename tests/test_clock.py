"""The clock of an organisation: what it showed when, and the other way round."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.clock import WALL, Move, OrgClock

DAY = timedelta(days=1)
FIRST, SECOND = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)
MOVED = OrgClock(30 * DAY, (Move(FIRST, timedelta(0), 10 * DAY), Move(SECOND, 10 * DAY, 30 * DAY)))

CASES = [
    ("before anybody moved it", FIRST - DAY, FIRST - DAY),
    ("at the first move", FIRST, FIRST + 10 * DAY),
    ("between them", FIRST + DAY, FIRST + 11 * DAY),
    ("just before the second", SECOND - timedelta(seconds=1), SECOND + 10 * DAY - timedelta(seconds=1)),
    ("at the second", SECOND, SECOND + 30 * DAY),
    ("since", SECOND + 5 * DAY, SECOND + 35 * DAY),
]


@pytest.mark.parametrize(("wall", "shown"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_it_shows_what_it_showed_then(wall, shown):
    assert MOVED.from_wall(wall) == shown
    assert MOVED.wall_of(shown) == wall


def test_what_it_jumped_over_was_at_the_move():
    assert MOVED.wall_of(FIRST + 5 * DAY) == FIRST
    assert MOVED.wall_of(SECOND + 10 * DAY) == SECOND
    assert MOVED.wall_of(SECOND + 29 * DAY) == SECOND


def test_one_that_was_moved_before_its_moves_were_noted_has_always_been_ahead():
    ahead = OrgClock(7 * DAY)
    assert (ahead.from_wall(FIRST), ahead.wall_of(FIRST)) == (FIRST + 7 * DAY, FIRST - 7 * DAY)
    later = OrgClock(8 * DAY, (Move(SECOND, 7 * DAY, 8 * DAY),))
    assert (later.from_wall(FIRST), later.wall_of(FIRST + 7 * DAY)) == (FIRST + 7 * DAY, FIRST)
    assert (WALL.from_wall(FIRST), WALL.wall_of(FIRST)) == (FIRST, FIRST)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6), st.integers(-100, 400))
def test_from_an_instant_on_is_from_an_instant_of_the_wall_on(moves, day):
    """`shown(wall) >= instant` and `wall >= wall_of(instant)` say the same: a window by the one is one by the other."""
    at, offset, made = FIRST, timedelta(0), []
    for gap, by in moves:
        at += gap * DAY + timedelta(seconds=1)
        made.append(Move(at, offset, offset + by * DAY))
        offset += by * DAY
    org_clock = OrgClock(offset, tuple(made))
    instant = FIRST + day * DAY
    for hours in range(-2400, 9600, 7):
        wall = FIRST + timedelta(hours=hours)
        assert (org_clock.from_wall(wall) >= instant) == (wall >= org_clock.wall_of(instant))
