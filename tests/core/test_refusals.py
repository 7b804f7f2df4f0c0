"""Refusals: their codes, which are part of the API, and their sentences."""

import msgspec
import pytest

from plaudit.core.decision import Refusal
from plaudit.core.refusals import MEANINGS, sentence_of


def test_each_refusal_has_a_meaning():
    assert MEANINGS.keys() == set(Refusal)


@pytest.mark.parametrize(("code", "today"), [
    ("turn_counted", Refusal.already_checked_in), ("freezes_none", Refusal.no_freeze_left),
    ("metric_missing", Refusal.metric_not_found), ("transaction_reversed", Refusal.reversal_too_large),
])  # fmt: skip
def test_logs_of_earlier_versions_are_read(code, today):
    assert msgspec.json.decode(f'"{code}"', type=Refusal) is today
    assert today.codes == (today.value, code)


def test_a_code_that_never_was_is_an_error():
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode('"nobody_knows"', type=Refusal)


@pytest.mark.parametrize(("refusal", "sentence"), [
    (Refusal.metric_not_found, "The metric does not exist"),
    (Refusal.segment_not_found, "The segment does not exist"),
    (Refusal.amount_out_of_range, "The amount is out of range"),
    (Refusal.limit_per_member_reached, "The member has reached the campaign's limit (`limit.perUser`)"),
])  # fmt: skip
def test_the_first_sentence_is_an_errors_message(refusal, sentence):
    assert sentence_of(refusal) == sentence
