"""What is set aside says why: for what it did itself, or undecided, for what others did."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from plaudit.engine import quarantine
from plaudit.engine.inline import _may_be_tried
from plaudit.errors import PlauditError
from plaudit.guard import TRIES_MAX, Known, Suspect
from tests.support.existing import existing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORG, OTHER_ORG, MEMBER, OTHER_MEMBER = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
HUNG = "the process was silent for 5 seconds"


@pytest.fixture
def known(monkeypatch):
    """What a process knows, for a test alone."""
    made = Known()
    monkeypatch.setattr(quarantine, "known", made)
    monkeypatch.setattr("plaudit.engine.inline.known", made)
    return made


def suspect(number: int, minutes: int, kind: str = "event", member_id: UUID | None = None) -> Suspect:
    return Suspect(suspect_id=UUID(int=number), kind=kind, org_id=ORG, member_id=member_id, tries=TRIES_MAX,
                   reason=HUNG, noted_at=NOON + timedelta(minutes=minutes))  # fmt: skip


def arrival(number: int, org_id: UUID = ORG, member_id: UUID = OTHER_MEMBER) -> Any:
    return SimpleNamespace(event_id=UUID(int=number), org_id=org_id, member_id=member_id)


def refusal(event) -> str:
    with pytest.raises(PlauditError) as raised:
        _may_be_tried([event], whole=False)
    (part,) = quarantine.apart([event])  # a worker gives the same reason
    assert str(raised.value) == quarantine.why_set_aside(event, existing(part.stopped))
    assert raised.value.code == "event_stopped"
    return str(raised.value)


def test_an_innocent_event_of_a_stopped_organisation_is_told_until_when(known):
    known.learn([suspect(11, 1), suspect(12, 2), suspect(13, 3), suspect(14, 4)], NOON)
    message = refusal(arrival(99))
    # After that only two are of the last ten minutes.
    assert message.startswith(
        "It was set aside undecided: so are all events of its organisation until 2026-01-01T12:12:00"
    )
    assert _may_be_tried([arrival(99, org_id=OTHER_ORG)], whole=False)
    known.learn(
        [suspect(11, 1), suspect(12, 2), suspect(13, 3), suspect(14, 4)], NOON + timedelta(minutes=2, seconds=1)
    )
    assert _may_be_tried([arrival(99)], whole=False)


def test_an_event_that_hung_says_so(known):
    known.learn([suspect(11, 1), suspect(12, 2), suspect(13, 3)], NOON)
    assert refusal(arrival(11)) == f"It was quarantined: while it was being decided, {HUNG}"


def test_an_event_of_a_member_whose_timer_hung_says_so(known):
    known.learn([suspect(11, 1, "tick", MEMBER)], NOON)
    message = refusal(arrival(99, member_id=MEMBER))
    assert message == f"It was quarantined undecided: while a timer of its member was being decided, {HUNG}"
    assert _may_be_tried([arrival(99)], whole=False)
