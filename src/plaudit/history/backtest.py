"""Runs the simulations that operators request, and queues what a campaign would have given in the past."""

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

APPEND_BATCH = 1_000


async def with_campaign(connection: Connection, org_id: UUID, campaign_id: str, changes: Json) -> Programme:
    """Return the current programme with one campaign changed and active. Raise NotFound or Invalid."""
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


async def with_programme(connection: Connection, org_id: UUID, desired: DesiredDocuments) -> Programme:
    """Return the current programme with these documents added or replaced. Raise Invalid."""
    docs = await programme_changes.current_documents(connection, org_id)
    for change in await programme_changes.plan(connection, org_id, desired, prune=False):
        docs[change.kind, change.id] = change.after or {}
    return programme_from_documents(org_id, 0, docs)


async def run_backtest(
    connection: Connection,
    programme: Programme,
    days: float,
    campaign_id: str | None,
    *,
    sample: float,
    on_progress: OnProgress,
) -> Json:
    """Simulate a programme over the last `days`, and return the report. Call `on_progress` with intermediate results."""
    org_clock = await clock_of(connection, programme.compiled.org_id)
    since = org_clock.now() - timedelta(days=days)
    written_since = org_clock.wall_of(since)
    simulation = Simulation()
    async for simulation in simulate(
        connection, programme, written_since, campaign_id=campaign_id, sample=sample, cases_max=1_000
    ):
        on_progress(simulation)
    results = (
        programme_report(programme, simulation) if campaign_id is None else report(programme, simulation, campaign_id)
    )
    return {"days": days, "since": since, "sampled": sample, **results}


async def queue_backfill(connection: Connection, org_id: UUID, campaign_id: str, days: float) -> AsyncGenerator[int]:
    """Queue events that give members what a campaign, as it is now, would have given. Yield the number queued so far.

    Each past event is backfilled at most once per version of the campaign. In total, a member receives what a simulation
    shows: if the campaign would have given something earlier than it did, it is not given twice.
    """
    programme = await load_programme(connection, org_id)
    campaign = await fetch(connection, org_id, KINDS["campaign"], campaign_id)
    since = programme.clock.wall_of(programme.now() - timedelta(days=days))
    simulation = Simulation()
    async for results in simulate(connection, programme, since, campaign_id=campaign_id):
        simulation = results  # the last results are complete
    queued = 0
    arrivals = list(_backfills(programme, simulation, campaign.version, campaign_id))
    for start in range(0, len(arrivals), APPEND_BATCH):
        appended = await inbox.append(connection, arrivals[start : start + APPEND_BATCH])
        queued += len(appended.new)
        yield queued
    yield queued


def _backfills(programme: Programme, simulation: Simulation, version: int, campaign_id: str) -> Iterator[Arrival]:
    """Yield the events that give each member what the campaign would have given, and set their simulated progress."""
    cases: dict[UUID, list[ChangedEvent]] = {}
    for case in simulation.cases:
        cases.setdefault(case.arrival.member_id, []).append(case)
    for member_id in dict.fromkeys([*cases, *simulation.progress]):
        orders = list(_orders(programme, cases.get(member_id, [])))
        progress = simulation.progress.get(member_id)
        differs = progress is not None and progress.simulated is not None and progress.actual != progress.simulated
        if progress is not None and differs and not orders:
            order: Json = {"listener": 0, "give": {}, "effects": [], "completes": False}
            orders.append((progress.arrival, f"progress:{version}", order))
        for number, (arrival, part, order) in enumerate(orders, start=1):
            if progress is not None and differs and number == len(orders):
                order |= {"was": _as_logged(progress.actual), "would": _as_logged(progress.simulated)}
            yield _backfill(programme, arrival, campaign_id, f"{version if part == 'fired' else part}", order)


def _orders(programme: Programme, cases: list[ChangedEvent]) -> Iterator[tuple[Arrival, str, Json]]:
    """Yield the orders for a member's events. In total they give no more than the campaign would have given."""
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
            missing = min(amount - case.before.metrics.get(metric, 0), left[metric])
            if missing > 0:
                give[metric] = missing
                left[metric] -= missing
        listener_number, effects, completes = _fired_listener(programme, case)
        number = case.after.coupons + case.after.products
        # Effects that give no amount, coupon or product are run together with the others: they cannot be counted.
        extra = effects if not fired and (others >= number) else []
        if extra:
            others -= number
        if give or extra:
            order = {"listener": listener_number, "give": give, "effects": extra, "completes": completes and not fired}
            yield case.arrival, "fired" if fired else "missed", order


def _fired_listener(programme: Programme, case: ChangedEvent) -> tuple[int, list[tuple[int, int]], bool]:
    """Return the number of the listener that fired, its effects that post no amount, and whether it completes the campaign.

    Effects are pairs of a step and an index.
    """
    program = programme.compiled
    listener = next(
        (item for item in program.listeners_of(case.arrival.trigger) if item.campaign.cause == case.cause),
        None,
    )
    listener_number, completes = 0, False
    effects: list[tuple[int, int]] = []
    for trace in case.outcome_after.trace:
        if trace.cause != case.cause or trace.refusal is not None or trace.trigger is not None or listener is None:
            continue
        campaign = listener.campaign
        listener_number = trace.listener
        completes = not campaign.steps or bool(trace.progress and trace.progress.get("completed"))
        own = len(campaign.steps[trace.step].effects) if campaign.steps else len(trace.effects)
        for effect in trace.effects:
            is_own = effect.index < own
            key = (trace.step, effect.index) if is_own else (len(campaign.steps), effect.index - own)
            if effect.refusal is None and key not in case.posted:
                effects.append(key)
    return listener_number, effects, completes


def _backfill(programme: Programme, arrival: Arrival, campaign_id: str, part: str, order: Json) -> Arrival:
    """Return the event that gives a member what a past event would give today."""
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


def _as_logged(progress: Progress | None) -> Any:
    """Return progress in the form of the log: JSON values, with strings as keys."""
    return msgspec.json.decode(msgspec.json.encode(progress))
