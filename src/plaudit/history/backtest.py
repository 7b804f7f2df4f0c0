"""A simulation asked for: which programme, over how long; and its being applied to the past."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.event import BACKFILL
from plaudit.core.member import Progress
from plaudit.documents.amounts import decimals_in, misfits
from plaudit.documents.kinds import KINDS
from plaudit.documents.programme_file import DesiredDocuments
from plaudit.engine import inbox
from plaudit.engine.arrival import Arrival, Payload, arrival_from_client
from plaudit.errors import NotFound, invalid_fields
from plaudit.storage import programme_changes
from plaudit.storage.documents import fetch, validate
from plaudit.storage.postgres import Connection
from plaudit.storage.programmes import Programme, clock_of, load_programme, programme_from_documents

from .report import programme_report, report
from .simulate import ChangedEvent, Simulation, simulate

Json = dict[str, Any]
OnProgress = Callable[[Simulation], None]

APPENDED = 1_000


async def with_campaign(connection: Connection, org_id: UUID, campaign_id: str, changes: Json) -> Programme:
    """The programme as it is, with one campaign changed and in force. Raises NotFound or Invalid."""
    docs = await programme_changes.current_documents(connection, org_id)
    before = docs.get(("campaign", campaign_id))
    if before is None:
        raise NotFound("Campaign not found", code="campaign_not_found")
    raw = before | KINDS["campaign"].read(changes) | {"status": "active"}
    document = validate(KINDS["campaign"], raw)
    wrong = misfits(KINDS["campaign"], document, decimals_in((*key, doc) for key, doc in docs.items()), before)
    if wrong:
        raise invalid_fields(wrong)
    docs["campaign", campaign_id] = msgspec.json.decode(msgspec.json.encode(document))
    return programme_from_documents(org_id, 0, docs)


async def with_programme(connection: Connection, org_id: UUID, wanted: DesiredDocuments) -> Programme:
    """The programme as it is, with these documents written over it. Raises Invalid."""
    docs = await programme_changes.current_documents(connection, org_id)
    for change in await programme_changes.plan(connection, org_id, wanted, prune=False):
        docs[change.kind, change.id] = change.after or {}
    return programme_from_documents(org_id, 0, docs)


async def run_backtest(
    connection: Connection,
    programme: Programme,
    days: float,
    campaign_id: str | None,
    *,
    sample: float,
    tell: OnProgress,
) -> Json:
    """A simulation's report. `tell` hears how far it is."""
    org_clock = await clock_of(connection, programme.compiled.org_id)
    since = org_clock.now() - timedelta(days=days)
    written_since = org_clock.wall_of(since)
    simulation = Simulation()
    async for simulation in simulate(
        connection, programme, written_since, campaign_id=campaign_id, sample=sample, cases_max=1_000
    ):
        tell(simulation)
    shown = (
        programme_report(programme, simulation) if campaign_id is None else report(programme, simulation, campaign_id)
    )
    return {"days": days, "since": since, "sampled": sample, **shown}


async def queue_backfill(connection: Connection, org_id: UUID, campaign_id: str, days: float) -> AsyncGenerator[int]:
    """Queue what a campaign, as it is now, would have given since; once for each event and version of the campaign.

    Of each member it is what a simulation says in all: where the campaign would have given something earlier than it did,
    nothing is given twice. Yields how many events have been queued. What was queued before is not queued again.
    """
    programme = await load_programme(connection, org_id)
    campaign = await fetch(connection, org_id, KINDS["campaign"], campaign_id)
    since = programme.clock.wall_of(programme.now() - timedelta(days=days))
    found = Simulation()
    async for simulation in simulate(connection, programme, since, campaign_id=campaign_id):
        found = simulation
    queued = 0
    arrivals = list(_backfills(programme, found, campaign.version, campaign_id))
    for start in range(0, len(arrivals), APPENDED):
        appended = await inbox.append(connection, arrivals[start : start + APPENDED])
        queued += len(appended.new)
        yield queued
    yield queued


def _backfills(programme: Programme, found: Simulation, version: int, campaign_id: str) -> Iterator[Arrival]:
    """Yield the events that give each member what the campaign would have given, and bring them as far."""
    cases: dict[UUID, list[ChangedEvent]] = {}
    for case in found.cases:
        cases.setdefault(case.arrival.member_id, []).append(case)
    for member_id in dict.fromkeys([*cases, *found.went]):
        orders = list(_orders(programme, cases.get(member_id, [])))
        went = found.went.get(member_id)
        moves = went is not None and went.would is not None and went.was != went.would
        if went is not None and moves and not orders:
            order: Json = {"listener": 0, "give": {}, "effects": [], "completes": False}
            orders.append((went.arrival, f"progress:{version}", order))
        for place, (arrival, part, order) in enumerate(orders, start=1):
            if went is not None and moves and place == len(orders):
                order |= {"was": _plain(went.was), "would": _plain(went.would)}
            yield _backfill(programme, arrival, campaign_id, f"{version if part == 'fired' else part}", order)


def _orders(programme: Programme, cases: list[ChangedEvent]) -> Iterator[tuple[Arrival, str, Json]]:
    """Yield what each of a member's events gives: no more in all than the campaign would have given in all."""
    left: Counter[str] = Counter()
    others = 0  # coupons and products
    for case in cases:
        left.update(case.after.metrics)
        left.subtract(case.before.metrics)
        others += case.after.coupons + case.after.products - case.before.coupons - case.before.products
    for case in cases:
        fired = bool(case.before)
        give: dict[str, int] = {}
        for metric, amount in case.after.metrics.items():
            more = min(amount - case.before.metrics.get(metric, 0), left[metric])
            if more > 0:
                give[metric] = more
                left[metric] -= more
        listener, effects, completes = _places(programme, case)
        number = case.after.coupons + case.after.products
        # What is neither an amount nor a coupon nor a product comes with the rest; it cannot be weighed against it.
        extra = effects if not fired and (others >= number) else []
        if extra:
            others -= number
        if give or extra:
            order = {"listener": listener, "give": give, "effects": extra, "completes": completes and not fired}
            yield case.arrival, "fired" if fired else "missed", order


def _places(programme: Programme, case: ChangedEvent) -> tuple[int, list[tuple[int, int]], bool]:
    """Return the listener that was met, the effects that gave anything but amounts, and whether it counts overall."""
    program = programme.compiled
    found = next(
        (item for item in program.listeners_of(case.arrival.trigger) if item.campaign.cause == case.cause),
        None,
    )
    listener, completes = 0, False
    places: list[tuple[int, int]] = []
    for trace in case.outcome_after.trace:
        if trace.cause != case.cause or trace.refusal is not None or trace.trigger is not None or found is None:
            continue
        campaign = found.campaign
        listener = trace.listener
        completes = not campaign.steps or bool(trace.progress and trace.progress.get("completed"))
        own = len(campaign.steps[trace.step].effects) if campaign.steps else len(trace.effects)
        for effect in trace.effects:
            place = (trace.step, effect.index) if effect.index < own else (len(campaign.steps), effect.index - own)
            if effect.refusal is None and place not in case.posted:
                places.append(place)
    return listener, places, completes


def _backfill(programme: Programme, arrival: Arrival, campaign_id: str, part: str, order: Json) -> Arrival:
    """The event that gives a member what an event of the past would give today."""
    past = arrival.event()
    data = order | {
        "campaignId": campaign_id,
        "eventId": str(past.event_id),
        "trigger": past.trigger,
        "data": past.data,
    }
    return arrival_from_client(
        org_id=programme.compiled.org_id, user_id=past.user_id, kind=BACKFILL, trigger="campaign.backfilled",
        occurred_at=past.occurred_at, received_at=clock.now(), payload=Payload(data), source="backfill",
        event_id=past.event_id, event_key=f"backfill:{campaign_id}:{part}:{past.event_id}"[:128],
    )  # fmt: skip


def _plain(progress: Progress | None) -> Any:
    """Return progress as the log keeps it: JSON, whose keys are texts."""
    return msgspec.json.decode(msgspec.json.encode(progress))
