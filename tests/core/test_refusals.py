"""Refusals: their codes, which are part of the API, and their sentences."""

import json

import msgspec
import pytest

from plaudit.core.decision import Refusal
from plaudit.core.event import CAMPAIGN_ENROLMENT, PROFILE
from plaudit.core.refusals import MEANINGS, codes_in_logs, message_of
from plaudit.engine.processed import outcome_from
from plaudit.mechanics.competitions.refusals import CompetitionRefusal
from plaudit.mechanics.ladders.commands import LADDER
from plaudit.mechanics.ladders.refusals import LadderRefusal
from plaudit.mechanics.segments.refusals import SegmentRefusal
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.mechanics.streaks.refusals import StreakRefusal
from tests.support.factories import campaign, document, program
from tests.support.life import Life


def test_each_refusal_has_a_meaning():
    assert MEANINGS.keys() >= set(Refusal)


@pytest.mark.parametrize(("code", "today"), [
    ("turn_counted", "already_checked_in"), ("freezes_none", "no_freeze_left"), ("metric_missing", "metric_not_found"),
    ("transaction_reversed", "reversal_too_large"), ("not_in_segment", "not_in_segment"),
])  # fmt: skip
def test_logs_of_earlier_versions_are_read(code, today):
    effect = [0, code]
    kept = {"refusal": code, "trace": [["camp_1", 0, 0, code, [], [effect]]]}
    outcome = outcome_from(json.dumps(kept))
    assert (outcome.refusal, outcome.trace[0].refusal, outcome.trace[0].effects[0].refusal) == (today, today, today)
    assert {today, code} == {*codes_in_logs(today)} or code == today


def test_a_code_of_an_earlier_version_is_a_refusal_of_today():
    assert msgspec.json.decode('"metric_missing"', type=Refusal) is Refusal.metric_not_found
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode('"nobody_knows"', type=Refusal)


@pytest.mark.parametrize(("refusal", "sentence"), [
    (Refusal.metric_not_found, "The metric does not exist"),
    (SegmentRefusal.segment_not_found, "The segment does not exist"),
    (Refusal.amount_out_of_range, "The amount is out of range"),
    (Refusal.limit_per_member_reached, "The member has reached the campaign's limit (`limit.perUser`)"),
])  # fmt: skip
def test_the_first_sentence_is_an_errors_message(refusal, sentence):
    assert message_of(refusal) == sentence


def effect(name, *documents, **config):
    """A campaign with this effect, and what else there is."""
    return [campaign(trigger="visit", effects=[{"type": name, "config": config}]), *documents]


def goal(**goal):
    return [document("campaign", "camp_1", steps=[{"name": "s", "trigger": "visit", "goal": {"target": 9, **goal}}])]


def chain(length):
    """As many campaigns, each of which sets off the next."""
    triggers = ["visit", *(f"link_{n}" for n in range(1, length + 1))]
    return [
        campaign(f"camp_{n}", triggers[n], effects=[{"type": "emit", "config": {"trigger": triggers[n + 1]}}])
        for n in range(length)
    ]


def streak(action, **order):
    return ("2026-01-02", {"trigger": "streak", "kind": STREAK, "streakId": "daily", "action": action, **order})


def cup(**raw):
    return document("competition", "cup", **raw)


COUPON = document("reward", "coupon", rewardType="unique_coupon", config={"codePoolId": "codes"})
CODES = document("code_pool", "codes", productId="seat")
OLD_CODES = document("code_pool", "codes", productId="seat", expiresAt="2026-01-02T12:00:00Z")
CLUB = document("ladder", "club", rungs=[{"rungId": "gold", "name": "Gold", "threshold": 100}])
JOINED = campaign(trigger="visit", enrolment="required")
DAILY = document("streak", "daily", triggers=[{"type": "visit"}], freezes={"maximum": 1, "atStart": 1})
VISIT = ("2026-01-02", {})
OPT_OUT = ("2026-01-01", {"trigger": "profile", "kind": PROFILE, "attributes": {"optedOut": True}})
JOIN = ("2026-01-03", {"trigger": "enrol", "kind": CAMPAIGN_ENROLMENT, "campaignId": "camp_1"})
RUNG = {"trigger": "rung", "kind": LADDER, "ladderId": "club"}
# Why, in which programme, after which events (the last of them is refused).
REFUSED = [
    (Refusal.opted_out, [], [OPT_OUT, VISIT]),
    (Refusal.cascade_too_deep, chain(18), [VISIT]),
    (Refusal.event_before_enrolment, [JOINED], [JOIN, VISIT]),
    (Refusal.goal_field_missing, goal(type="sum", field="amount"), [VISIT]),
    (Refusal.goal_value_already_counted, goal(type="distinct", field="shop"), [("2026-01-01", {"shop": 1}), ("2026-01-02", {"shop": 1})]),
    (Refusal.reward_inactive, effect("grant_reward", document("reward", "gift", rewardType="points", config={"amount": 1}, status="inactive"), rewardId="gift"), [VISIT]),
    (Refusal.product_not_found, effect("award_product", productId="mug"), [VISIT]),
    (Refusal.product_not_held, effect("remove_product", document("product", "mug", sku="mug", type="merchandise"), productId="mug"), [VISIT]),
    (Refusal.template_not_found, effect("notify", templateId="hello"), [VISIT]),
    (Refusal.coupon_already_issued, effect("grant_reward", COUPON, CODES, rewardId="coupon"), [VISIT, VISIT]),
    (Refusal.pool_not_found, effect("issue_coupon", codePoolId="codes"), [VISIT]),
    (Refusal.pool_inactive, effect("issue_coupon", OLD_CODES, codePoolId="codes"), [VISIT]),
    (StreakRefusal.streak_not_found, effect("check_in", streakId="daily"), [VISIT]),
    (Refusal.reward_not_found, effect("grant_reward", rewardId="gift"), [VISIT]),
    (StreakRefusal.streak_not_broken, [DAILY], [VISIT, streak("repair")]),
    (StreakRefusal.freeze_not_for_sale, [DAILY], [VISIT, streak("buy_freeze")]),
    (StreakRefusal.no_freeze_left, [document("streak", "daily", triggers=[{"type": "visit"}])], [VISIT, streak("use_freeze", day="2026-01-03")]),
    (StreakRefusal.day_not_freezable, [DAILY], [VISIT, streak("use_freeze", day="2026-01-01")]),
    (StreakRefusal.absence_in_the_past, [DAILY], [VISIT, streak("absence", day="2026-01-01", until="2026-01-05")]),
    (LadderRefusal.ladder_not_found, [], [("2026-01-02", RUNG)]),
    (LadderRefusal.rung_not_found, [CLUB], [("2026-01-02", {**RUNG, "rung": "silver"})]),
    (CompetitionRefusal.competition_not_found, effect("add_entries", competitionId="cup"), [VISIT]),
    (CompetitionRefusal.competition_not_open, effect("add_entries", cup(startDate="2026-01-03T00:00:00Z"), competitionId="cup"), [VISIT]),
    (CompetitionRefusal.excluded_from_competition, effect("add_entries", cup(excludedUserIds=["ann"]), competitionId="cup"), [VISIT]),
]  # fmt: skip


@pytest.mark.parametrize(("refusal", "documents", "events"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_says_why(refusal, documents, events):
    ann = Life(program(*documents))
    met = [ann.do(local, **event) for local, event in events]
    assert [refusals_in(decision) for decision in met] == [*([set()] * (len(met) - 1)), {refusal}]


def refusals_in(decision):
    effects = [effect for trace in decision.trace for effect in trace.effects]
    return {part.refusal for part in (decision, *decision.trace, *effects)} - {None}
