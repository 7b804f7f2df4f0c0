"""Simulation: a campaign over what really happened, in a process of its own so that nobody else waits."""

import asyncio
import sys
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from plaudit.api.operations import Call, Operation
from plaudit.api.outside import Json
from plaudit.api.schemas import INTEGER, NUMBER, OBJECT, OBJECTS, TEXT, object_of
from plaudit.documents.kinds import KINDS
from plaudit.engine import backtest
from plaudit.errors import Conflict, FieldError, Invalid, NotFound, PlauditError, Unavailable
from plaudit.storage import documents

SECONDS_MAX = 300.0
AT_ONCE = 2

Days = Annotated[float, Meta(ge=0.01, le=3_650)]

_running = asyncio.Semaphore(AT_ONCE)


class SimulateBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`changes` are fields of the campaign as they would be; `sample` is the part of the members to look at."""

    days: Days = 30
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    sample: Annotated[float, Meta(ge=1 / 256, le=1)] = 1


class PastBody(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How far back."""

    days: Days = 30


async def simulate(call: Call) -> Json:
    """What a campaign would have cost, and whom it would have rewarded, beside what was. Changes nothing."""
    body: SimulateBody = call.body
    if _running.locked():
        raise Unavailable("Other simulations are running; try again when they are done")
    async with _running:
        return await _simulated(call, body)


async def _simulated(call: Call, body: SimulateBody) -> Json:
    command = [
        sys.executable, "-m", "plaudit", "simulate", "--json", "--org", str(call.org_id), "--campaign",
        call.path["campaignId"], "--days", str(body.days), "--sample", str(body.sample), "--changes", "-",
        "--database-url", call.services.url,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        given = msgspec.json.encode(body.changes)
        output, problems = await asyncio.wait_for(process.communicate(given), SECONDS_MAX)
    except TimeoutError:
        raise Unavailable("It takes too long: ask for fewer days, or a sample", code="too_long") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        told: Json = msgspec.json.decode(output)
    except msgspec.DecodeError:
        raise PlauditError(f"The simulation failed on our side: {problems.decode(errors='replace')[-500:]}") from None
    if "error" in told:
        raise _error(told["error"])
    return told


def _error(told: Json) -> PlauditError:
    fields = [FieldError(**one) for one in told["fields"]]
    kinds = {"not_found": NotFound, "conflict": Conflict}
    return kinds.get(told["kind"], Invalid)(told["message"], code=told["code"], fields=fields)


async def apply_to_past(call: Call) -> Json:
    """Give members what the campaign, as it is now, would have given for what happened: quietly, and once."""
    body: PastBody = call.body
    campaign_id = call.path["campaignId"]
    async with call.services.pool.acquire() as connection:
        campaign = await documents.one(connection, call.org_id, KINDS["campaign"], campaign_id)
        if campaign.doc["status"] != "active":
            raise Conflict("The campaign is not active: activate it first", code="campaign_inactive")
        queued = 0
        async for each in backtest.applied_to_past(connection, call.org_id, campaign_id, body.days):
            queued = each
    return {"campaignId": campaign_id, "queued": queued}


_SIDE = object_of(
    {"fired": INTEGER, "members": INTEGER, "metrics": OBJECT, "days": OBJECT, "coupons": INTEGER, "capsHit": OBJECT}
)

OPERATIONS = [
    Operation(
        method="POST", path="/v1/campaigns/{campaignId}/simulate", run=simulate, scope="admin:read", tag="Campaigns",
        summary="What a campaign, perhaps changed, would have given over the last days; changes nothing",
        body=SimulateBody, errors=(400, 404, 413, 503),
        answer=object_of(
            {
                "campaignId": TEXT, "days": NUMBER, "events": INTEGER, "members": INTEGER, "actual": _SIDE,
                "simulated": _SIDE, "difference": OBJECT, "programme": OBJECT, "sample": OBJECTS,
            }
        ),
    ),
    Operation(
        method="POST", path="/v1/campaigns/{campaignId}/apply-to-past", run=apply_to_past, scope="admin:write",
        summary="Give for the last days what the campaign as it is now would have given: quietly, once",
        tag="Campaigns", body=PastBody, answer=object_of({"campaignId": TEXT, "queued": INTEGER}), status=202,
        errors=(400, 404, 409, 413),
    ),
]  # fmt: skip
