"""A refusal that ends by itself says when."""

import pytest

from plaudit.core.decision import Refusal
from tests.support.factories import document, program
from tests.support.life import Life

PAYS = {"triggers": [{"type": "visit"}], "effects": [{"type": "add_points", "config": {"amount": 1}}]}


@pytest.mark.parametrize(
    ("campaign", "refusal", "at"),
    [
        ({"limit": {"perPeriod": {"period": "day", "count": 1}}}, Refusal.limit_per_period_reached, "2026-03-15 00:00"),
        ({"cooldown": 7200}, Refusal.cooldown_running, "2026-03-14 14:00"),
        (
            {"mode": "time-bound", "startDate": "2026-04-01T00:00:00Z", "endDate": "2026-05-01T00:00:00Z"},
            Refusal.campaign_not_started, "2026-04-01 00:00",
        ),
    ],
)  # fmt: skip
def test_it_says_when(campaign, refusal, at):
    life = Life(program(document("campaign", "camp_1", **PAYS, **campaign), document("metric", "points")))
    life.do("2026-03-14 12:00")
    considered = life.do("2026-03-14 12:30").trace[-1]
    assert (considered.refusal, considered.progress) == (refusal, {"next_available_at": life.at(at)})
