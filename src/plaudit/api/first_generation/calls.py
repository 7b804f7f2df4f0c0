"""The first-generation member API. A campaign is a challenge, its steps are missions, and products are inventory."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, field

from plaudit.api.http.etags import etag_response
from plaudit.api.http.operations import Call, Operation, OperationResult, Parameter
from plaudit.api.identity.current_member import (
    groups_of,
    load_current_member,
    member_id,
    progress_of,
    visible_campaigns,
)
from plaudit.api.views.first_generation import (
    HistoryType,
    LoyaltyChallenge,
    LoyaltyConfig,
    LoyaltyCoupon,
    LoyaltyHistoryEntry,
    LoyaltyInventorySet,
    LoyaltyItem,
    LoyaltyMessage,
    LoyaltyMetric,
    LoyaltyMission,
    LoyaltyNotification,
    LoyaltyProfile,
    LoyaltyProgress,
    LoyaltyReward,
    LoyaltyTime,
    challenge_id,
    mission_id,
    payload_view,
    set_of,
    set_title,
)
from plaudit.api.views.notification import ReadCount, ReadMarker, post_read, unread_of
from plaudit.core.change_summary import ChangeSummary
from plaudit.core.effects.effect_type import Preview
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.event import MEMBER
from plaudit.core.ids import derived_id
from plaudit.core.member import Progress
from plaudit.core.metrics import to_number
from plaudit.core.program import Campaign as Compiled
from plaudit.core.progress import is_completed, progress_at
from plaudit.core.triggers import TriggerName
from plaudit.documents.campaign import Campaign
from plaudit.documents.effect import EffectSpec
from plaudit.documents.reward import preview_reward
from plaudit.documents.rule import Rule
from plaudit.errors import FieldError, Forbidden, PlauditError, invalid_fields
from plaudit.ingest.action import Action
from plaudit.ingest.actions import store_arrival, to_arrival
from plaudit.reads import history as log
from plaudit.reads.history import HistoryEntry
from plaudit.reads.notifications import NotificationRow
from plaudit.storage.programmes import Programme

from .coupons import Coupons, coupons_of, get_coupon

SAFE_INTEGER = 2**53 - 1  # the largest integer that all JSON parsers read exactly; stands for "no bound"
TEXT_MAX = 1_024
CONFIG_SECONDS = 30
_TYPE_OF_NOTE = {"campaign.completed": "challengeCompleted", "step.completed": "missionCompleted"}
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # stands for "no end"
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------------ config


async def get_config(call: Call) -> OperationResult:
    """Return metrics, inventory and challenges: those for everybody, or for the calling member."""
    assert call.caller is not None
    if call.caller.user_id is None:
        programme, groups, scope = await call.programme(), frozenset[str](), "public"
    else:
        programme, view = await load_current_member(call)
        groups, scope = groups_of(view), "private"
    rules: dict[str, list[Rule]] = defaultdict(list)
    for rule in programme.rules.values():
        rules[rule.campaign_id].append(rule)
    data = LoyaltyConfig(
        metrics=[_metric(programme, metric_id) for metric_id in programme.metrics],
        inventory=_inventory(programme),
        challenges=[
            _challenge(programme, campaign_id, campaign, rules[campaign_id])
            for campaign_id, campaign in visible_campaigns(programme, groups, programme.now())
        ],
    )
    return etag_response(call, data, f"{scope}, max-age={CONFIG_SECONDS}")


def _metric(programme: Programme, metric_id: str) -> LoyaltyMetric:
    document = programme.metrics[metric_id]
    return LoyaltyMetric(
        id=metric_id,
        title=document.name,
        media=document.media or "",
        default_value=document.default,
        minimum_value=-SAFE_INTEGER if document.minimum is None else document.minimum,
        maximum_value=SAFE_INTEGER if document.maximum is None else document.maximum,
    )


def _inventory(programme: Programme) -> list[LoyaltyInventorySet]:
    sets: dict[str, list[LoyaltyItem]] = {}
    for product_id, product in programme.products.items():
        if product.status == "active":
            item = LoyaltyItem(id=product_id, title=product.name, media=product.media or "")
            sets.setdefault(set_of(programme, product_id), []).append(item)
    return [LoyaltyInventorySet(id=set_id, title=set_title(set_id), items=items) for set_id, items in sets.items()]


def _challenge(programme: Programme, campaign_id: str, campaign: Campaign, rules: Sequence[Rule]) -> LoyaltyChallenge:
    start, end = campaign.start_date, campaign.end_date
    has_dates = start is not None or end is not None
    return LoyaltyChallenge(
        id=challenge_id(programme, campaign_id),
        title=campaign.name,
        subtitle=campaign.subtitle or campaign.description or "",
        notification=_notification_view(programme, campaign.notification, campaign.name),
        show_in_profile=campaign.show_in_profile,
        show_in_rail=campaign.show_in_rail,
        time=LoyaltyTime(
            show_in_ui=campaign.show_dates and has_dates,
            since=int((EARLIEST if start is None else start).timestamp()),
            until=int((LAST if end is None else end).timestamp()),
        ),
        missions=_missions(programme, campaign_id, campaign, rules),
        rewards=[reward for effect in _effects(campaign, rules) for reward in _rewards(programme, effect)],
    )


def _missions(
    programme: Programme, campaign_id: str, campaign: Campaign, rules: Sequence[Rule]
) -> list[LoyaltyMission]:
    """Return the missions of a campaign. Without steps, the campaign is one mission."""
    if campaign.steps:
        parts = [(step.name, step.triggers, step.notification) for step in campaign.steps]
    else:
        triggers = campaign.triggers or [rule.trigger_type for rule in rules]
        parts = [(campaign.name, triggers, None)]
    return [
        LoyaltyMission(
            id=mission_id(programme, campaign_id, number),
            title=name,
            type=next((trigger if isinstance(trigger, str) else trigger.type for trigger in triggers), ""),
            notification=_notification_view(programme, notification, name),
        )
        for number, (name, triggers, notification) in enumerate(parts)
    ]


def _notification_view(programme: Programme, note: Any, name: str) -> LoyaltyMessage:
    """Return the notification as far as it is known before it is sent."""
    if note is None:
        return LoyaltyMessage(display="none", title=name, message="")
    if note.template_id is None:
        return LoyaltyMessage(display=note.display, title=note.title or name, message=note.message)
    template = programme.templates[note.template_id]
    texts = template.texts[template.default_locale]
    return LoyaltyMessage(display=template.display, title=texts.title or name, message=texts.message)


def _effects(campaign: Campaign, rules: Sequence[Rule]) -> list[EffectSpec]:
    effects = [effect for step in campaign.steps for effect in step.effects] + campaign.effects
    return effects + [effect for rule in rules for effect in rule.effects]


def _rewards(programme: Programme, effect: EffectSpec) -> list[LoyaltyReward]:
    def previews_of_reward(reward_id: str) -> Sequence[Preview]:
        reward = programme.rewards.get(reward_id)
        return () if reward is None else preview_reward(reward_id, reward)

    try:
        settings = effect.settings()
    except (KeyError, PlauditError):  # the campaign was stored by an earlier version and is out of force
        return []
    previews = EFFECTS[effect.type].preview(settings, previews_of_reward)
    return [_reward(programme, preview) for preview in previews]


def _reward(programme: Programme, preview: Preview) -> LoyaltyReward:
    match preview.kind:
        case "metric":
            quantity = UNSET if preview.amount is None else preview.amount
            return LoyaltyReward(type="metric", metric_id=preview.id, metric_quantity=quantity)
        case "product":
            inventory_set = set_of(programme, preview.id)
            return LoyaltyReward(type="inventory", inventory_set_id=inventory_set, inventory_item_id=preview.id)
        case "coupon":
            return LoyaltyReward(type="coupon", coupon_id=preview.id)


# ----------------------------------------------------------------------------------------------------------- profile


async def get_profile(call: Call) -> LoyaltyProfile:
    """Return the member's balances, items and completed challenges."""
    programme, view = await load_current_member(call)
    amounts = {row["metric"]: row["amount"] for row in view.parts["balances"]}
    campaigns = programme.compiled.campaigns()
    inventory: dict[str, list[str]] = {}
    for row in view.parts["holdings"]:
        inventory.setdefault(set_of(programme, row["product_id"]), []).append(row["product_id"])
    return LoyaltyProfile(
        metrics={
            metric_id: to_number(amounts.get(metric_id, metric.default), metric.decimals)
            for metric_id, metric in programme.compiled.metrics.items()
        },
        inventory=inventory,
        challenges={
            challenge_id(programme, key): _progress(programme, key, campaigns.get(key), state)
            for key, state in progress_of(view).items()
            if key in programme.campaigns
        },
    )


def _progress(programme: Programme, campaign_id: str, campaign: Compiled | None, stored: Progress) -> LoyaltyProgress:
    completed, progress = stored.completions > 0, stored
    if campaign is not None:
        now = programme.now()
        completed = is_completed(campaign, stored, now)
        progress = progress_at(campaign, stored, now, programme.compiled.settings.time_zone)
    count = max(len(programme.campaigns[campaign_id].steps), 1)
    done = [number for number, step in progress.steps.items() if step.done_at is not None]
    if completed and not done:  # it was restarted, or has no steps: all missions are completed
        done = list(range(count))
    missions = [mission_id(programme, campaign_id, number) for number in sorted(done) if number < count]
    return LoyaltyProgress(is_completed=completed, missions_completed=missions)


# ----------------------------------------------------------------------------------------- notifications and history

_NO_CHANGES = ChangeSummary()


async def get_notifications(call: Call) -> list[LoyaltyNotification]:
    """Return the member's unread notifications, oldest first. This does not mark them as read."""
    programme, notes = await unread_of(call)
    coupons = await coupons_of(call)
    done = {(note.cause, note.created_at): note.step for note in notes if note.type == "step.completed"}
    return [_note_view(programme, note, done.get((note.cause, note.created_at)), coupons) for note in notes]


def _note_view(programme: Programme, note: NotificationRow, step: int | None, coupons: Coupons) -> LoyaltyNotification:
    achieved = _achieved(programme, note.cause.campaign_id, step if note.step is None else note.step)
    return LoyaltyNotification(
        id=str(note.notification_id),
        timestamp=int(note.created_at.timestamp()),
        type=_TYPE_OF_NOTE.get(note.type, note.type),
        display=note.display,
        title=note.title or "",
        message=note.message,
        payload=payload_view(programme, note.changes, achieved, coupons.get((note.cause, note.created_at))),
    )


def _achieved(programme: Programme, campaign_id: str | None, step: int | None) -> tuple[str, str] | None:
    if campaign_id is None or campaign_id not in programme.campaigns:
        return None
    last = max(len(programme.campaigns[campaign_id].steps), 1) - 1
    done = last if step is None else step  # a completed challenge counts as its last mission
    return challenge_id(programme, campaign_id), mission_id(programme, campaign_id, done)


async def get_history(call: Call) -> list[LoyaltyHistoryEntry]:
    """Return achievements and rewards from `from` to `to` (UNIX seconds, inclusive), in chronological order."""
    since, until = _instant(call, "from", EARLIEST), _instant(call, "to", LATEST)
    programme = await call.programme()
    coupons = await coupons_of(call)

    def is_shown(entry: HistoryEntry) -> bool:
        """Return whether an entry shows anything. Most decisions of mechanics and commands do not."""
        return (
            entry.changes != _NO_CHANGES
            or _achieved_by(programme, entry) is not None
            or (entry.cause, entry.at) in coupons
        )

    async with call.connection() as connection:
        entries = await log.history(connection, member_id(call), since, until + timedelta(seconds=1), is_shown)
    return [_entry_view(programme, entry, coupons) for entry in entries]


def _instant(call: Call, name: str, default: datetime) -> datetime:
    text = call.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > LATEST.timestamp():
        raise invalid_fields([FieldError(name, "must be a UNIX time in whole seconds")])
    return datetime.fromtimestamp(int(text), UTC)


def _achieved_by(programme: Programme, entry: HistoryEntry) -> tuple[str, str] | None:
    return _achieved(programme, entry.cause.campaign_id, entry.step) if entry.fired else None


def _entry_view(programme: Programme, entry: HistoryEntry, coupons: Coupons) -> LoyaltyHistoryEntry:
    achieved = _achieved_by(programme, entry)
    return LoyaltyHistoryEntry(
        id=str(entry.entry_id),
        timestamp=int(entry.at.timestamp()),
        type=_type_of(entry, achieved),
        payload=payload_view(programme, entry.changes, achieved, coupons.get((entry.cause, entry.at))),
    )


def _type_of(entry: HistoryEntry, achieved: tuple[str, str] | None) -> HistoryType:
    if achieved is not None:
        return "challengeCompleted" if entry.completed else "missionCompleted"
    if entry.changes.items:
        return "inventoryChanged"
    return "metricChanged" if entry.changes.metrics else "milestoneChanged"


# ----------------------------------------------------------------------------------------------- coupons and actions


class MemberAction(Struct, kw_only=True, forbid_unknown_fields=True):
    """An action that a member reports. Without `action`, nothing is reported."""

    action: TriggerName | None = None
    data: Annotated[dict[str, Annotated[str, Meta(max_length=TEXT_MAX)] | int | float | bool], Meta(max_length=100)] = (
        field(default_factory=dict[str, Any])
    )


async def post_action(call: Call) -> OperationResult:
    """Store the action before the response is sent. Notifications, history and profile show its results later."""
    body: MemberAction = call.body
    if body.action is None:
        return OperationResult(data=None, status=200, content=b"")
    programme = await call.programme()
    trigger = programme.triggers.get(body.action)
    if trigger is None or not trigger.open_to_members:
        raise Forbidden(
            "Members may not report this action: its trigger needs openToMembers", code="not_open_to_members"
        )
    action = Action(action=body.action, user_id=call.user_id, data=body.data)
    key = None if call.idempotency_key is None else str(derived_id(member_id(call), f"action:{call.idempotency_key}"))
    arrival = to_arrival(programme, action, call.user_id, key, call.correlation_id, source=MEMBER)
    await store_arrival(call.services.inbox, arrival)
    return OperationResult(data=None, status=200, content=b"")


_TIME = {"type": "integer", "minimum": 0, "maximum": int(LATEST.timestamp())}
_MEMBERS: dict[str, Any] = {"scope": None, "member": True, "tag": "Member API, first generation"}

OPERATIONS = [
    Operation(
        name="getLoyaltyConfig", method="GET", path="/api/loyalty/config", summary="Get the loyalty configuration",
        run=get_config, anonymous=True, response=LoyaltyConfig, other_statuses=(304,), **_MEMBERS,
    ),
    Operation(
        name="getLoyaltyProfile", method="GET", path="/api/loyalty/profile",
        summary="Get the member's rewards profile", run=get_profile, response=LoyaltyProfile, **_MEMBERS,
    ),
    Operation(
        name="listUnreadNotifications", method="GET", path="/api/loyalty/notifications",
        summary="List unread notifications", run=get_notifications, response=list[LoyaltyNotification],
        **_MEMBERS,
    ),
    Operation(
        name="markNotificationsRead", method="POST", path="/api/loyalty/notifications/read",
        summary="Mark notifications as read", description="Those listed, all up to a given notification, or all.", run=post_read,
        body=ReadMarker, response=ReadCount, errors=(400, 413), **_MEMBERS,
    ),
    Operation(
        name="listLoyaltyHistory", method="GET", path="/api/loyalty/history", summary="List achievements and rewards",
        run=get_history, response=list[LoyaltyHistoryEntry], **_MEMBERS, query=(
            Parameter("from", "Start, in UNIX seconds (inclusive)", _TIME), Parameter("to", "End, in UNIX seconds (inclusive)", _TIME),
        ),
    ),
    Operation(
        name="getCoupon", method="GET", path="/api/loyalty/coupons/{couponId}", summary="Get a coupon of the member",
        run=get_coupon, response=LoyaltyCoupon, **_MEMBERS,
    ),
    Operation(
        name="reportMyAction", method="POST", path="/api/loyalty/action", summary="Report an action as the member",
        run=post_action, body=MemberAction, errors=(400, 413), **_MEMBERS,
    ),
]  # fmt: skip
