"""When a member was last active: only what they do themselves moves it, not what is done to them or falls due."""

import pytest

from plaudit.core.event import (
    CAMPAIGN_ENROLMENT,
    ENROLMENT,
    EXTENSION,
    GRANT,
    HOLD,
    IMPORT,
    PROFILE,
    RECEIPT,
    REDEMPTION,
    REFERRAL,
    TRANSACTION,
    TRANSFER,
)
from plaudit.core.profile_fields import last_active_at
from plaudit.mechanics.competitions.commands import PRIZE
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.segments.commands import SEGMENT
from plaudit.mechanics.segments.state import segments_of
from plaudit.mechanics.streaks.commands import STREAK
from tests.support.factories import campaign, document, program
from tests.support.life import Life

OWN = [
    ("visit", "action", {}),
    ("campaign.enrol", CAMPAIGN_ENROLMENT, {"campaignId": "camp_1"}),
    ("registration", ENROLMENT, {"attributes": {}}),
    ("product.redeem", REDEMPTION, {"productId": "cup"}),  # refused: tried is active
    ("transfer", TRANSFER, {"metric": "points", "amount": 1, "to": "bob"}),
    ("check_in", STREAK, {"streakId": "daily", "action": "check_in"}),
]
DONE_TO_THEM = [
    ("timer", "timer", {}),
    ("reward.grant", GRANT, {"rewardId": "none"}),
    ("profile.set", PROFILE, {"attributes": {"city": "Rome"}}),
    ("transaction", TRANSACTION, {"metric": "points", "amount": 5}),
    ("receipt", RECEIPT, {"metric": "points", "amount": 5, "from": "bob"}),
    ("hold", HOLD, {"metric": "points", "holdId": "h", "action": "release"}),
    ("streak.grant_freeze", STREAK, {"streakId": "daily", "action": "grant_freeze"}),
    ("ladder.set", LADDER, {"ladderId": "club", "rung": "gold"}),
    ("segment", SEGMENT, {"segmentId": "them"}),
    ("prize", PRIZE, {"competitionId": "cup", "rank": 1}),
    ("user.referred", REFERRAL, {"userId": "bob"}),
    ("member.imported", IMPORT, {}),
    ("extension", EXTENSION, {"metric": "points", "expiresAt": "2026-09-01T00:00:00Z"}),
]


def life() -> Life:
    pay = campaign(trigger="visit", effects=[{"type": "add_points", "config": {"amount": 10}}])
    return Life(
        program(
            pay,
            document("ladder", "club", rungs=[{"rungId": "gold", "name": "Gold", "threshold": 500}]),
            document("streak", "daily", triggers=[{"type": "visit"}]),
            document("segment", "them", include=[{"field": "lastActiveAt", "operator": ">=", "value": "2026-03-01"}]),
            points={"expiry": {"type": "rolling", "days": 10}},
        )
    )


@pytest.mark.parametrize(("trigger", "kind", "data"), OWN, ids=[trigger for trigger, *_ in OWN])
def test_what_members_do_moves_when_they_were_last_active(trigger, kind, data):
    ann = life()
    ann.do("2026-01-01")
    ann.do("2026-02-01", trigger, kind, **data)
    assert last_active_at(ann.member) == ann.at("2026-02-01")


@pytest.mark.parametrize(("trigger", "kind", "data"), DONE_TO_THEM, ids=[trigger for trigger, *_ in DONE_TO_THEM])
def test_what_is_done_to_members_does_not(trigger, kind, data):
    ann = life()
    ann.do("2026-01-01")
    ann.do("2026-02-01", trigger, kind, **data)
    assert ann.member.latest_at == ann.at("2026-02-01")
    assert last_active_at(ann.member) == ann.at("2026-01-01")


def test_time_that_passes_does_not():
    ann = life()
    ann.do("2026-01-01")
    ann.until("2026-06-01")
    assert len(ann.decisions) == 3  # the streak has lapsed, the points have expired
    assert last_active_at(ann.member) == ann.at("2026-01-01")


def test_an_action_of_the_past_does_not_move_it_back_and_who_has_done_nothing_was_active_when_they_joined():
    ann = life()
    ann.do("2026-01-05", "profile.set", PROFILE, attributes={})
    assert (ann.member.active_at, last_active_at(ann.member)) == (None, ann.at("2026-01-05"))
    ann.do("2026-02-01")
    ann.do("2026-01-20")
    assert last_active_at(ann.member) == ann.at("2026-02-01")


def test_a_segment_of_the_active_follows_each_action():
    ann = life()
    ann.do("2026-02-01")
    ann.do("2026-03-02", "profile.set", PROFILE, attributes={"city": "Rome"})
    assert "them" not in segments_of(ann.member)
    ann.do("2026-03-03", "look")
    assert segments_of(ann.member)["them"].member
