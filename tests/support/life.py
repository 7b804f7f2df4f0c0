"""A member's life under a programme, without a database: events at local times, timers in between, looked at as told."""

from datetime import UTC, datetime
from itertools import count
from zoneinfo import ZoneInfo

import msgspec

from plaudit.core.decide import decide, run_due_timers
from plaudit.core.decision import Decision, Transaction
from plaudit.core.event import ACTION, Event
from plaudit.core.ids import derived_id, member_id_of
from plaudit.core.ledger.lots import Book
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import Member
from plaudit.core.program import Program
from tests.support.existing import existing
from tests.support.factories import ORG


class Life:
    """One member. Times are written as local ones: `"2026-03-29 01:30"`, in the zone given."""

    def __init__(self, program: Program, user_id: str = "ann", zone: str = "UTC") -> None:
        self.program = program
        self.zone = zone
        self.member = Member(member_id=member_id_of(ORG, user_id), user_id=user_id)
        self.decisions: list[Decision] = []
        self.fired: list[str] = []
        self._numbers = count(1)

    def at(self, local: str, zone: str | None = None) -> datetime:
        """An instant, from a local time (or a date, which is its noon)."""
        text = local if " " in local else f"{local} 12:00"
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone or self.zone)).astimezone(UTC)

    def do(self, local: str, trigger: str = "visit", kind: str = ACTION, zone: str | None = None, **data) -> Decision:
        """An event at a local time, after what fell due before it."""
        event = Event(
            event_id=derived_id(self.member.member_id, f"event:{next(self._numbers)}"),
            member_id=self.member.member_id, user_id=self.member.user_id, kind=kind, trigger=trigger,
            occurred_at=self.at(local, zone), data=data,
        )  # fmt: skip
        for met, decision in decide(self.program, self.member, event):
            self._keep(met, decision)
        return self.decisions[-1]

    def until(self, local: str) -> "Life":
        """Nothing but time passes."""
        for timer, decision in run_due_timers(self.program, self.member, self.at(local)):
            self._keep(timer, decision)
        return self

    def _keep(self, _: Event, decision: Decision) -> None:
        # As the database would keep it: through JSON.
        member = msgspec.json.decode(msgspec.json.encode(decision.member), type=Member)
        member.states = {
            kind: {
                key: msgspec.convert(state, MECHANIC_RULES[kind].state, str_keys=True) for key, state in states.items()
            }
            for kind, states in member.states.items()
        }
        assert member == decision.member
        self.member = member
        self.decisions.append(decision)

    @property
    def transactions(self) -> list[Transaction]:
        return [transaction for decision in self.decisions for transaction in decision.transactions]

    def balance(self, metric: str = "points") -> int:
        found = self.member.balances.get(metric)
        return 0 if found is None else found.amount

    def lots(self, metric: str = "points") -> list[int]:
        return [lot.amount for lot in self.book(metric).lots]

    def book(self, metric: str = "points") -> Book:
        """Return the lots and holds of a metric that has some."""
        return existing(self.member.balances[metric].book)

    def refusals(self) -> list[str | None]:
        """Of the campaigns that the last event met."""
        return [trace.refusal for trace in self.decisions[-1].trace]
