"""Simulation: another programme over the events that really happened, changing nothing, beside what it was.

    the log before the window ──► as it was decided then ──► each member as they were when the window begins
    the log in the window ──► as it was decided then   ─┐
                          └─► under the other programme ─┴─► what differs: who, when, how much, and why

Events are met in the order in which they were decided, so that what is scarce goes to who came first. Nothing is
locked and nothing written; codes, stock and overall limits are counted in memory.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from msgspec import Struct, field

from plaudit.core.advance import decide_in_time
from plaudit.core.decide import decide
from plaudit.core.decision import Claim, ClaimKind, Decision, Refusal
from plaudit.core.event import ACTION, BACKFILL, TIMER, Event
from plaudit.core.member import Member
from plaudit.core.periods import local_day
from plaudit.core.program import Program
from plaudit.storage.postgres import Connection
from plaudit.storage.programs import Live, load_at_version
from plaudit.storage.queries import queries_beside

from .arrival import Arrival
from .outcome import Outcome, outcome_from

SQL = queries_beside(__file__)

SAMPLES_MAX = 10
FETCHED = 2_000
PROGRESS_EVERY = 2_000


class Given(Struct, frozen=True):
    """What a campaign gave for one event: by metric (smallest units), coupons, products."""

    metrics: dict[str, int]
    coupons: int
    products: int

    def __bool__(self) -> bool:
        return bool(self.metrics) or self.coupons > 0 or self.products > 0


class Tally(Struct):
    """What a campaign came to over the window. `days` are amounts by local day and metric."""

    fired: int = 0
    metrics: Counter[str] = field(default_factory=Counter[str])
    days: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict[str, Counter[str]](Counter))
    coupons: int = 0
    products: int = 0
    refusals: Counter[str] = field(default_factory=Counter[str])
    members: set[UUID] = field(default_factory=set[UUID])


class Case(Struct, frozen=True):
    """An event that would have gone otherwise for a campaign."""

    campaign_id: str
    arrival: Arrival
    before: Given
    after: Given
    outcome_before: Outcome
    outcome_after: Outcome


class Simulation(Struct):
    """What a simulation has found so far. `was` and `would` are tallies by campaign."""

    events: int = 0
    total: int = 0
    members: int = 0
    was: dict[str, Tally] = field(default_factory=lambda: defaultdict[str, Tally](Tally))
    would: dict[str, Tally] = field(default_factory=lambda: defaultdict[str, Tally](Tally))
    cases: list[Case] = field(default_factory=list[Case])


async def simulate(
    connection: Connection,
    live: Live,
    since: datetime,
    *,
    campaign_id: str | None = None,
    sample: float = 1.0,
    cases_max: int | None = None,
) -> AsyncGenerator[Simulation]:
    """Decide what happened since an instant under `live`, beside what was. Yields how far it is, again and again.

    With `campaign_id`, cases are kept of that campaign only. `sample` takes this part of the members, by their ids.
    """
    org_id = live.program.org_id
    share = round(sample * 256)
    found = Simulation()
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL statement_timeout = 0")
        row = await connection.fetchrow(SQL.extent, org_id, since, share)
        assert row is not None
        found.total, found.members = row["events"], row["members"]
        if not found.total:
            yield found
            return
        runner = _Runner(connection, live, since, found, campaign_id, cases_max)
        await runner.know_what_is_scarce(share)
        # Only members of whom there is something in the window; of them, everything.
        async for record in connection.cursor(SQL.log, org_id, since, share, prefetch=FETCHED):
            await runner.meet(dict(record))
            if found.events % PROGRESS_EVERY == 0:
                yield found
    yield found


class _Runner:
    """The two tracks: members as they were, and as they would be."""

    def __init__(
        self,
        connection: Connection,
        live: Live,
        since: datetime,
        found: Simulation,
        campaign_id: str | None,
        cases_max: int | None,
    ) -> None:
        self._connection = connection
        self._program = live.program
        self._since = since
        self._found = found
        self._campaign_id = campaign_id
        self._cases_max = cases_max
        self._programs: dict[int, Program] = {}
        self._was: dict[UUID, Member] = {}
        self._would: dict[UUID, Member] = {}
        self._left: dict[tuple[ClaimKind, str], int] = {}

    async def know_what_is_scarce(self, share: int) -> None:
        """How much there was of codes when the window began, and how much of stock and overall limits was taken.

        What is taken now, less what was taken in the window: known by deciding that once more.
        """
        org_id = self._program.org_id
        for row in await self._connection.fetch(SQL.codes_left, org_id, self._since):
            self._left[ClaimKind.code, row["pool_id"]] = row["number"]
        taken = await self._connection.fetch(SQL.taken_now, org_id)
        if not taken:
            return
        for row in taken:
            self._left[ClaimKind(row["kind"]), row["key"]] = -row["number"]  # the claim says how much there is
        members: dict[UUID, Member] = {}
        async for record in self._connection.cursor(SQL.log, org_id, self._since, share, prefetch=FETCHED):
            row = dict(record)
            program = await self._program_of(row.pop("program_version"))
            refused = frozenset(outcome_from(row.pop("outcome")).refused)
            in_window = row.pop("in_window")
            del row["state"]
            arrival = Arrival(**row, fingerprint=None)
            member = members.get(arrival.member_id) or Member(member_id=arrival.member_id, user_id=arrival.user_id)
            decision = decide(program, member, arrival.event(), refused)
            members[arrival.member_id] = decision.member
            for claim in decision.claims:
                if in_window and claim.kind is not ClaimKind.code and claim.claim_id not in refused:
                    self._left[claim.kind, claim.key] = self._left.get((claim.kind, claim.key), 0) + claim.quantity

    async def meet(self, row: dict[str, Any]) -> None:
        """One event of the log."""
        version, state = row.pop("program_version"), row.pop("state")
        outcome = outcome_from(row.pop("outcome"))
        in_window = row.pop("in_window")
        arrival = Arrival(**row, fingerprint=None)
        member_id = arrival.member_id
        event = arrival.event()
        was = self._was.get(member_id) or Member(member_id=member_id, user_id=arrival.user_id)
        program = await self._program_of(version)
        decision = decide(program, was, event, frozenset(outcome.refused))
        self._was[member_id] = decision.member
        if not in_window:
            return
        self._found.events += 1
        if state == "processed":
            _count(self._found.was, program, arrival, decision)
        if arrival.kind == TIMER:  # what falls due follows from the programme itself
            return
        if arrival.kind == BACKFILL and event.data.get("campaignId") == self._campaign_id:
            return  # what was made up for afterwards would have been given at once
        would = self._would.get(member_id, was)
        other = self._decided(would, event)
        self._would[member_id] = other.member
        _count(self._found.would, self._program, arrival, other)
        self._compare(arrival, decision, other)

    def _decided(self, member: Member, event: Event) -> Decision:
        """An event under the other programme, after what falls due before it; what is scarce is taken."""
        last: Decision | None = None
        for each, decision in decide_in_time(self._program, member, event):
            last = decision
            refused: set[UUID] = set()
            while True:
                short = [claim for claim in last.claims if claim.claim_id not in refused and not self._there_is(claim)]
                if not short:
                    break
                refused |= {claim.claim_id for claim in short}
                last = decide(self._program, member, each, frozenset(refused))
            for claim in last.claims:
                if claim.claim_id not in refused:
                    self._take(claim)
            if each is not event and last is not decision:
                member = last.member
                return self._decided(member, event)
            member = last.member
        assert last is not None
        return last

    def _there_is(self, claim: Claim) -> bool:
        left = self._left.get((claim.kind, claim.key), 0)
        if claim.kind is ClaimKind.code:
            return left >= claim.quantity
        return claim.maximum is None or -left + claim.quantity <= claim.maximum

    def _take(self, claim: Claim) -> None:
        key = (claim.kind, claim.key)
        self._left[key] = self._left.get(key, 0) - claim.quantity

    def _compare(self, arrival: Arrival, was: Decision, would: Decision) -> None:
        if arrival.kind != ACTION:
            return
        before, after = _given(was), _given(would)
        for campaign_id in before.keys() | after.keys():
            if self._campaign_id not in (None, campaign_id):
                continue
            old, new = before.get(campaign_id, NOTHING), after.get(campaign_id, NOTHING)
            if old != new and (self._cases_max is None or len(self._found.cases) < self._cases_max):
                case = Case(campaign_id, arrival, old, new, Outcome(was.trace), Outcome(would.trace))
                self._found.cases.append(case)

    async def _program_of(self, version: int) -> Program:
        if version not in self._programs:
            self._programs[version] = (await load_at_version(self._connection, self._program.org_id, version)).program
        return self._programs[version]


NOTHING = Given({}, 0, 0)


def _given(decision: Decision) -> dict[str, Given]:
    """What each campaign gave for an event."""
    metrics: dict[str, Counter[str]] = defaultdict(Counter)
    for posting in decision.postings:
        if posting.amount:
            metrics[posting.campaign_id][posting.metric] += posting.amount
    coupons = Counter(issue.campaign_id for issue in decision.coupons)
    products = Counter[str]()
    for campaign_id, quantity in _products(decision):
        products[campaign_id] += quantity
    return {
        one: Given(dict(metrics[one]), coupons[one], products[one])
        for one in metrics.keys() | coupons.keys() | products.keys()
    }


def _products(decision: Decision) -> Iterator[tuple[str, int]]:
    for one in decision.trace:
        for effect in one.effects:
            if effect.refusal is None and isinstance(effect.outcome, dict):
                outcome = cast("dict[str, Any]", effect.outcome)
                given = outcome.get("given")  # of a reward
                if isinstance(given, dict):
                    outcome = cast("dict[str, Any]", given)
                if "productId" in outcome:
                    yield one.campaign_id, int(outcome.get("quantity", 0))


def _count(into: dict[str, Tally], program: Program, arrival: Arrival, decision: Decision) -> None:
    if decision.refusal is not None:
        return
    for one in decision.trace:
        tally = into[one.campaign_id]
        if one.refusal is None:
            tally.fired += 1
        else:
            tally.refusals[one.refusal.value] += 1
        for effect in one.effects:
            if effect.refusal is not None:
                tally.refusals[effect.refusal.value] += 1
    for campaign_id, given in _given(decision).items():
        tally = into[campaign_id]
        tally.members.add(arrival.member_id)
        tally.coupons += given.coupons
        tally.products += given.products
        day = local_day(arrival.occurred_at, program.settings.time_zone).isoformat()
        for metric, amount in given.metrics.items():
            tally.metrics[metric] += amount
            tally.days[day][metric] += amount


CAPS = (Refusal.limit_overall_reached, Refusal.stock_empty, Refusal.pool_empty, Refusal.earning_cap_reached)


def caps_hit(tally: Tally) -> Mapping[str, int]:
    """How often something had run out or was capped."""
    return {one.value: tally.refusals[one.value] for one in CAPS if tally.refusals[one.value]}
