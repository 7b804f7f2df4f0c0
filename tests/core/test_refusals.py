"""Refusals: their codes, which are part of the API, and their sentences."""

import json

import msgspec
import pytest

from plaudit.core.decision import Refusal
from plaudit.core.refusals import MEANINGS, codes_in_logs, message_of
from plaudit.engine.processed import outcome_from
from plaudit.mechanics.segments.refusals import SegmentRefusal


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
