"""A campaign's statistics, participants and leaderboard."""

from uuid import UUID

import msgspec
from msgspec import structs

from plaudit.api.http.operations import LIMIT, PAGING, Call, Operation, Parameter
from plaudit.api.http.paging import page_size
from plaudit.api.http.wire import amount_view, optional_time
from plaudit.api.views.base import Page, View
from plaudit.api.views.campaigns import (
    CampaignLeaderboard,
    CampaignParticipant,
    CampaignParticipantList,
    CampaignRank,
    CampaignStats,
    MetricPaid,
)
from plaudit.api.views.member_progress import progress_fields
from plaudit.core.member import Progress
from plaudit.core.program import Campaign
from plaudit.documents.campaign import parts_of
from plaudit.documents.kinds import KINDS
from plaudit.mechanics.competitions.state import KIND as COMPETITION
from plaudit.reads import campaign_stats
from plaudit.storage import documents

from . import competitions

_PROGRESS = msgspec.json.Decoder(Progress)


async def stats(call: Call) -> CampaignStats:
    """Return a campaign's counts, and the amounts that it has paid by metric."""
    campaign_id = call.path["campaignId"]
    program = (await call.programme()).compiled
    async with call.connection() as connection:
        await documents.fetch(connection, call.org_id, KINDS["campaign"], campaign_id)
        counts, paid = await campaign_stats.stats(connection, call.org_id, campaign_id)
    paid_by_metric = {
        row["metric"]: MetricPaid(
            amount=amount_view(program, row["metric"], row["amount"]), transactions=row["transactions"]
        )
        for row in paid
    }
    return CampaignStats(
        campaign_id=campaign_id,
        participants=counts["taking_part"],
        completed=counts["completed"],
        completions=counts["completions"],
        last_completed_at=optional_time(counts["last_at"]),
        metrics=paid_by_metric,
    )


async def participants(call: Call) -> Page:
    """Return the members who take part, with their progress."""
    campaign_id = call.path["campaignId"]
    page = call.page(tuple[UUID], (UUID(int=0),))
    programme = await call.programme()
    program, now = programme.compiled, programme.now()
    campaign = program.campaigns().get(campaign_id) or Campaign(campaign_id=campaign_id, name=campaign_id)
    async with call.connection() as connection:
        await documents.fetch(connection, call.org_id, KINDS["campaign"], campaign_id)
        rows = await campaign_stats.taking_part(connection, call.org_id, campaign_id, *page.start, page.limit)
    rows, cursor = page.cut(rows, lambda row: (row["member_id"],))
    views = [
        CampaignParticipant(
            user_id=row["user_id"], **progress_fields(program, campaign, _PROGRESS.decode(row["state"]), now)
        )
        for row in rows
    ]
    return CampaignParticipantList.of(views, cursor=cursor)


async def leaderboard(call: Call) -> View:
    """Return the leaderboard of the campaign's ranking. Without one, rank by completions; ties: the earliest."""
    campaign_id = call.path["campaignId"]
    campaign = (await call.programme()).campaigns.get(campaign_id)
    if campaign is not None and any(part.name == COMPETITION for part, _ in parts_of(campaign)):
        return await competitions.leaderboard(structs.replace(call, path={"competitionId": campaign_id}))
    async with call.connection() as connection:
        await documents.fetch(connection, call.org_id, KINDS["campaign"], campaign_id)
        rows = await campaign_stats.leaderboard(connection, call.org_id, campaign_id, page_size(call.query))
    return CampaignLeaderboard.of(
        [
            CampaignRank(
                rank=rank,
                user_id=row["user_id"],
                completions=row["completions"],
                last_completed_at=optional_time(row["last_at"]),
            )
            for rank, row in enumerate(rows, start=1)
        ]
    )


OPERATIONS = [
    Operation(
        name="getCampaignStats", method="GET", path="/v1/campaigns/{campaignId}/stats",
        summary="Get a campaign's statistics", run=stats, scope="admin:read", tag="Campaigns", errors=(400, 404),
        response=CampaignStats,
    ),
    Operation(
        name="listCampaignParticipants", method="GET", path="/v1/campaigns/{campaignId}/participants",
        run=participants, scope="members:read", summary="List a campaign's participants and their progress",
        tag="Campaigns", query=PAGING, errors=(400, 404),
        response=CampaignParticipantList,
    ),
    Operation(
        name="getCampaignLeaderboard", method="GET", path="/v1/campaigns/{campaignId}/leaderboard", run=leaderboard,
        scope="members:read", summary="Get a campaign's leaderboard by completions", tag="Campaigns",
        errors=(400, 404),
        query=(Parameter("scope", "One part of the board of a competition: a scopeField value or a division", {"type": "string"}), LIMIT),
        response=CampaignLeaderboard | competitions.LeaderboardPage,
    ),
]  # fmt: skip
