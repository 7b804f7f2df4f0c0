"""The calling member's profile, balances, and progress in campaigns and mechanics."""

from msgspec import structs

from plaudit.api.http.operations import Call, Operation
from plaudit.api.http.wire import time_text
from plaudit.api.identity.current_member import OWN, load_current_member
from plaudit.api.shared.member_pages import campaign_views
from plaudit.api.views.base import OpenObject, Page, page_of
from plaudit.api.views.member_api import (
    MemberCampaignList,
    MemberMetric,
    MemberMetricList,
    MemberOverview,
    MemberProfile,
)
from plaudit.api.views.member_progress import profile_source
from plaudit.api.views.profiles import balances_view, profile_view, with_written, written_fields
from plaudit.mechanics.base import Mechanic
from plaudit.mechanics.registry import MECHANICS
from plaudit.reads import notifications


async def get_me(call: Call) -> OpenObject:
    """Return the member's complete profile and the number of unread notifications."""
    programme, view = await load_current_member(call)
    async with call.connection() as connection:
        unread = await notifications.unread_count(connection, view.member_id, programme.now())
    return profile_view(programme, view, MemberOverview, unread_notifications=unread)


async def get_own_profile(call: Call) -> OpenObject:
    """Return the member's profile fields, without balances and other computed ones."""
    programme, view = await load_current_member(call)
    return with_written(
        MemberProfile,
        written_fields(view),
        user_id=view.user_id,
        custom_fields=programme.profiles.custom_of(view.attributes),
        enrolled_at=time_text(view.enrolled_at),
        last_active_at=time_text(view.active_at or view.enrolled_at),
    )


async def get_campaigns(call: Call) -> Page:
    """Return the campaigns that the member may see, with progress."""
    programme, view = await load_current_member(call)
    return MemberCampaignList.of(campaign_views(programme, view))


async def get_metrics(call: Call) -> Page:
    """Return the member's balance of each metric."""
    programme, view = await load_current_member(call)
    metrics = programme.metrics
    return MemberMetricList.of(
        [
            MemberMetric(
                metric_id=metric_id,
                name=metrics[metric_id].name,
                media=metrics[metric_id].media,
                **structs.asdict(balance),
            )
            for metric_id, balance in balances_view(programme, view).items()
        ]
    )


def _lists_of(mechanic: Mechanic) -> list[Operation]:
    """Return the operation that lists a mechanic's documents with the member's state, if members see any."""
    if mechanic.own_view is None:
        return []
    noun = mechanic.document.title.title().replace(" ", "")
    response = page_of(mechanic.own_view, mechanic.collection, name=f"Member{noun}List", paged=False)

    async def run(call: Call) -> Page:
        programme, view = await load_current_member(call)
        member = profile_source(programme.compiled, view).member
        return response.of(mechanic.own_views(programme.compiled, member, programme.now()))

    return [
        Operation(
            name=f"listMy{mechanic.collection.capitalize()}", method="GET", path=f"/api/loyalty/me/{mechanic.collection}",
            summary=mechanic.own_summary or f"List the member's {mechanic.collection}", run=run, response=response, **OWN,
        )
    ]  # fmt: skip


OPERATIONS = [
    Operation(
        name="getMe", method="GET", path="/api/loyalty/me", summary="Get the member's overview", run=get_me,
        response=MemberOverview, **OWN,
    ),
    Operation(
        name="getMyProfile", method="GET", path="/api/loyalty/me/profile", summary="Get the member's profile fields",
        run=get_own_profile, response=MemberProfile, **OWN,
    ),
    Operation(
        name="listMyCampaigns", method="GET", path="/api/loyalty/me/campaigns",
        summary="List the member's campaigns with progress", run=get_campaigns, response=MemberCampaignList, **OWN,
    ),
    Operation(
        name="listMyMetrics", method="GET", path="/api/loyalty/me/metrics", summary="List the member's balances",
        run=get_metrics, response=MemberMetricList, **OWN,
    ),
    *(operation for mechanic in MECHANICS.in_order_of_views() for operation in _lists_of(mechanic)),
]  # fmt: skip
