"""The same history through the real core, with the members in memory: what a server would do, without a database."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import msgspec

from plaudit.core.cause import MANUAL
from plaudit.core.decide import decide, run_due_timers
from plaudit.core.decision import Decision, Trace, TransactionDetails
from plaudit.core.event import (
    ACTION,
    CAMPAIGN_ENROLMENT,
    HOLD,
    IMPORT,
    PROFILE,
    RECEIPT,
    REVERSAL,
    TIMER,
    TRANSACTION,
    TRANSFER,
    Event,
)
from plaudit.core.goals import SUM_DECIMALS
from plaudit.core.ids import derived_id, member_id_of
from plaudit.core.ledger.earned import Booked, counted_at, is_earned, is_scored
from plaudit.core.ledger.lots import held, pending
from plaudit.core.ledger.matching import expired_of, parts_left
from plaudit.core.ledger.post import available
from plaudit.core.mechanic_rules import documents_that_counted
from plaudit.core.member import Member
from plaudit.core.periods import next_period_at, period_key
from plaudit.core.program import Program
from plaudit.documents.compile import compile_program
from plaudit.mechanics.competitions.commands import PRIZE
from plaudit.mechanics.competitions.leagues import outcome_of_place
from plaudit.mechanics.competitions.state import entries_of, standings_of
from plaudit.mechanics.ladders.compiled import ladders_in
from plaudit.mechanics.ladders.rules import score
from plaudit.mechanics.ladders.state import ladders_of
from plaudit.mechanics.segments.commands import SEGMENT
from plaudit.mechanics.segments.state import segments_of
from plaudit.mechanics.streaks.commands import STREAK
from plaudit.mechanics.streaks.state import streaks_of
from tests.support.factories import ORG, document

from .amounts import Json

KINDS = {
    "action": ACTION, "transaction": TRANSACTION, "hold": HOLD, "streak": STREAK, "enrol": CAMPAIGN_ENROLMENT, "profile": PROFILE,
    "segment": SEGMENT, "import": IMPORT,
}  # fmt: skip
BEFORE = datetime(1970, 1, 1, tzinfo=UTC)


def id_of(user: str) -> Any:
    return member_id_of(ORG, user)


class Core:
    """`rows` are the transactions of each member, as the ledger would have them."""

    def __init__(self, documents: list[tuple[str, str, Json]]) -> None:
        self.documents = {(kind, name): raw for kind, name, raw in documents}
        self.program = self._compiled(1)
        self.programs = [(BEFORE, self.program)]  # with the time from which on each was in force
        self.timers: dict[tuple[str, datetime], tuple[Program, list[Trace]]] = {}
        self.members: dict[str, Member] = {}
        self.rows: dict[str, list[Json]] = {}
        self.clock = BEFORE
        self.settled: set[tuple[str, str]] = set()
        self.count = 0

    def _compiled(self, version: int) -> Program:
        return compile_program(
            ORG, version, [document(kind, name, **raw) for (kind, name), raw in self.documents.items()]
        )

    def member(self, user: str) -> Member:
        return self.members.setdefault(user, Member(member_id=id_of(user), user_id=user))

    def happen(self, what: Json) -> str | None:
        at = datetime.fromisoformat(what["at"])
        arrives = datetime.fromisoformat(what.get("arrives", what["at"]))
        self._settle_rounds(max(self.clock, arrives))
        if arrives > at:  # what fell due before it was reported has happened without it
            self.pass_time(arrives)
        self.clock = max(self.clock, arrives)
        why = None
        if what["do"] == "save":
            self.pass_time(at)
            self.documents[what["kind"], what["id"]] = what["raw"]
            self.program = self._compiled(self.program.version + 1)
            self.programs.append((at, self.program))
        elif what["do"] == "reverse":
            why = self._reverse(what, at)
        elif what["do"] == "transfer":
            data = {"metric": what["metric"], "amount": what["amount"], "to": what["to"]}
            why = self._together([(what["user"], TRANSFER, TRANSFER, data)], at)
        elif what["do"] != "wait":
            why = self._together(
                [(what["user"], KINDS[what["do"]], what.get("trigger", what["do"]), self._data(what))], at
            )
        self.pass_time(self.clock)
        return why

    def _data(self, what: Json) -> Json:
        match what["do"]:
            case "action":
                return what.get("data", {})
            case "import":
                lot = {name: what[name] for name in ("amount", "expiresAt", "availableAt") if name in what}
                return {"lots": {what["metric"]: [lot]}}
            case "segment":
                return {"segmentId": what["segmentId"], "byHand": True, "member": what["member"]}
        return {name: value for name, value in what.items() if name not in ("do", "at", "user")}

    def _together(self, orders: list[tuple[str, str, str, Json]], at: datetime) -> str | None:
        """Events that belong together, and what they lead to: a refusal refuses all, and nothing is written then.

        What fell due before them happens all the same.
        """
        for user, *_ in orders:
            self._advance(user, at)
        kept = dict(self.members), {user: list(rows) for user, rows in self.rows.items()}
        waiting = list(orders)
        while waiting:
            user, kind, trigger, data = waiting.pop(0)
            decision = self._decide(user, kind, trigger, at, data)
            if decision.refusal is not None:
                if kind == ACTION:
                    return str(decision.refusal)
                self.members, self.rows = kept
                return str(decision.refusal)
            waiting += [
                (follow_up.user_id, follow_up.kind, follow_up.trigger, follow_up.data)
                for follow_up in decision.follow_ups
            ]
        return None

    def _decide(self, user: str, kind: str, trigger: str, at: datetime, data: Json) -> Decision:
        self.count += 1
        member = self.member(user)
        event = Event(
            event_id=derived_id(ORG, f"event:{self.count}"), member_id=member.member_id, user_id=user, kind=kind,
            trigger=trigger, occurred_at=at, data=data,
        )  # fmt: skip
        for happened, decision in decide(self.program, member, event):
            self._keep(user, happened, decision)
        return decision

    def _keep(self, user: str, event: Event, decision: Decision) -> None:
        assert not decision.faults, decision.faults
        self.members[user] = decision.member
        if event.kind == TIMER:
            self.timers[user, event.occurred_at] = self.program, decision.trace
        for transaction in decision.transactions:
            details = msgspec.json.encode(
                TransactionDetails(transaction.postings or (), transaction.refusal, transaction.next_at)
            ).decode()
            row = {
                "transaction_id": transaction.transaction_id, "metric": transaction.metric, "amount": transaction.amount,
                "balance_after": transaction.balance_after, "details": details, "reverses": transaction.reverses,
                "cause": transaction.cause, "cause_kind": transaction.cause.kind, "occurred_at": transaction.occurred_at, "event_id": event.event_id, "event": event,
                "program": self.program, "trace": decision.trace,
            }  # fmt: skip
            self.rows.setdefault(user, []).append(row)

    # Reversals: what the API says of the original (see api/admin/ledger).

    def of_metric(self, user: str, metric: str) -> list[Json]:
        return [row for row in self.rows.get(user, []) if row["metric"] == metric]

    def _reverse(self, what: Json, at: datetime) -> str | None:
        self._advance(what["user"], at)
        rows = self.of_metric(what["user"], what["metric"])
        if not rows:
            return "transaction_missing"
        row = rows[what["number"] % len(rows)]
        other = self._other_side(row)
        if other is not None:
            self._advance(other[0], at)
        take = min(what.get("amount") or abs(row["amount"]), abs(row["amount"]))
        if not take:
            return "amount"
        given = {"metric": what["metric"], "take": take, "expiresAt": what.get("expiresAt"), "whole": other is not None}
        orders = [(what["user"], REVERSAL, REVERSAL, given | self._original(what["user"], row))]
        if other is not None:
            orders.append((other[0], REVERSAL, REVERSAL, given | self._original(*other)))
        return self._together(orders, at)

    def _original(self, user: str, row: Json) -> Json:
        rows = self.of_metric(user, row["metric"])
        chain = [row]  # the transaction, and what it goes back to
        while chain[-1]["reverses"] is not None:
            chain.append(
                next(transaction for transaction in rows if transaction["transaction_id"] == chain[-1]["reverses"])
            )
        source = chain[-1]
        own_expiry = bool(source["event"].data.get("expiresAt"))
        booked = Booked(source["amount"], source["cause_kind"], source["event"].kind, source["occurred_at"], own_expiry)
        program = source["program"]
        at = counted_at(booked, program.metrics[row["metric"]], program.settings.time_zone)
        program, trace = source["program"], source["trace"]
        if at != source["occurred_at"]:
            before = [program for since, program in self.programs if since < at]
            program, trace = self.timers.get((user, at), (before[-1], []))
        counted_in = documents_that_counted(program, trace, row["metric"], user, at, at)
        for transaction in chain[:-1]:
            if transaction["occurred_at"] >= at:
                counted_in &= documents_that_counted(
                    transaction["program"], transaction["trace"], row["metric"], user, transaction["occurred_at"], at
                )
        return {
            "transactionId": str(row["transaction_id"]),
            "amount": row["amount"],
            "parts": msgspec.to_builtins(parts_left(row, rows)),
            "expired": expired_of(row, rows),
            "earned": is_earned(booked),
            "countedAt": at.isoformat(),
            "countedIn": sorted(counted_in),
            "scored": is_scored(booked),
            "pending": is_scored(booked),
        }

    def _other_side(self, row: Json) -> tuple[str, Json] | None:
        """The other transaction of a transfer."""
        if row["cause"] != MANUAL or row["event"].kind not in (TRANSFER, RECEIPT):
            return None
        transfer_id = row["event"].data.get("transferId") or str(row["event"].event_id)
        for user, rows in self.rows.items():
            for record in rows:
                event = record["event"]
                same = (event.data.get("transferId") or str(event.event_id)) == transfer_id
                if same and record is not row and record["cause"] == MANUAL and event.kind in (TRANSFER, RECEIPT):
                    return user, record
        return None

    # Time passes.

    def _advance(self, user: str, until: datetime) -> None:
        for event, decision in run_due_timers(self.program, self.member(user), until):
            self._keep(user, event, decision)

    def pass_time(self, until: datetime) -> None:
        for user in list(self.members):
            self._advance(user, until)

    # Leagues: what the chore does at the end of a round (see chores/settle_leagues).

    def _settle_rounds(self, until: datetime) -> None:
        """Let time pass; whenever a round is over, settle it."""
        while (over := self._next_end(until)) is not None:
            self.clock, competition_id, names = over
            self.pass_time(self.clock)
            for name in sorted(names):
                self.settled.add((competition_id, name))
                self._settle(competition_id, name)

    def _next_end(self, until: datetime) -> tuple[datetime, str, set[str]] | None:
        """The next instant at which rounds may be over: when, of which competition, and those that are."""
        found = []
        for competition_id, competition in self.program.mechanics["competition"].items():
            if competition.league is None:
                continue
            of_time = competition.league.period, self.program.settings.time_zone
            present = period_key(self.clock, *of_time)
            standings = [
                standings_of(member)[competition_id]
                for member in self.members.values()
                if competition_id in standings_of(member)
            ]
            played = {name for standing in standings for name in (standing.round, standing.previous_round) if name}
            unsettled = {name for name in played if (competition_id, name) not in self.settled}
            over = {name for name in unsettled if name < present}
            due = [member.due_at for member in self.members.values() if member.due_at is not None]
            if over:
                found.append((self.clock, competition_id, over))
            elif unsettled or due:
                busy = self.clock if unsettled else max(self.clock, min(due))
                found.append((next_period_at(busy, *of_time), competition_id, set()))
        return min(
            (candidate for candidate in found if candidate[0] <= until),
            default=None,
            key=lambda candidate: candidate[:2],
        )

    def _settle(self, competition_id: str, this: str) -> None:
        competition = self.program.mechanics["competition"][competition_id]
        played: dict[str, list[Json]] = {}
        for user, member in self.members.items():
            standing = standings_of(member).get(competition_id)
            if standing is None or this not in (standing.round, standing.previous_round):
                continue
            now = standing.round == this
            place = {"user_id": user, "score": standing.score if now else standing.previous_score, "scope": standing.scope,
                     "at": standing.reached_at if now else standing.previous_reached_at, "id": member.member_id}  # fmt: skip
            played.setdefault(standing.scope, []).append(place)
        moved = []
        for places in played.values():
            ranked = sorted(places, key=lambda place: (-place["score"], place["at"], place["id"]))
            for rank, place in enumerate(ranked, 1):
                found = outcome_of_place(
                    competition, competition.league, {**place, "rank": rank, "members": len(places)}
                )
                if found is not None:
                    moved.append(found)
        for row in moved:
            data = {"competitionId": competition_id, "round": this} | {
                part: row[part] for part in ("division", "rank", "band")
            }
            self._decide(row["userId"], PRIZE, PRIZE, self.clock, data)


def state(core: Core, user: str) -> Json:
    """All that is to be seen of a member, in the model's words."""
    member, program = core.member(user), core.program
    zone = program.settings.time_zone
    return {
        "joined": member.enrolled_at,
        "books": {balance: _book(core, user, balance) for balance in sorted(member.balances)},
        "streaks": {
            name: {"current": streak_state.current, "longest": streak_state.longest, "alive": streak_state.alive, "freezes": streak_state.freezes}
            for name, streak_state in sorted(streaks_of(member).items())
        },
        "campaigns": {name: _campaign(core, member, name) for name in member.progress},
        "ladders": {
            name: {"rung": ladder_state.rung, "score": score(ladders_in(program)[name], ladder_state, core.clock, zone, member.enrolled_at),
                  "reached": list(ladder_state.reached)}
            for name, ladder_state in sorted(ladders_of(member).items())
        },
        "segments": {name: segment_state.since for name, segment_state in sorted(segments_of(member).items()) if segment_state.member},
        "scores": {name: _standing(core, name, standing) for name, standing in sorted(standings_of(member).items())},
        "entries": entries_of(member),
    }  # fmt: skip


def _book(core: Core, user: str, metric_id: str) -> Json:
    balance = core.member(user).balances[metric_id]
    book, lots = balance.book, {}
    if book is None or not book.lots:
        lots[None, None] = balance.amount
    else:
        for lot in book.lots:
            key = lot.expires_at, lot.available_at
            lots[key] = lots.get(key, 0) + lot.amount
    return {
        "balance": balance.amount,
        "available": available(balance),
        "pending": pending(book) if book else 0,
        "held": held(book) if book else 0,
        "lifetime": balance.earned,
        "lots": sorted(((*key, amount) for key, amount in lots.items() if amount), key=str),
        "holds": {hold.hold_id: hold.amount for hold in book.holds} if book else {},
        "transactions": [
            (row["cause"].text, row["amount"], row["occurred_at"]) for row in core.of_metric(user, metric_id)
        ],
    }


def _campaign(core: Core, member: Member, campaign_id: str) -> Json:
    progress = member.progress[campaign_id]
    compiled = {
        entry.campaign.campaign_id: entry.campaign for listener in core.program.listeners.values() for entry in listener
    }
    steps = compiled[campaign_id].steps if campaign_id in compiled else ()
    found = []
    for number, step in enumerate(steps):
        have = progress.steps.get(number)
        value = 0 if have is None else have.value
        unit = 10**6 if step.goal.type == "sum" else 1
        found.append({"done": have is not None and have.done_at is not None, "value": Fraction(value, unit)})
    return {"completions": progress.completions, "steps": found}


def _standing(core: Core, competition_id: str, value: Any) -> Json:
    competition = core.program.mechanics["competition"][competition_id]
    unit = 1 if competition.metric is not None else 10**SUM_DECIMALS
    rounds = [(Fraction(value.score, unit), value.reached_at)]
    if value.previous_reached_at is not None and value.previous_round:
        rounds.append((Fraction(value.previous_score, unit), value.previous_reached_at))
    return {"division": value.scope, "rounds": rounds}
