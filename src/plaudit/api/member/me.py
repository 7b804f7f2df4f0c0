"""What members read about themselves: their profile, progress, and what is next."""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from plaudit.api.http.operations import PAGING, Call, Operation
from plaudit.api.http.wire import optional_time, time_text
from plaudit.api.identity.current_member import (
    is_visible_to,
    load_current_member,
    member_id,
    segments_of,
)
from plaudit.api.shared.member_pages import campaign_views, own_notifications_page, transactions_page
from plaudit.api.views.base import OpenObject, Page
from plaudit.api.views.competitions import score_decimals
from plaudit.api.views.member_api import (
    LadderPlace,
    MemberCampaignList,
    MemberCompetition,
    MemberCompetitionList,
    MemberLadderList,
    MemberMetric,
    MemberMetricList,
    MemberOverview,
    MemberProfile,
    MemberRewards,
    MemberSegment,
    MemberSegmentList,
    MemberStreakList,
    Offer,
    StreakStanding,
)
from plaudit.api.views.member_progress import mechanics_fields, profile_source
from plaudit.api.views.notification import NotificationList
from plaudit.api.views.profiles import (
    MetricBalance,
    balances_view,
    coupons_view,
    inventory_view,
    profile_view,
    with_written,
    written_fields,
)
from plaudit.api.views.transactions import TransactionList, transaction_view
from plaudit.core.commands.redemption import redemption_refusal
from plaudit.core.decision import Refusal
from plaudit.core.metrics import to_number
from plaudit.mechanics.competitions.compiled import competition_of
from plaudit.mechanics.competitions.state import KIND as COMPETITION
from plaudit.mechanics.ladders.compiled import ladders_in
from plaudit.mechanics.segments.compiled import segments_in
from plaudit.reads import leaderboards, notifications
from plaudit.reads.members import MemberView
from plaudit.storage.programmes import Programme


async def get_me(call: Call) -> OpenObject:
    """Everything at a glance."""
    programme, view = await load_current_member(call)
    async with call.connection() as connection:
        unread = await notifications.unread_count(connection, view.member_id, programme.now())
    return profile_view(programme, view, MemberOverview, unread_notifications=unread)


async def get_own_profile(call: Call) -> OpenObject:
    """What the member is known by; the books are elsewhere."""
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
    """The campaigns that are open to the member, with how far they are in each."""
    programme, view = await load_current_member(call)
    return MemberCampaignList.of(campaign_views(programme, view))


async def get_rewards(call: Call) -> MemberRewards:
    """What the member has, and what they could redeem: for how much, and if not, why not."""
    programme, view = await load_current_member(call)
    balances, inside = balances_view(programme, view), segments_of(view)
    available = [
        _offer(programme, view, product_id, balances)
        for product_id, product in programme.products.items()
        if product.status == "active" and programme.compiled.products[product_id].costs
        if is_visible_to(product.segments, inside)
    ]
    return MemberRewards(
        inventory=inventory_view(programme, view), coupons=coupons_view(programme, view), available=available
    )


def _offer(programme: Programme, view: MemberView, product_id: str, balances: Mapping[str, MetricBalance]) -> Offer:
    product, document = programme.compiled.products[product_id], programme.products[product_id]
    costs = {name: to_number(cost, programme.compiled.metrics[name].decimals) for name, cost in product.costs}
    had = sum(row["quantity"] for row in view.parts["holdings"] if row["product_id"] == product_id)
    refusal = redemption_refusal(product, programme.now(), had, 1, admitted=True)
    if refusal is None and any(balances[cost_id].available < cost for cost_id, cost in costs.items()):
        refusal = Refusal.balance_insufficient
    return Offer(
        product_id=product_id,
        name=product.name,
        description=document.description,
        type=product.type,
        media=document.media,
        costs=costs,
        redeemable=refusal is None,
        reason=refusal,
        starts_at=optional_time(product.starts_at),
        ends_at=optional_time(product.ends_at),
    )


async def get_metrics(call: Call) -> Page:
    """Each metric's balance: available, pending, expiring."""
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


async def get_segments(call: Call) -> Page:
    """The segments that the member is in."""
    programme, view = await load_current_member(call)
    segments = segments_in(programme.compiled)
    inside = sorted(segments_of(view) & segments.keys())
    return MemberSegmentList.of([MemberSegment(segment_id=name, name=segments[name].name) for name in inside])


async def get_ladders(call: Call) -> Page:
    """The rung on each ladder, what is missing to the next, and what keeps this one."""
    programme, view = await load_current_member(call)
    ladders = ladders_in(programme.compiled)
    shown = mechanics_fields(profile_source(programme.compiled, view), programme.now())["ladders"]
    return MemberLadderList.of(
        [
            LadderPlace(
                ladder_id=ladder_id,
                ladder=ladders[ladder_id].name,
                metric=ladders[ladder_id].metric,
                **structs.asdict(place),
            )
            for ladder_id, place in shown.items()
        ]
    )


async def get_streaks(call: Call) -> Page:
    """Each streak: how long, and until when it is to be extended. Those not begun are there too."""
    programme, view = await load_current_member(call)
    own = mechanics_fields(profile_source(programme.compiled, view), programme.now())["streaks"]
    return MemberStreakList.of(
        [
            StreakStanding(
                streak_id=streak_id,
                name=streak.name,
                cadence=streak.cadence,
                **(structs.asdict(own[streak_id]) if streak_id in own else _NOT_BEGUN),
            )
            for streak_id, streak in programme.compiled.mechanics["streak"].items()
            if streak.active or streak_id in own
        ]
    )


_NOT_BEGUN: dict[str, Any] = {
    "current": 0, "longest": 0, "alive": False, "freezes": 0, "extend_by": None, "broken_at": None,
}  # fmt: skip


async def get_competitions(call: Call) -> Page:
    """The competitions: the member's entries, or rank and score."""
    programme, view = await load_current_member(call)
    entries = {row["competition_id"]: row["entries"] for row in view.parts["entries"]}
    async with call.connection() as connection:
        standings = await leaderboards.standings_of(connection, view.member_id)
    inside = segments_of(view)
    shown: list[MemberCompetition] = []
    for competition_id, competition in programme.mechanics[COMPETITION].items():
        if competition.status not in ("active", "completed") or not is_visible_to(competition.segments, inside):
            continue
        place: dict[str, Any] = {"entries": entries.get(competition_id, 0)}
        if competition.score is not None:
            place = await _standing(call, programme, competition_id, standings.get(competition_id))
        shown.append(
            MemberCompetition(
                competition_id=competition_id,
                name=competition.name,
                status=competition.status,
                starts_at=optional_time(competition.start_date),
                ends_at=optional_time(competition.end_date),
                **place,
            )
        )
    return MemberCompetitionList.of(shown)


async def _standing(
    call: Call, programme: Programme, competition_id: str, part: tuple[str, str] | None
) -> dict[str, Any]:
    nowhere: dict[str, Any] = {"rank": None, "score": None, "of": None, "scope": None}
    if part is None:
        return nowhere
    competition = competition_of(programme.compiled, competition_id)
    assert competition is not None
    scope = part[0] if competition.scope_field is not None or competition.league is not None else None
    board = await call.services.boards.board(call.org_id, competition_id, scope, part[1])
    places = board.among([call.user_id])
    if not places:
        return nowhere
    score = to_number(places[0].score, score_decimals(programme.compiled, competition))
    return {"rank": places[0].rank, "score": score, "of": len(board), "scope": scope}


async def get_own_transactions(call: Call) -> Page:
    """A page of the member's transactions, the newest first."""
    programme = await call.programme()
    page, cursor = await transactions_page(call, member_id(call), call.query.get("cursor", ""))
    return TransactionList.of([transaction_view(programme, row) for row in page], cursor=cursor)


_OWN: dict[str, Any] = {"scope": None, "member": True, "tag": "Member API"}
_LISTS = {
    "campaigns": ("listMyCampaigns", "List the member's campaigns with progress", get_campaigns, MemberCampaignList),
    "metrics": ("listMyMetrics", "List the member's balances", get_metrics, MemberMetricList),
    "segments": ("listMySegments", "List the member's segments", get_segments, MemberSegmentList),
    "ladders": ("listMyLadders", "List the member's rungs and what is next", get_ladders, MemberLadderList),
    "streaks": ("listMyStreaks", "List the member's streaks", get_streaks, MemberStreakList),
    "competitions": (
        "listMyCompetitions",
        "List the member's competitions, with rank or entries",
        get_competitions,
        MemberCompetitionList,
    ),
}

OPERATIONS = [
    Operation(
        name="getMe", method="GET", path="/api/loyalty/me", summary="Get the member's overview", run=get_me,
        answer=MemberOverview, **_OWN,
    ),
    Operation(
        name="getMyProfile", method="GET", path="/api/loyalty/me/profile", summary="Get the member's profile fields",
        run=get_own_profile, answer=MemberProfile, **_OWN,
    ),
    *(
        Operation(
            name=name, method="GET", path=f"/api/loyalty/me/{items}", summary=summary, run=run,
            answer=answer, **_OWN,
        )
        for items, (name, summary, run, answer) in _LISTS.items()
    ),
    Operation(
        name="getMyRewards", method="GET", path="/api/loyalty/me/rewards",
        summary="Get what the member owns and can redeem", run=get_rewards,
        answer=MemberRewards, **_OWN,
    ),
    Operation(
        name="listMyNotifications", method="GET", path="/api/loyalty/me/notifications",
        summary="List the member's notifications", run=own_notifications_page,
        answer=NotificationList, query=PAGING, **_OWN,
    ),
    Operation(
        name="listMyTransactions", method="GET", path="/api/loyalty/me/transactions",
        summary="List the member's transactions", run=get_own_transactions,
        answer=TransactionList, query=PAGING, **_OWN,
    ),
]  # fmt: skip
