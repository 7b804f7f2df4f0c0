"""Who takes part in a campaign, and what it has given."""

from uuid import UUID

import msgspec

from plaudit.api.mechanics import shown_progress
from plaudit.api.operations import LIMIT, PAGING, Call, Operation
from plaudit.api.outside import Json, optional_time, shown_amount
from plaudit.api.paging import page_size, paged, read_cursor
from plaudit.api.schemas import INTEGER, OBJECT, OBJECTS, TEXT, object_of, page_schema
from plaudit.core.member import Progress
from plaudit.core.program import Campaign
from plaudit.documents.kinds import KINDS
from plaudit.reads import participation
from plaudit.storage import documents

_PROGRESS = msgspec.json.Decoder(Progress)


async def stats(call: Call) -> Json:
    """Counts of a campaign, and what it has given by metric."""
    campaign_id = call.path["campaignId"]
    program = (await call.services.programs.live(call.org_id)).program
    async with call.services.pool.acquire() as connection:
        await documents.one(connection, call.org_id, KINDS["campaign"], campaign_id)
        counts, paid = await participation.stats(connection, call.org_id, campaign_id)
    given = {
        row["metric"]: {
            "amount": shown_amount(program, row["metric"], row["amount"]),
            "transactions": row["transactions"],
        }
        for row in paid
    }
    return {
        "campaignId": campaign_id,
        "participants": counts["taking_part"],
        "completed": counts["completed"],
        "completions": counts["completions"],
        "lastCompletedAt": optional_time(counts["last_at"]),
        "metrics": given,
    }


async def participants(call: Call) -> Json:
    """A page of the members who take part, with their progress."""
    campaign_id = call.path["campaignId"]
    size = page_size(call.query)
    (after,) = read_cursor(call.query, tuple[UUID], (UUID(int=0),))
    program = (await call.services.programs.live(call.org_id)).program
    campaign = next(
        (
            one.campaign
            for each in program.listeners.values()
            for one in each
            if one.campaign.campaign_id == campaign_id
        ),
        Campaign(campaign_id=campaign_id, name=campaign_id),
    )
    async with call.services.pool.acquire() as connection:
        await documents.one(connection, call.org_id, KINDS["campaign"], campaign_id)
        rows = await participation.taking_part(connection, call.org_id, campaign_id, after, size + 1)
    page, cursor = paged(rows, size, lambda row: (row["member_id"],))
    shown_rows = [
        {"userId": row["user_id"], **shown_progress(campaign, _PROGRESS.decode(row["state"]))} for row in page
    ]
    return {"participants": shown_rows, "cursor": cursor}


async def leaderboard(call: Call) -> Json:
    """Those who have completed a campaign most often; of equals, who got there first."""
    campaign_id = call.path["campaignId"]
    async with call.services.pool.acquire() as connection:
        await documents.one(connection, call.org_id, KINDS["campaign"], campaign_id)
        rows = await participation.leaderboard(connection, call.org_id, campaign_id, page_size(call.query))
    return {
        "leaderboard": [
            {
                "rank": number,
                "userId": row["user_id"],
                "completions": row["completions"],
                "lastCompletedAt": optional_time(row["last_at"]),
            }
            for number, row in enumerate(rows, start=1)
        ]
    }


OPERATIONS = [
    Operation(
        method="GET", path="/v1/campaigns/{campaignId}/stats", summary="Who took part, and what it has given",
        run=stats, scope="admin:read", tag="Campaigns", errors=(400, 404),
        answer=object_of({"campaignId": TEXT, "participants": INTEGER, "completed": INTEGER, "completions": INTEGER, "metrics": OBJECT}),
    ),
    Operation(
        method="GET", path="/v1/campaigns/{campaignId}/participants", run=participants, scope="admin:read",
        summary="The members who take part, with their progress", tag="Campaigns", query=PAGING, errors=(400, 404),
        answer=page_schema("participants", object_of({"userId": TEXT, "completions": INTEGER, "steps": OBJECTS})),
    ),
    Operation(
        method="GET", path="/v1/campaigns/{campaignId}/leaderboard", run=leaderboard, scope="admin:read",
        summary="Who has completed it most often", tag="Campaigns", query=(LIMIT,), errors=(400, 404),
        answer=object_of({"leaderboard": OBJECTS}),
    ),
]  # fmt: skip
