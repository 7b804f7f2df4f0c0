"""Random programmes and random histories: after every step, the core has done what the model says.

`PLAUDIT_MODEL_HISTORIES` says how many, `PLAUDIT_MODEL_SEED` which; a failure prints the smallest programme and history
that it was found by, and the seed.
"""

import os
import random
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from plaudit.mechanics.competitions import draw as places

from . import competitions, programmes
from . import histories as happen
from .comparing import compare, compare_in_any_order
from .core import id_of

HISTORIES = int(os.environ.get("PLAUDIT_MODEL_HISTORIES", "2000"))
SEED = int(os.environ.get("PLAUDIT_MODEL_SEED") or random.SystemRandom().randrange(10**9))

KINDS = {
    "points": (
        programmes.books(),
        happen.histories(
            [
                (6, happen.EARN), (4, happen.SPEND), (2, happen.BY_HAND), (4, happen.REVERSE), (2, happen.TRANSFER),
                (3, happen.HOLD), (1, happen.IMPORT), (1, happen.WAIT),
            ]
        ),
    ),
    "challenges": (
        programmes.challenges(),
        happen.histories([(12, happen.DOES), (2, happen.JOIN), (1, happen.WAIT)], gaps=happen.DAILY),
    ),
    "streaks": (
        programmes.challenges(with_streaks=True),
        happen.histories(
            [(14, happen.DOES), (4, happen.STREAK), (1, happen.XP), (1, happen.WAIT)], gaps=happen.DAILY, at_home=True
        ),
    ),
    "standings": (
        programmes.standings(),
        happen.histories(
            [
                (8, happen.BUY), (4, happen.VISIT), (2, happen.SPEND), (4, happen.REVERSE), (1, happen.TRANSFER), (1, happen.BY_HAND),
                (1, happen.BY_HAND_IN), (1, happen.IMPORT), (1, happen.SAVE), (2, happen.WAIT),
            ],
            gaps=happen.LONG, begin=happen.WINTER,
        ),
    ),
    "late": (programmes.patient(), happen.late_histories()),
}  # fmt: skip
COMPARED = {"late": compare_in_any_order}


@pytest.mark.parametrize("kind", KINDS)
def test_the_core_does_what_the_model_says(kind):
    documents, history = KINDS[kind]

    @seed(SEED)
    @settings(
        max_examples=max(HISTORIES // len(KINDS), 1), deadline=None, database=None, print_blob=False,
        suppress_health_check=cast("list[HealthCheck]", list(HealthCheck)), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(documents, history)
    def compared(documents, history):
        COMPARED.get(kind, compare)(documents, history)

    print(f"make model SEED={SEED} HISTORIES={HISTORIES}")
    compared()


@seed(SEED)
@settings(deadline=None, database=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 9)),
    st.integers(0, 5),
)
def test_a_draw_has_the_winners_that_the_model_draws(draw_seed, entries, winners):
    tickets = [places.Ticket(id_of(user), user, entries[user]) for user in entries]
    drawn = places.draw(draw_seed, tickets, winners)
    assert [ticket.user_id for ticket in drawn] == competitions.draw(draw_seed, entries, winners)
    assert places.tickets_digest(places.draw_order(tickets)) == competitions.entries_digest(entries)
