"""Simulations of a campaign, or of a whole programme, on past events, in a subprocess."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from plaudit.api.children import run_child
from plaudit.api.http.operations import BATCH_BYTES_MAX, Call, Operation
from plaudit.api.http.wire import Json
from plaudit.api.views.base import view_from
from plaudit.api.views.campaigns import BackfillResult
from plaudit.api.views.simulation import ProgrammeSimulationReport, SimulationReport
from plaudit.documents.kinds import KINDS
from plaudit.errors import Conflict, Unavailable
from plaudit.history import backtest
from plaudit.storage import documents

SIMULATIONS_MAX = 2

Days = Annotated[float, Meta(ge=0.01, le=3_650)]

_running = asyncio.Semaphore(SIMULATIONS_MAX)


class SimulationRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`changes` are fields of the campaign to change; `sample` is the share of members to simulate."""

    days: Days = 30
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    sample: Annotated[float, Meta(ge=1 / 256, le=1)] = 1


class ProgrammeSimulationRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`programme` replaces sections of the current one; `sample` is the share of members to simulate."""

    programme: dict[str, Any]
    days: Days = 30
    sample: Annotated[float, Meta(ge=1 / 256, le=1)] = 1


class BackfillRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The start of the period."""

    days: Days = 30


async def simulate(call: Call) -> SimulationReport:
    """Return what a campaign would have cost and whom it would have rewarded, compared with what happened."""
    body: SimulationRequest = call.body
    arguments = ["--campaign", call.path["campaignId"], "--changes", "-"]
    return view_from(SimulationReport, await _simulate(call, arguments, body.changes, body.days, body.sample))


async def simulate_programme(call: Call) -> ProgrammeSimulationReport:
    """Return what the programme would have cost with these documents replaced, compared with what happened."""
    body: ProgrammeSimulationRequest = call.body
    report = await _simulate(call, ["-", "--settings"], body.programme, body.days, body.sample)
    return view_from(ProgrammeSimulationReport, report)


async def _simulate(call: Call, arguments: Sequence[str], changes: Any, days: float, sample: float) -> Json:
    if _running.locked():
        raise Unavailable("Two simulations are already running; retry when one has finished")
    async with _running:
        report = await run_child(
            call, ["simulate", *arguments, "--days", str(days), "--sample", str(sample)], msgspec.json.encode(changes),
            too_long="The simulation takes too long; use fewer days or a smaller sample",
        )  # fmt: skip
    # The totals need admin:read only, but the sample of members needs members:read.
    return report if "members:read" in call.scopes else report | {"sample": []}


async def apply_to_past(call: Call) -> BackfillResult:
    """Queue the effects of the campaign for past events: once per event, without notifications or webhooks."""
    body: BackfillRequest = call.body
    campaign_id = call.path["campaignId"]
    async with call.connection() as connection:
        campaign = await documents.fetch(connection, call.org_id, KINDS["campaign"], campaign_id)
        if campaign.doc["status"] != "active":
            raise Conflict("The campaign is not active: activate it first", code="campaign_inactive")
        queued = 0
        async for number in backtest.queue_backfill(connection, call.org_id, campaign_id, body.days):
            queued = number
    return BackfillResult(campaign_id=campaign_id, queued=queued)


OPERATIONS = [
    Operation(
        name="simulateCampaign", method="POST", path="/v1/campaigns/{campaignId}/simulate", run=simulate,
        changes_nothing=True, scope="admin:read", tag="Campaigns", summary="Simulate a campaign on past events",
        description="Changes nothing.", body=SimulationRequest, errors=(400, 404, 413, 503), response=SimulationReport,
    ),
    Operation(
        name="simulateProgramme", method="POST", path="/v1/config/simulate", run=simulate_programme,
        changes_nothing=True, scope="admin:read", tag="Programme",
        summary="Simulate another programme on past events", description="Changes nothing.",
        body=ProgrammeSimulationRequest, errors=(400, 413, 503), body_bytes_max=BATCH_BYTES_MAX, response=ProgrammeSimulationReport,
    ),
    Operation(
        name="backfillCampaign", method="POST", path="/v1/campaigns/{campaignId}/apply-to-past", run=apply_to_past,
        scope="admin:write", summary="Apply a campaign to past events", description=(
            "Gives members what the campaign would have given for past events: once per event, without "
            "notifications or webhooks."
        ), tag="Campaigns", body=BackfillRequest, response=BackfillResult, status=202,
        errors=(400, 404, 409, 413),
    ),
]  # fmt: skip
