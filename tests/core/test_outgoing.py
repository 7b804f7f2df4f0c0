"""What leaves a decision: notifications in the member's language, and messages that somebody wants, no others."""

from uuid import UUID

import pytest

from plaudit.core.decide_one import decide_one
from plaudit.core.decision import Refusal
from plaudit.core.event import BACKFILL, Event
from plaudit.core.ids import derived_id
from tests.support.factories import campaign, document, program
from tests.support.life import Life

TEMPLATE = document(
    "template", "tpl_1", defaultLocale="en",
    texts={
        "en": {"title": "Hello", "message": "You have {{ metrics.points }} points"},
        "de": {"message": "Du hast {{ metrics.points }} Punkte"},
    },
)  # fmt: skip
POINTS = {"type": "add_points", "config": {"amount": 5}}


@pytest.mark.parametrize(
    ("language", "title", "message"),
    [
        (None, "Hello", "You have 5 points"), ("de", None, "Du hast 5 Punkte"),
        ("de-AT", None, "Du hast 5 Punkte"), ("fr", "Hello", "You have 5 points"),
    ],
)  # fmt: skip
def test_a_template_speaks_the_members_language(language, title, message):
    effects = [POINTS, {"type": "notify", "config": {"templateId": "tpl_1"}}]
    life = Life(program(TEMPLATE, campaign(trigger="visit", effects=effects)))
    if language is not None:
        life.do("2026-01-01", "profile.set", kind="profile", attributes={"language": language})
    (note,) = life.do("2026-01-02").notifications
    assert (note.title, note.message, note.display) == (title, message, "toast")


def test_only_what_somebody_wants_is_told():
    effects = [POINTS, {"type": "call_webhook", "config": {"webhookId": "wh_crm", "data": {"note": "x"}}}]
    crm = document("webhook", "wh_crm", url="https://crm.example.com", events=["user.tier_changed"])
    other = document("webhook", "wh_off", url="https://x.example.com", events=["metric.changed"], status="inactive")
    rungs = [{"rungId": "base", "name": "B", "threshold": 0}, {"rungId": "gold", "name": "G", "threshold": 5}]
    ladder = document("ladder", "club", metric="points", rungs=rungs)
    life = Life(program(crm, other, ladder, campaign(trigger="visit", effects=effects)))
    messages = life.do("2026-01-01").messages
    assert [(message.type, message.only_to) for message in messages] == [
        ("user.tier_changed", None),
        ("webhook.called", "wh_crm"),
    ]
    assert messages[0].data["newRung"] == "gold"
    assert messages[1].data == {
        "campaignId": "camp_1", "cause": {"kind": "campaign", "id": "camp_1"}, "trigger": "visit", "event": {}, "note": "x",
    }  # fmt: skip


def backfill(life, **order):
    """An event of the past, for which a campaign is applied."""
    made = Event(
        event_id=derived_id(life.member.member_id, "past"), member_id=life.member.member_id, user_id="ann",
        kind=BACKFILL, trigger="campaign.backfilled", occurred_at=life.at("2026-01-01"),
        data={"campaignId": "camp_1", "eventId": str(UUID(int=1)), "trigger": "visit", "data": {}, **order},
    )  # fmt: skip
    return decide_one(life.program, life.member, made)


def test_the_past_is_brought_in_quietly():
    effects = [POINTS, {"type": "notify", "config": {"message": "m"}}]
    everything = document("webhook", "wh_1", events=["*"])
    decision = backfill(Life(program(everything, campaign(trigger="visit", effects=effects))))
    assert [transaction.amount for transaction in decision.transactions] == [5]
    assert (decision.notifications, decision.messages) == ([], [])


@pytest.mark.parametrize(
    ("give", "refusal", "amounts"),
    [({"points": 7, "xp": 2}, None, [7, 2]), ({"gems": 7}, Refusal.metric_not_found, [])],
)
def test_the_past_pays_what_was_worked_out(give, refusal, amounts):
    decision = backfill(Life(program(campaign(trigger="visit", effects=[POINTS]))), give=give)
    assert (decision.refusal, [transaction.amount for transaction in decision.transactions]) == (refusal, amounts)
