"""A simulation asked for: which programme, over how long; and its being applied to the past."""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from plaudit import clock
from plaudit.core.event import BACKFILL
from plaudit.documents.configuration import Wanted
from plaudit.documents.kinds import KINDS
from plaudit.errors import NotFound
from plaudit.storage import configuration
from plaudit.storage.documents import checked
from plaudit.storage.postgres import Connection
from plaudit.storage.programs import Live, live_of, load_live

from . import inbox
from .arrival import Arrival, Payload, arrival_of
from .simulate import Case, Simulation, simulate
from .simulation_report import programme_report, report

Json = dict[str, Any]
Told = Callable[[Simulation], None]

APPENDED = 1_000


async def with_campaign(connection: Connection, org_id: UUID, campaign_id: str, changes: Json) -> Live:
    """The programme as it is, with one campaign changed and in force. Raises NotFound or Invalid."""
    docs = await configuration.configuration(connection, org_id)
    before = docs.get(("campaign", campaign_id))
    if before is None:
        raise NotFound("Campaign not found", code="campaign_not_found")
    raw = before | KINDS["campaign"].read(changes) | {"status": "active"}
    document = checked(KINDS["campaign"], raw)
    docs["campaign", campaign_id] = msgspec.json.decode(msgspec.json.encode(document))
    return live_of(org_id, 0, docs)


async def with_programme(connection: Connection, org_id: UUID, wanted: Wanted) -> Live:
    """The programme as it is, with these documents written over it. Raises Invalid."""
    docs = await configuration.configuration(connection, org_id)
    for change in await configuration.plan(connection, org_id, wanted, prune=False):
        docs[change.kind, change.id] = change.after or {}
    return live_of(org_id, 0, docs)


async def tested(
    connection: Connection, live: Live, days: float, campaign_id: str | None, *, sample: float, tell: Told
) -> Json:
    """A simulation's report. `tell` hears how far it is."""
    since = clock.now() - timedelta(days=days)
    found = Simulation()
    async for found in simulate(connection, live, since, campaign_id=campaign_id, sample=sample, cases_max=1_000):
        tell(found)
    shown = programme_report(live, found) if campaign_id is None else report(live, found, campaign_id)
    return {"days": days, "since": since, "sampled": sample, **shown}


async def applied_to_past(connection: Connection, org_id: UUID, campaign_id: str, days: float) -> AsyncGenerator[int]:
    """Queue what a campaign, as it is now, would have given since; once for each event and version of the campaign.

    Yields how many events have been queued. What was queued before is not queued again.
    """
    live = await load_live(connection, org_id)
    rows = await connection.fetchrow(configuration.SQL.one, org_id, "campaign", campaign_id)
    if rows is None:
        raise NotFound("Campaign not found", code="campaign_not_found")
    since = clock.now() - timedelta(days=days)
    found = Simulation()
    async for each in simulate(connection, live, since, campaign_id=campaign_id):
        found = each
    queued = 0
    arrivals = [one for case in found.cases if (one := _backfill(live, case, rows["version"])) is not None]
    for start in range(0, len(arrivals), APPENDED):
        appended = await inbox.append(connection, arrivals[start : start + APPENDED])
        queued += len(appended.new)
        yield queued
    yield queued


def _backfill(live: Live, case: Case, version: int) -> Arrival | None:
    """The event that gives a member what an event of the past would give today; None where it would give no more."""
    fired = bool(case.before)
    more = {
        metric: amount - case.before.metrics.get(metric, 0)
        for metric, amount in case.after.metrics.items()
        if amount > case.before.metrics.get(metric, 0)
    }
    if not case.after or (fired and not more):
        return None
    past = case.arrival.event()
    data: Json = {"campaignId": case.campaign_id, "eventId": str(past.event_id), "trigger": past.trigger}
    data |= {"topUp": more} if fired else {"data": past.data}
    at: datetime = past.occurred_at
    return arrival_of(
        org_id=live.program.org_id, user_id=past.user_id, kind=BACKFILL, trigger="campaign.backfilled", occurred_at=at,
        received_at=clock.now(), payload=Payload(data), source="backfill", event_id=past.event_id,
        event_key=f"backfill:{case.campaign_id}:{version if fired else 'missed'}:{past.event_id}"[:128],
    )  # fmt: skip
