"""Programmes, members and events with defaults for everything: a test names what matters."""

from datetime import UTC, datetime
from uuid import UUID

from plaudit.core.event import ACTION, Event
from plaudit.core.ids import derived_id, member_id_of
from plaudit.core.member import Member
from plaudit.core.program import Program
from plaudit.documents.compile import CompileInput, compile_program
from plaudit.documents.kinds import KINDS
from plaudit.storage.documents import validate

ORG = UUID("550e8400-e29b-41d4-a716-446655440000")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def document(kind: str, id: str, **raw) -> CompileInput:
    raw.setdefault("name", id)
    return CompileInput(kind, id, validate(KINDS[kind], raw))


def program(*documents: CompileInput, **metrics) -> Program:
    """A compiled programme with the standard metrics; `points={...}` sets a metric's fields."""
    standard = [document("metric", name, **metrics.get(name, {})) for name in ("points", "xp", "coins")]
    return compile_program(ORG, 1, [*standard, *documents])


def campaign(id: str = "camp_1", trigger: str = "purchase", conditions=None, effects=None, **more) -> CompileInput:
    effects = effects or [{"type": "add_points", "config": {"amount": 10}}]
    triggers = [{"type": trigger, "conditions": conditions or []}]
    return document("campaign", id, triggers=triggers, effects=effects, **more)


def member(user_id: str = "ann", **fields) -> Member:
    return Member(member_id=member_id_of(ORG, user_id), user_id=user_id, **fields)


def event(n: int = 1, trigger: str = "purchase", user_id: str = "ann", at: datetime = NOON, **data) -> Event:
    return Event(
        event_id=derived_id(ORG, f"test-event:{n}"),
        member_id=member_id_of(ORG, user_id),
        user_id=user_id,
        kind=ACTION,
        trigger=trigger,
        occurred_at=at,
        data=data,
    )
