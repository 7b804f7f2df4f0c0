"""Pages of a member's transactions, campaigns and notifications."""

from collections.abc import Sequence
from uuid import UUID

from plaudit.api.http.operations import Call
from plaudit.api.http.paging import page_size, paged, read_cursor
from plaudit.api.http.wire import optional_time
from plaudit.api.identity.current_member import groups_of, member_id, progress_of, visible_campaigns
from plaudit.api.views.base import Page
from plaudit.api.views.member_api import MemberCampaign
from plaudit.api.views.member_progress import progress_fields
from plaudit.api.views.notification import NotificationList, notification_view
from plaudit.core.member import Progress
from plaudit.core.program import Campaign as Compiled
from plaudit.core.progress import is_completed
from plaudit.documents.campaign import Campaign
from plaudit.reads import notifications, transactions
from plaudit.reads.members import MemberView
from plaudit.reads.transactions import ALL, Row, TransactionFilter
from plaudit.storage.programmes import Programme


async def transactions_page(
    call: Call, member_id: UUID, cursor: str, filter_: TransactionFilter = ALL
) -> tuple[Sequence[Row], str | None]:
    """Return a page of a member's transactions, newest first, and the cursor of the next page."""
    size = page_size(call.query)
    position = read_cursor({"cursor": cursor}, tuple[int, int], (2**62, 2**15 - 1))
    async with call.connection() as connection:
        rows = await transactions.page_of_member(connection, member_id, position, filter_, size + 1)
    return paged(rows, size, lambda row: (row["position"], row["ordinal"]))


def campaign_views(programme: Programme, view: MemberView) -> list[MemberCampaign]:
    """Return the campaigns that a member may see, with their progress."""
    compiled = programme.compiled.campaigns()
    states = progress_of(view)
    return [
        _campaign_view(programme, campaign_id, campaign, compiled.get(campaign_id), states.get(campaign_id, Progress()))
        for campaign_id, campaign in visible_campaigns(programme, groups_of(view), programme.now())
    ]


def _campaign_view(
    programme: Programme, campaign_id: str, campaign: Campaign, compiled: Compiled | None, progress: Progress
) -> MemberCampaign:
    now = programme.now()
    return MemberCampaign(
        campaign_id=campaign_id,
        name=campaign.name,
        subtitle=campaign.subtitle,
        description=campaign.description,
        type=campaign.type,
        media=campaign.media,
        starts_at=optional_time(campaign.start_date),
        ends_at=optional_time(campaign.end_date),
        enrolment=campaign.enrolment,
        completed=progress.completions > 0 if compiled is None else is_completed(compiled, progress, now),
        **({} if compiled is None else progress_fields(programme.compiled, compiled, progress, now)),
    )


async def own_notifications_page(call: Call) -> Page:
    """Return a page of the calling member's notifications, newest first, and how many are unread."""
    programme = await call.programme()
    page = call.page(tuple[int], (2**62,))
    async with call.connection() as connection:
        rows = await notifications.fetch_page(connection, member_id(call), *page.start, programme.now(), page.limit)
        unread = await notifications.unread_count(connection, member_id(call), programme.now())
    rows, cursor = page.cut(rows, lambda notification_row: (notification_row.sequence,))
    return NotificationList.of([notification_view(programme, row) for row in rows], unread=unread, cursor=cursor)
