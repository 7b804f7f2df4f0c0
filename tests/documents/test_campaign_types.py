"""The types of campaign: what each means, what it adds to a document, and what it refuses."""

from typing import Any

import msgspec
import pytest

from plaudit.core.decision import Refusal
from plaudit.documents.base import fixed_fields_changed
from plaudit.documents.checking import checked_document
from plaudit.documents.compile import CompileInput
from plaudit.documents.kinds import KINDS
from plaudit.documents.programme_file import without_defaults
from plaudit.errors import Invalid
from plaudit.mechanics.competitions.state import standings_of
from plaudit.mechanics.streaks.state import streaks_of
from plaudit.storage.programmes import programme_from_documents
from tests.support.factories import ORG, document, program
from tests.support.life import Life

PAY = [{"type": "add_points", "config": {"amount": 10}}]
VISIT: dict[str, Any] = {"name": "Visits", "triggers": [{"type": "visit"}], "effects": PAY}
STEPS = {"name": "Steps", "steps": [{"name": "Visit", "trigger": "visit"}], "effects": PAY}
DAILY = {"mode": "recurring", "startDate": "2026-01-01T00:00:00Z", "recurrence": {"rule": "FREQ=DAILY"}}


def saved(over=None, kind="campaign", **raw):
    """A document as it is kept after saving `raw`, over a stored one if there is one."""
    return msgspec.to_builtins(checked_document(KINDS[kind], (over or {}) | raw, over))


def stored(**raw):
    """A campaign as it was stored before types meant anything."""
    return msgspec.to_builtins(msgspec.convert(raw, KINDS["campaign"].type))


def life(*more, **campaign) -> Life:
    return Life(program(document("campaign", "camp_1", **campaign), *more))


PAID = [
    ("a reward each time", VISIT | {"type": "Reward"}, 30),
    ("the default is a reward", VISIT, 30),
    ("a reward of steps each time", STEPS | {"type": "Reward"}, 30),
    ("a reward of steps within its limit", STEPS | {"type": "Reward", "limit": {"perUser": 2}}, 20),
    ("a recurring reward of steps once in each occurrence", STEPS | DAILY | {"type": "Reward"}, 20),
    ("steps are a challenge unless a type is named", STEPS, 10),
    ("a badge once", VISIT | {"type": "Badge"}, 10),
    ("a challenge once", VISIT | {"type": "Challenge"}, 10),
    ("a challenge each time if it is repeatable", VISIT | {"type": "Challenge", "repeatable": True}, 30),
    ("a challenge twice if it says so", VISIT | {"type": "Challenge", "repeatable": True, "limit": {"perUser": 2}}, 20),
    ("a challenge of steps once", STEPS | {"type": "Challenge"}, 10),
    ("a challenge of steps each time if it is repeatable", STEPS | {"type": "Challenge", "repeatable": True}, 30),
    ("a badge of steps once", STEPS | {"type": "Badge"}, 10),
    ("a recurring challenge once in each occurrence", STEPS | DAILY | {"type": "Challenge"}, 20),
]


@pytest.mark.parametrize(("campaign", "points"), [c[1:] for c in PAID], ids=[c[0] for c in PAID])
def test_a_campaign_pays_as_often_as_its_type_says(campaign, points):
    ann = life(**campaign)
    for at in ("2026-01-01", "2026-01-01 13:00", "2026-01-02"):
        ann.do(at)
    assert ann.balance() == points


def test_why_a_badge_does_not_come_again_is_said():
    ann = life(**VISIT | {"type": "Badge"})
    ann.do("2026-01-01")
    ann.do("2026-01-02")
    assert ann.refusals() == [Refusal.limit_per_member_reached]


REFUSED = [
    ("a reward of steps once", STEPS | {"type": "Reward", "repeatable": False}, "repeatable", "pays each time"),
    ("a badge again", VISIT | {"type": "Badge", "repeatable": True}, "repeatable", "awarded once"),
    ("a badge three times", VISIT | {"type": "Badge", "limit": {"perUser": 3}}, "limit.perUser", "(got 3)"),
    ("a badge each day", VISIT | {"type": "Badge", "limit": {"perPeriod": {"period": "day", "count": 1}}}, "limit.perPeriod", "awarded once"),
    ("a recurring badge", STEPS | DAILY | {"type": "Badge"}, "mode", "awarded once"),
    ("a challenge three times", VISIT | {"type": "Challenge", "limit": {"perUser": 3}}, "limit.perUser", "not repeatable"),
    ("a challenge with a pause", STEPS | {"type": "Challenge", "cooldown": 60}, "cooldown", "not repeatable"),
    ("a recurring challenge without steps", VISIT | DAILY | {"type": "Challenge"}, "steps", "each occurrence"),
    ("a schedule", VISIT | {"triggers": [{"type": "visit"}, {"type": "schedule"}]}, "triggers[1].type", "no trigger fires"),
    ("a step by schedule", STEPS | {"steps": [{"name": "s", "trigger": "schedule"}]}, "steps[0].triggers[0].type", "no trigger fires"),
]  # fmt: skip


@pytest.mark.parametrize(("campaign", "field", "why"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_makes_no_sense_in_a_type_is_refused(campaign, field, why):
    with pytest.raises(Invalid) as refused:
        saved(**campaign)
    assert [error.field for error in refused.value.fields] == [field]
    assert why in refused.value.fields[0].message


def test_no_document_listens_to_a_schedule():
    for kind, raw, field in [
        ("rule", {"campaignId": "camp_1", "triggerType": "schedule", "effects": PAY}, "triggerType"),
        ("streak", {"name": "s", "triggers": [{"type": "schedule"}]}, "triggers[0].type"),
        ("competition", {"name": "c", "score": {"trigger": "schedule"}}, "score.trigger"),
        ("segment", {"name": "s", "include": [{"daysSince": {"trigger": "schedule"}, "operator": ">", "value": 3}]}, "include[0].daysSince.trigger"),
    ]:  # fmt: skip
        with pytest.raises(Invalid) as refused:
            saved(kind=kind, **raw)
        assert [error.field for error in refused.value.fields] == [field]


def test_what_a_type_adds_is_in_the_document():
    assert saved(**VISIT, type="Badge", limit={"overall": 5})["limit"] == {
        "perUser": 1,
        "perPeriod": None,
        "overall": 5,
    }
    assert saved(**VISIT, type="Reward")["limit"] is None


def test_a_document_that_was_completed_is_the_same_when_it_is_sent_again():
    badge = saved(**VISIT, type="Badge")
    assert saved(badge, limit=None) == badge
    assert saved(**badge) == badge


def test_a_reward_of_steps_that_was_stored_before_stays_as_it_was():
    before = saved(**STEPS) | {"type": "Reward"}
    assert saved(before, status="paused") == before | {"status": "paused"}
    assert saved(before, **without_defaults(KINDS["campaign"], before)) == before
    with pytest.raises(Invalid, match="repeatable must be true in a Reward"):
        saved(saved(**STEPS), type="Reward")


@pytest.mark.parametrize("raw", [STEPS, STEPS | {"type": "Reward"}, VISIT, STEPS | {"type": "Badge"}, STEPS | DAILY])
def test_a_campaign_that_was_written_out_is_read_as_it_was(raw):
    kept = saved(**raw)
    assert saved(**without_defaults(KINDS["campaign"], kept)) == kept


@pytest.mark.parametrize("kind", ["Badge", "Challenge"])
def test_a_campaign_that_was_stored_before_stays_as_it_was(kind):
    before = stored(**VISIT, type=kind)
    assert saved(before, status="paused") == before | {"status": "paused"}
    assert saved(before, type="Reward") == before | {"type": "Reward"}
    assert saved(stored(**VISIT), type=kind)["limit"]["perUser"] == 1
    listening = stored(**VISIT | {"triggers": [{"type": "schedule"}]})
    assert saved(listening, status="paused") == listening | {"status": "paused"}


RUN = VISIT | {"type": "Streak"}
THIRD = {"milestones": [{"length": 3, "effects": [{"type": "add_points", "amount": 100}]}]}
DAYS = ("2026-01-01", "2026-01-01 13:00", "2026-01-02", "2026-01-03")

TURNS = [
    ("each day once", RUN, DAYS, 30),
    ("more with each day", RUN | {"effects": [{"type": "add_points", "amount": "10 * length"}]}, DAYS, 60),
    ("a milestone beside it", RUN | {"streak": THIRD}, DAYS, 130),
    ("a milestone alone", RUN | {"streak": THIRD, "effects": []}, DAYS, 100),
    ("a day missed begins anew", RUN | {"streak": THIRD, "effects": []}, ("2026-01-01", "2026-01-02", "2026-01-04"), 0),
    ("weeks", RUN | {"streak": {"cadence": "weekly"}}, DAYS, 10),
    ("two actions a day", RUN | {"streak": {"threshold": 2}}, DAYS, 10),
    ("only what meets the conditions", RUN | {"triggers": [{"type": "visit", "conditions": [{"field": "n", "operator": "==", "value": 1}]}]}, DAYS, 0),
    ("only in its time", RUN | {"startDate": "2026-01-02T00:00:00Z", "endDate": "2026-01-03T00:00:00Z"}, DAYS, 10),
    ("as often as its limit says", RUN | {"limit": {"perUser": 2}}, DAYS, 20),
    ("not in a draft", RUN | {"status": "draft"}, DAYS, 0),
]  # fmt: skip


@pytest.mark.parametrize(("campaign", "days", "points"), [c[1:] for c in TURNS], ids=[c[0] for c in TURNS])
def test_a_streak_pays_for_each_turn_and_for_its_milestones(campaign, days, points):
    ann = life(**campaign)
    for at in days:
        ann.do(at)
    assert ann.balance() == points


def test_the_streak_of_a_campaign_has_its_id_and_pays_for_no_other():
    ann = life(document("streak", "other", triggers=[{"type": "lift"}]), **RUN)
    ann.do("2026-01-01")
    ann.do("2026-01-02", "lift")
    ann.do("2026-01-02")
    assert (streaks_of(ann.member)["camp_1"].current, streaks_of(ann.member)["other"].current) == (2, 1)
    assert (ann.balance(), ann.member.progress["camp_1"].completions) == (20, 2)
    assert {transaction.cause.text for transaction in ann.transactions} == {"camp_1"}


def test_a_streak_counts_for_those_in_its_segments_only():
    fans = document("segment", "fans", type="static", userIds=["bob"])
    ann = life(fans, **RUN | {"segments": {"include": ["fans"]}})
    ann.do("2026-01-01")
    assert ann.balance() == 0
    assert "camp_1" not in streaks_of(ann.member)


def test_saving_a_streak_adds_one_by_the_day():
    kept = saved(**RUN)["streak"]
    assert (kept["cadence"], kept["threshold"], kept["milestones"]) == ("daily", 1, [])
    assert saved(**STEPS, type="Reward")["streak"] is None
    assert saved(stored(**RUN), status="paused")["streak"] is None


def test_a_streak_that_was_stored_without_its_part_pays_each_time():
    before = CompileInput("campaign", "camp_1", msgspec.convert(RUN, KINDS["campaign"].type))
    ann = Life(program(before))
    for at in DAYS:
        ann.do(at)
    assert ann.balance() == 40
    assert not streaks_of(ann.member)


BAD_STREAKS = [
    ("of another type", VISIT | {"streak": {}}, "streak", "type Streak"),
    ("with steps", STEPS | {"type": "Streak"}, "steps", "streak.milestones"),
    ("recurring", RUN | DAILY, "mode", "streak.cadence"),
    ("to be joined", RUN | {"enrolment": "required"}, "enrolment", "must be open"),
    ("in advanced mode", {"name": "a", "type": "Streak", "simplifiedMode": False, "streak": {}}, "streak", "advanced"),
    ("with nothing to win", RUN | {"effects": []}, "effects", "must not be empty"),
    ("with a wrong effect", RUN | {"streak": {"milestones": [{"length": 2, "effects": [{"type": "fly"}]}]}}, "streak.milestones[0].effects[0].type", "fly"),
    ("with a wrong freeze", RUN | {"streak": {"freezes": {"maximum": 1, "atStart": 2}}}, "streak.freezes.atStart", "maximum"),
    ("with an unknown field", RUN | {"streak": {"length": 2}}, "streak.length", "not a known field"),
]  # fmt: skip


@pytest.mark.parametrize(("campaign", "field", "why"), [c[1:] for c in BAD_STREAKS], ids=[c[0] for c in BAD_STREAKS])
def test_a_streak_that_makes_no_sense_is_refused(campaign, field, why):
    test_what_makes_no_sense_in_a_type_is_refused(campaign, field, why)


CUP: dict[str, Any] = {"name": "Cup", "type": "Competition", "endDate": "2026-02-01T00:00:00Z"}
BY_VISITS: dict[str, Any] = CUP | {
    "triggers": [{"type": "visit", "conditions": [{"field": "n", "operator": ">", "value": 1}]}]
}
PRIZES = [{"fromRank": 1, "toRank": 1, "effects": [{"type": "add_points", "amount": 500}]}]

SCORED = [
    ("by its only trigger", BY_VISITS, 2_000_000, 0),
    ("by its only trigger, which pays as well", BY_VISITS | {"effects": PAY}, 2_000_000, 20),
    ("by a metric", VISIT | CUP | {"competition": {"score": {"metric": "points"}}}, 30, 30),
    ("by the sum of a field", CUP | {"competition": {"score": {"trigger": "visit", "field": "n"}}}, 6_000_000, 0),
    ("the excluded do not take part", BY_VISITS | {"competition": {"excludedUserIds": ["ann"]}}, None, 0),
    ("until its end", BY_VISITS | {"endDate": "2026-01-02T00:00:00Z"}, 1_000_000, 0),
    ("not in a draft", BY_VISITS | {"status": "draft"}, None, 0),
    ("not while paused", BY_VISITS | {"status": "paused"}, None, 0),
    (
        "by a sum, not while paused",
        CUP | {"competition": {"score": {"trigger": "visit", "field": "n"}}, "status": "paused"},
        None,
        0,
    ),
]


@pytest.mark.parametrize(("campaign", "score", "points"), [c[1:] for c in SCORED], ids=[c[0] for c in SCORED])
def test_a_competition_ranks_by_its_score(campaign, score, points):
    ann = life(**campaign)
    for n, at in ((1, "2026-01-01"), (2, "2026-01-01"), (3, "2026-01-03")):
        ann.do(at, n=n)
    standing = standings_of(ann.member).get("camp_1")
    assert (None if standing is None else standing.score) == score
    assert ann.balance() == points


def test_the_prizes_of_a_campaign_are_those_of_its_competition():
    made = program(document("campaign", "camp_1", **BY_VISITS | {"competition": {"prizes": PRIZES}}))
    (prize,) = made.mechanics["competition"]["camp_1"].prizes
    assert (prize.first, prize.last, len(prize.effects)) == (1, 1, 1)


def test_what_members_see_of_competitions_has_those_of_campaigns():
    made = programme_from_documents(
        ORG, 1, {("campaign", "camp_1"): saved(**BY_VISITS), ("campaign", "old"): stored(**VISIT | CUP)}
    )
    assert {key: value.name for key, value in made.mechanics["competition"].items()} == {"camp_1": "Cup"}


def test_a_competition_that_was_stored_without_its_part_stays_as_it_was():
    before = stored(**VISIT | CUP)
    assert saved(before, status="paused") == before | {"status": "paused"}


BAD_CUPS = [
    ("of another type", VISIT | {"competition": {}}, ["competition"], "type Competition"),
    ("without a score", CUP, ["competition"], "what is ranked"),
    ("with two triggers and no score", CUP | {"triggers": [{"type": "a"}, {"type": "b"}]}, ["competition"], "what is ranked"),
    ("with prizes and no score", CUP | {"competition": {"prizes": PRIZES}}, ["competition.prizes", "competition.score"], "endDate"),
    ("with prizes and no end", BY_VISITS | {"endDate": None, "competition": {"prizes": PRIZES}}, ["competition.prizes"], "endDate"),
    ("with two kinds of score", CUP | {"competition": {"score": {"metric": "xp", "trigger": "a"}}}, ["competition.score"], "exactly one"),
    ("with effects that never come", CUP | {"effects": PAY, "competition": {"score": {"metric": "xp"}}}, ["triggers"], "competition.prizes"),
    ("recurring", BY_VISITS | DAILY, ["mode"], "leagues"),
    ("to be joined", BY_VISITS | {"enrolment": "required"}, ["enrolment"], "segments"),
    ("with a prize of nothing known", BY_VISITS | {"competition": {"prizes": [{"fromRank": 1, "toRank": 1, "effects": [{"type": "fly"}]}]}}, ["competition.prizes[0].effects[0].type"], "fly"),
]  # fmt: skip


@pytest.mark.parametrize(("campaign", "fields", "why"), [c[1:] for c in BAD_CUPS], ids=[c[0] for c in BAD_CUPS])
def test_a_competition_that_makes_no_sense_is_refused(campaign, fields, why):
    with pytest.raises(Invalid) as refused:
        saved(**campaign)
    assert [field.field for field in refused.value.fields] == fields
    assert why in refused.value.fields[0].message


def test_what_members_are_counted_by_is_fixed_once_it_is_there():
    streak, cup, bare = saved(**RUN), saved(**BY_VISITS), stored(**VISIT)
    other = saved(**CUP, competition={"score": {"metric": "xp"}})
    kind = KINDS["campaign"]
    assert fixed_fields_changed(kind, cup, other) == ["competition.score"]
    assert fixed_fields_changed(kind, streak, saved(**RUN, streak={"cadence": "weekly"})) == ["streak.cadence"]
    assert fixed_fields_changed(kind, bare, cup) == fixed_fields_changed(kind, cup, bare) == []
