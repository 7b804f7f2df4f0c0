"""Simulates another programme on the events that really happened, and compares the results. Changes nothing.

    the log before the window ──► decided as it was ──► each member's state when the window begins
    the log in the window ──► decided as it was        ─┐
                          └─► under the other programme ─┴─► the differences: who, when, how much, and why

Events are decided in their original order, so scarce resources go to the same members first. Timers run on both tracks:
those due before each event, and after the last event those due by now. Nothing is locked or written. Codes, stock and
overall limits are counted in memory.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Collection, Iterator
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from msgspec import Struct, field, structs

from plaudit import clock
from plaudit.core.cause import Cause
from plaudit.core.decide import next_due
from plaudit.core.decide_one import NOTHING_REFUSED, decide_one
from plaudit.core.decision import ClaimKind, Decision
from plaudit.core.event import BACKFILL, TIMER, Event
from plaudit.core.ids import derived_id
from plaudit.core.member import Member, Progress
from plaudit.core.periods import local_day
from plaudit.core.program import Program
from plaudit.engine.arrival import Arrival, follow_up_arrival, logged, timer_arrival
from plaudit.engine.processed import Outcome, outcome_from
from plaudit.storage.postgres import Connection, snapshot
from plaudit.storage.programmes import Programme, fetch_version, load_at_version
from plaudit.storage.queries import queries_beside

from .simulated_claims import Left, give_back, settled
from .simulated_orders import Orders, causes_first

_SQL = queries_beside(__file__)

SAMPLES_MAX = 10
FETCHED = 2_000
PROGRESS_EVERY = 2_000


class CampaignOutput(Struct, frozen=True):
    """What a campaign gives for one event: amounts by metric in smallest units, coupons, and products."""

    metrics: dict[str, int]
    coupons: int
    products: int

    def __bool__(self) -> bool:
        return bool(self.metrics) or self.coupons > 0 or self.products > 0


class CampaignTotals(Struct):
    """A campaign's totals over the window. `days` are amounts by local day and metric."""

    fired: int = 0
    metrics: Counter[str] = field(default_factory=Counter[str])
    days: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict[str, Counter[str]](Counter))
    coupons: int = 0
    products: int = 0
    refusals: Counter[str] = field(default_factory=Counter[str])
    members: set[UUID] = field(default_factory=set[UUID])


class ChangedEvent(Struct, frozen=True):
    """An event or a timer for which a campaign would have given something else.

    `decided_by` is the programme that really decided it. `posted` are the steps and indexes of the effects that would
    have credited amounts.
    """

    cause: Cause
    arrival: Arrival
    before: CampaignOutput
    after: CampaignOutput
    outcome_before: Outcome
    outcome_after: Outcome
    decided_by: Programme | None
    posted: frozenset[tuple[int, int]] = frozenset()


class MemberProgress(Struct):
    """A member's actual and simulated progress in the campaign after their last event that would have counted."""

    arrival: Arrival
    actual: Progress | None = None
    simulated: Progress | None = None


class Simulation(Struct):
    """The results so far: `actual` and `simulated` totals by cause, and `progress` by member if it is of one campaign."""

    events: int = 0
    total: int = 0
    members: int = 0
    actual: dict[Cause, CampaignTotals] = field(
        default_factory=lambda: defaultdict[Cause, CampaignTotals](CampaignTotals)
    )
    simulated: dict[Cause, CampaignTotals] = field(
        default_factory=lambda: defaultdict[Cause, CampaignTotals](CampaignTotals)
    )
    cases: list[ChangedEvent] = field(default_factory=list[ChangedEvent])
    progress: dict[UUID, MemberProgress] = field(default_factory=dict[UUID, MemberProgress])


async def simulate(
    connection: Connection,
    programme: Programme,
    since: datetime,
    *,
    campaign_id: str | None = None,
    sample: float = 1.0,
    cases_max: int | None = None,
) -> AsyncGenerator[Simulation]:
    """Decide all events since an instant under `programme`, and as they were. Yield the results so far, repeatedly.

    With `campaign_id`, only cases of that campaign are collected. `sample` is the fraction of members to simulate.
    """
    org_id = programme.compiled.org_id
    share = round(sample * 256)
    results = Simulation()
    async with snapshot(connection):
        await connection.execute("SET LOCAL statement_timeout = 0")
        row = await connection.fetchrow(_SQL.extent, org_id, since, share)
        assert row is not None
        results.total, results.members = row["events"], row["members"]
        if not results.total:
            yield results
            return
        taken_back = {record["reverses"] for record in await connection.fetch(_SQL.reversed, org_id, since)}
        runner = _Simulator(connection, programme, since, results, campaign_id, cases_max, Orders(taken_back))
        await runner.load_scarce_resources(share)
        row = await fetch_version(connection, org_id)
        # The whole log of each member who has an event in the window.
        async for rows in _commits(connection.cursor(_SQL.log, org_id, since, share, prefetch=FETCHED)):
            for record in causes_first(rows):
                await runner.process(record)
                if results.events % PROGRESS_EVERY == 0:
                    yield results
        held = {record["member_id"] for record in await connection.fetch(_SQL.held, org_id)}
        await runner.pass_time(clock.now() + row["clock_offset"], row["program_version"], held)
    yield results


async def _commits(log: Any) -> AsyncGenerator[list[dict[str, Any]]]:
    """Yield the rows of a log, grouped by the commit in which they were decided."""
    rows: list[dict[str, Any]] = []
    async for record in log:
        row = dict(record)
        if rows and row["decided_at"] != rows[0]["decided_at"]:
            yield rows
            rows = []
        rows.append(row)
    yield rows


class _Simulator:
    """The two tracks: the members' actual states, and their simulated ones."""

    def __init__(
        self,
        connection: Connection,
        programme: Programme,
        since: datetime,
        results: Simulation,
        campaign_id: str | None,
        cases_max: int | None,
        orders: Orders,
    ) -> None:
        self._connection = connection
        self._program = programme.compiled
        self._since = since
        self._results = results
        self._campaign_id = campaign_id
        self._cases_max = cases_max
        self._orders = orders
        self._programmes: dict[int, Programme] = {}
        self._decided_by: Programme | None = None  # the programme that really decided the event being compared
        self._was: dict[UUID, Member] = {}
        self._would: dict[UUID, Member] = {}
        self._last: dict[UUID, Arrival] = {}  # each member's last event in the window
        self._left: Left = {}  # what is left of scarce resources under the other programme
        self._left_now: Left = {}  # what is really left of them now

    async def load_scarce_resources(self, share: int) -> None:
        """Load how many codes were available when the window began, and how much of stock and limits was used by then.

        The latter is what is used now, less what was used in the window, which is found by deciding the window again.
        """
        org_id = self._program.org_id
        for row in await self._connection.fetch(_SQL.codes_left, org_id, self._since):
            self._left[ClaimKind.code, row["pool_id"]] = row["number"]
            self._left_now[ClaimKind.code, row["pool_id"]] = row["now"]
        taken = await self._connection.fetch(_SQL.taken_now, org_id)
        if not taken:
            return
        for row in taken:
            key = ClaimKind(row["kind"]), row["key"]
            self._left[key] = self._left_now[key] = -row["number"]  # relative to the maximum, which claims contain
        members: dict[UUID, Member] = {}
        async for record in self._connection.cursor(_SQL.log, org_id, self._since, share, prefetch=FETCHED):
            program = await self._program_of(record["program_version"])
            refused = frozenset(outcome_from(record["outcome"]).refused)
            in_window, arrival = record["in_window"], logged(dict(record))
            member = members.get(arrival.member_id) or Member(member_id=arrival.member_id, user_id=arrival.user_id)
            decision = decide_one(program, member, arrival.event(), refused)
            members[arrival.member_id] = decision.member
            if in_window:
                give_back(self._left, decision, -1)
            for claim in decision.claims:
                if in_window and claim.kind is not ClaimKind.code and claim.claim_id not in refused:
                    self._left[claim.kind, claim.key] = self._left.get((claim.kind, claim.key), 0) + claim.quantity

    async def process(self, row: dict[str, Any]) -> None:
        """Decide an event of the log on both tracks, and compare the results."""
        outcome, arrival = outcome_from(row["outcome"]), logged(row)
        member_id = arrival.member_id
        event = arrival.event()
        was = self._was.get(member_id) or Member(member_id=member_id, user_id=arrival.user_id)
        program = await self._program_of(row["program_version"])
        decision = decide_one(program, was, event, frozenset(outcome.refused))
        self._was[member_id] = decision.member
        if not row["in_window"]:
            return
        self._results.events += 1
        self._last[member_id] = arrival
        self._orders.happened(decision)
        if row["state"] == "processed":
            _count(self._results.actual, program, arrival, decision)
        # Timers' ids are derived from the sequence, and orders contain the sequence for which they were made.
        self._would[member_id] = structs.replace(self._would.get(member_id, was), sequence=was.sequence)
        if arrival.kind == TIMER:
            self._run_timers(arrival, event.occurred_at, {event.occurred_at: decision})
            return
        if arrival.kind == BACKFILL and event.data.get("campaignId") == self._campaign_id:
            return  # on the simulated track, the backfilled amounts were given at their own time
        self._run_timers(arrival, event.occurred_at, {})
        would = self._orders.as_would_be(event)
        if would is None:
            self._compare(arrival, decision, _nothing(event, self._would[member_id]))
        else:
            self._simulate(arrival, would, decision, frozenset(outcome.refused))

    async def pass_time(self, now: datetime, version: int, held: Collection[UUID]) -> None:
        """Run all timers due by now, including those that the workers have not run yet, except those of `held` members."""
        program = await self._program_of(version)
        for member_id, last in self._last.items():
            if member_id in held:
                continue
            late: dict[datetime, Decision] = {}
            while (timer := next_due(self._was[member_id], now)) is not None:
                decision = settled(program, self._was[member_id], timer, self._left_now)
                self._was[member_id] = decision.member
                self._orders.happened(decision)
                _count(self._results.actual, program, timer_arrival(last, timer), decision)
                late[timer.occurred_at] = decision
            self._run_timers(last, now, late)

    def _run_timers(self, cause: Arrival, until: datetime, was: dict[datetime, Decision]) -> None:
        """Run the timers due by an instant under the other programme. `was` are the timers' real decisions, by time."""
        member_id = cause.member_id
        while (timer := next_due(self._would[member_id], until)) is not None:
            at = timer.occurred_at
            self._simulate(_with_id_by_time(cause, timer), timer, was.pop(at, None))
            if self._would[member_id].due_at == at:
                raise AssertionError(f"timers due at {at} stay due")
        for at, decision in was.items():  # timers that would not have been due
            timer = structs.replace(cause.event(), kind=TIMER, trigger=TIMER, occurred_at=at)
            self._compare(_with_id_by_time(cause, timer), decision, _nothing(timer, self._would[member_id]))

    def _simulate(
        self, arrival: Arrival, event: Event, was: Decision | None, refused_then: frozenset[UUID] = NOTHING_REFUSED
    ) -> None:
        """Decide an event under the other programme, compare the results, and process its additional follow-ups."""
        member = self._would[arrival.member_id]
        other = settled(self._program, member, event, self._left, refused_then)
        self._would[arrival.member_id] = other.member
        self._orders.would_happen(other)
        _count(self._results.simulated, self._program, arrival, other)
        self._compare(arrival, was or _nothing(event, member), other)
        if self._campaign_id is not None:
            self._follow(arrival, self._campaign_id, other)
        followed = {follow_up.event_id for follow_up in was.follow_ups} if was is not None else set[UUID]()
        for follow_up in other.follow_ups:
            sent = follow_up_arrival(arrival, follow_up, arrival.received_at)
            target = self._would.get(sent.member_id) or self._was.get(sent.member_id)
            if follow_up.event_id not in followed and target is not None:
                self._would[sent.member_id] = target
                self._run_timers(sent, sent.occurred_at, {})
                self._simulate(sent, sent.event(), None)

    def _follow(self, arrival: Arrival, campaign_id: str, other: Decision) -> None:
        """Record the member's progress in the campaign on both tracks."""
        progress = self._results.progress.get(arrival.member_id)
        if any(trace.refusal is None and trace.cause.campaign_id == campaign_id for trace in other.trace):
            progress = self._results.progress[arrival.member_id] = MemberProgress(arrival)
        if progress is not None:
            progress.actual = self._was[arrival.member_id].progress.get(campaign_id)
            progress.simulated = other.member.progress.get(campaign_id)

    def _compare(self, arrival: Arrival, was: Decision, would: Decision) -> None:
        before, after = _outputs(was), _outputs(would)
        for cause in before.keys() | after.keys():
            if self._campaign_id not in (None, cause.campaign_id):
                continue
            old, new = before.get(cause, NOTHING), after.get(cause, NOTHING)
            if old != new and (self._cases_max is None or len(self._results.cases) < self._cases_max):
                posted = frozenset(
                    (transaction.step, transaction.index)
                    for transaction in would.transactions
                    if transaction.cause == cause
                )
                case = ChangedEvent(
                    cause, arrival, old, new, Outcome(was.trace), Outcome(would.trace), self._decided_by, posted
                )
                self._results.cases.append(case)

    async def _program_of(self, version: int) -> Program:
        if version not in self._programmes:
            self._programmes[version] = await load_at_version(self._connection, self._program.org_id, version)
        self._decided_by = self._programmes[version]
        return self._decided_by.compiled


def _with_id_by_time(cause: Arrival, timer: Event) -> Arrival:
    """Return a timer's arrival with an id derived from its time, which is the same on both tracks."""
    event_id = derived_id(timer.member_id, f"timer at {timer.occurred_at.isoformat()}")
    return structs.replace(timer_arrival(cause, timer), event_id=event_id)


def _nothing(event: Event, member: Member) -> Decision:
    return Decision(event_id=event.event_id, member=member)


NOTHING = CampaignOutput({}, 0, 0)


def _outputs(decision: Decision) -> dict[Cause, CampaignOutput]:
    """Return what each cause gives in a decision."""
    metrics: dict[Cause, Counter[str]] = defaultdict(Counter)
    for transaction in decision.transactions:
        if transaction.amount:
            metrics[transaction.cause][transaction.metric] += transaction.amount
    coupons = Counter(issue.cause for issue in decision.coupons)
    products = Counter[Cause]()
    for cause, quantity in _products(decision):
        products[cause] += quantity
    return {
        cause: CampaignOutput(dict(metrics[cause]), coupons[cause], products[cause])
        for cause in metrics.keys() | coupons.keys() | products.keys()
    }


def _products(decision: Decision) -> Iterator[tuple[Cause, int]]:
    for trace in decision.trace:
        for effect in trace.effects:
            if effect.refusal is None and isinstance(effect.outcome, dict):
                outcome = cast("dict[str, Any]", effect.outcome)
                granted = outcome.get("given")  # set in the outcome of a reward
                if isinstance(granted, dict):
                    outcome = cast("dict[str, Any]", granted)
                if "productId" in outcome:
                    yield trace.cause, int(outcome.get("quantity", 0))


def _count(by_cause: dict[Cause, CampaignTotals], program: Program, arrival: Arrival, decision: Decision) -> None:
    if decision.refusal is not None:
        return
    for trace in decision.trace:
        tally = by_cause[trace.cause]
        if trace.refusal is None:
            tally.fired += 1
        else:
            tally.refusals[str(trace.refusal)] += 1
        for effect in trace.effects:
            if effect.refusal is not None:
                tally.refusals[str(effect.refusal)] += 1
    for cause, campaign_output in _outputs(decision).items():
        tally = by_cause[cause]
        tally.members.add(arrival.member_id)
        tally.coupons += campaign_output.coupons
        tally.products += campaign_output.products
        day = local_day(arrival.occurred_at, program.settings.time_zone).isoformat()
        for metric, amount in campaign_output.metrics.items():
            tally.metrics[metric] += amount
            tally.days[day][metric] += amount
