"""The first generation: a campaign is a challenge, its steps are missions, products are inventory, ladders milestones."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from plaudit import telemetry
from plaudit.api.actions import Action, arrival_for
from plaudit.api.conditional import conditional
from plaudit.api.membership import member_id, member_of, progress_of, segments_of, visible_campaigns
from plaudit.api.notifying import ReadBody, post_read, unread_of
from plaudit.api.operations import Answer, Call, Operation, Parameter
from plaudit.api.outside import Json, uuid_in
from plaudit.api.schemas import BOOLEAN, INTEGER, NUMBER, OBJECT, OBJECTS, TEXT, object_of
from plaudit.core.ids import derived_id
from plaudit.core.member import Progress
from plaudit.core.metrics import shown
from plaudit.documents.campaign import Campaign
from plaudit.documents.effect import EffectSpec
from plaudit.documents.rule import Rule
from plaudit.errors import FieldError, Forbidden, NotFound, invalid_fields
from plaudit.reads import history as log
from plaudit.reads.history import Entry
from plaudit.reads.notifications import Note
from plaudit.storage.programs import Live

from .changes import mission_id, set_of, shown_changes

SAFE_INTEGER = 2**53 - 1  # the largest that every JSON reader reads exactly: how "no bound" looks where a bound must be
TEXT_MAX = 1_024
CONFIG_SECONDS = 30
_TYPE_OF_NOTE = {"campaign.completed": "challengeCompleted", "step.completed": "missionCompleted"}
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------------------ config


async def get_config(call: Call) -> Answer:
    """Metrics, inventory and challenges: for everybody, or for the member who asks."""
    assert call.caller is not None
    if call.caller.user_id is None:
        live, inside, scope = await call.services.programs.live(call.org_id), frozenset[str](), "public"
    else:
        live, view = await member_of(call)
        inside, scope = segments_of(view), "private"
    rules: dict[str, list[Rule]] = defaultdict(list)
    for rule in live.rules.values():
        rules[rule.campaign_id].append(rule)
    data = {
        "metrics": [_metric(live, metric_id) for metric_id in live.metrics],
        "inventory": _inventory(live),
        "challenges": [
            _challenge(live, campaign_id, campaign, rules[campaign_id])
            for campaign_id, campaign in visible_campaigns(live, inside, live.now())
        ],
    }
    return conditional(call, data, f"{scope}, max-age={CONFIG_SECONDS}")


def _metric(live: Live, metric_id: str) -> Json:
    document = live.metrics[metric_id]
    return {
        "id": metric_id,
        "title": document.name,
        "media": document.media or "",
        "defaultValue": document.default,
        "minimumValue": -SAFE_INTEGER if document.minimum is None else document.minimum,
        "maximumValue": SAFE_INTEGER if document.maximum is None else document.maximum,
    }


def _inventory(live: Live) -> list[Json]:
    sets: dict[str, list[Json]] = {}
    for product_id, product in live.products.items():
        if product.status == "active":
            item = {"id": product_id, "title": product.name, "media": product.media or ""}
            sets.setdefault(set_of(live, product_id), []).append(item)
    return [{"id": one, "title": one, "items": items} for one, items in sets.items()]


def _challenge(live: Live, campaign_id: str, campaign: Campaign, rules: Sequence[Rule]) -> Json:
    dates = {
        name: int(at.timestamp())
        for name, at in (("from", campaign.start_date), ("to", campaign.end_date))
        if at is not None
    }
    return {
        "id": campaign_id,
        "title": campaign.name,
        "subtitle": campaign.subtitle or campaign.description or "",
        "notification": _shown_notification(live, campaign.notification, campaign.name),
        "showInProfile": campaign.show_in_profile,
        "showInRail": campaign.show_in_rail,
        "time": {"showInUI": campaign.show_dates and bool(dates), **dates},
        "missions": _missions(live, campaign_id, campaign, rules),
        "rewards": [reward for one in _effects(campaign, rules) for reward in _rewards(live, one)],
    }


def _missions(live: Live, campaign_id: str, campaign: Campaign, rules: Sequence[Rule]) -> list[Json]:
    """A campaign without steps is one mission."""
    if campaign.steps:
        parts = [(step.name, step.triggers, step.notification) for step in campaign.steps]
    else:
        triggers = campaign.triggers or [rule.trigger_type for rule in rules]
        parts = [(campaign.name, triggers, None)]
    return [
        {
            "id": mission_id(live, campaign_id, number),
            "title": name,
            "type": next((one if isinstance(one, str) else one.type for one in triggers), ""),
            "notification": _shown_notification(live, notification, name),
        }
        for number, (name, triggers, notification) in enumerate(parts)
    ]


def _shown_notification(live: Live, note: Any, name: str) -> Json:
    """What will be shown, as far as it is known beforehand."""
    if note is None:
        return {"display": "none", "title": name, "message": ""}
    if note.template_id is None:
        return {"display": note.display, "title": note.title or name, "message": note.message}
    template = live.templates[note.template_id]
    texts = template.texts[template.default_locale]
    return {"display": template.display, "title": texts.title or name, "message": texts.message}


def _effects(campaign: Campaign, rules: Sequence[Rule]) -> list[EffectSpec]:
    found = [effect for step in campaign.steps for effect in step.effects] + campaign.effects
    return found + [effect for rule in rules for effect in rule.effects]


def _rewards(live: Live, effect: EffectSpec) -> list[Json]:
    config = effect.config
    match effect.type:
        case "add_points" | "add_metric":
            amount = config["amount"]
            quantity = {} if isinstance(amount, str) else {"metricQuantity": amount}  # a formula says it at the time
            return [{"type": "metric", "metricId": config.get("metric", "points"), **quantity}]
        case "award_product":
            return [_item(live, config["productId"])]
        case "grant_reward":
            return _of_reward(live, config["rewardId"])
        case "issue_coupon":
            return [{"type": "coupon"}]
        case _:
            return []


def _item(live: Live, product_id: str) -> Json:
    return {"type": "inventory", "inventorySetId": set_of(live, product_id), "inventoryItemId": product_id}


def _of_reward(live: Live, reward_id: str) -> list[Json]:
    reward = live.rewards.get(reward_id)
    match reward.reward_type if reward is not None else None:
        case "points":
            assert reward is not None
            return [{"type": "metric", "metricId": "points", "metricQuantity": reward.config["amount"]}]
        case "product":
            assert reward is not None
            return [_item(live, reward.config["productId"])]
        case "unique_coupon" | "non_unique_coupon":
            return [{"type": "coupon"}]
        case _:
            return []


# ----------------------------------------------------------------------------------------------------------- profile


async def get_profile(call: Call) -> Json:
    """Balances, items, and what is completed."""
    live, view = await member_of(call)
    amounts = {row["metric"]: row["amount"] for row in view.parts["balances"]}
    inventory: dict[str, list[str]] = {}
    for row in view.parts["holdings"]:
        inventory.setdefault(set_of(live, row["product_id"]), []).append(row["product_id"])
    return {
        "metrics": {
            one: shown(amounts.get(one, metric.default), metric.decimals)
            for one, metric in live.program.metrics.items()
        },
        "inventory": inventory,
        "challenges": {
            one: _progress(live, one, state) for one, state in progress_of(view).items() if one in live.campaigns
        },
    }


def _progress(live: Live, campaign_id: str, progress: Progress) -> Json:
    completed = progress.completions > 0
    count = max(len(live.campaigns[campaign_id].steps), 1)
    done = [number for number, step in progress.steps.items() if step.done_at is not None]
    if completed and not done:  # it has begun anew, or has no steps: all there is to it has been done
        done = list(range(count))
    missions = [mission_id(live, campaign_id, number) for number in sorted(done) if number < count]
    return {"isCompleted": completed, "missionsCompleted": missions}


# ----------------------------------------------------------------------------------------- notifications and history


async def get_notifications(call: Call) -> list[Json]:
    """What the member has not read, the oldest first. Reading does not consume."""
    live, notes = await unread_of(call)
    return [shown_note(live, one) for one in notes]


def shown_note(live: Live, note: Note) -> Json:
    """A notification of the first generation."""
    return {
        "id": str(note.notification_id),
        "timestamp": int(note.created_at.timestamp()),
        "type": _TYPE_OF_NOTE.get(note.type, note.type),
        "display": note.display,
        "title": note.title or "",
        "message": note.message,
        "payload": {**_achieved(live, note.campaign_id, note.step), **shown_changes(live, note.changes)},
    }


def _achieved(live: Live, campaign_id: str, step: int | None) -> Json:
    if campaign_id not in live.campaigns:
        return {}
    return {"challengeId": campaign_id} | ({} if step is None else {"missionId": mission_id(live, campaign_id, step)})


async def get_history(call: Call) -> list[Json]:
    """Achievements and rewards from `from` to `to` (UNIX seconds, both inside), in the order of time."""
    since, until = _instant(call, "from", EARLIEST), _instant(call, "to", LATEST)
    live = await call.services.programs.live(call.org_id)
    async with call.services.pool.acquire() as connection:
        entries = await log.history(connection, member_id(call), since, until + timedelta(seconds=1))
    return [_shown_entry(live, one) for one in entries]


def _instant(call: Call, name: str, otherwise: datetime) -> datetime:
    given = call.query.get(name)
    if given is None:
        return otherwise
    if not given.isascii() or not given.isdigit() or int(given) > LATEST.timestamp():
        raise invalid_fields([FieldError(name, "must be a time in UNIX seconds")])
    return datetime.fromtimestamp(int(given), UTC)


def _shown_entry(live: Live, entry: Entry) -> Json:
    achieved = _achieved(live, entry.campaign_id, entry.step) if entry.fired else {}
    return {
        "id": str(entry.entry_id),
        "timestamp": int(entry.at.timestamp()),
        "type": _type_of(entry, achieved),
        "payload": {**achieved, **shown_changes(live, entry.changes)},
    }


def _type_of(entry: Entry, achieved: Json) -> str:
    if achieved:
        return "challengeCompleted" if entry.completed else "missionCompleted"
    if entry.changes.items:
        return "inventoryChanged"
    return "metricChanged" if entry.changes.metrics else "milestoneChanged"


# ----------------------------------------------------------------------------------------------- coupons and actions


async def get_coupon(call: Call) -> Json:
    """A coupon of the member's own."""
    live, view = await member_of(call)
    coupon_id = uuid_in(call.path["couponId"], "")
    row = next((one for one in view.parts["coupons"] if one["coupon_id"] == coupon_id), None)
    if row is None:
        raise NotFound("Coupon not found", code="coupon_not_found")
    origin = live.rewards.get(row["origin_id"]) or live.products.get(row["origin_id"])
    return {
        "id": str(row["coupon_id"]),
        "title": row["origin_id"] if origin is None else origin.name,
        "link": "" if origin is None else origin.link or "",
        "coupon_id": row["origin_id"],
        "coupon_type": "non_unique_coupon" if row["pool_id"] is None else "unique_coupon",
        "coupon_code": row["code"],
        "showOnNotification": True,
    }


class OwnAction(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a member reports of themselves."""

    action: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
    data: Annotated[dict[str, Annotated[str, Meta(max_length=TEXT_MAX)] | int | float | bool], Meta(max_length=100)] = (
        field(default_factory=dict[str, Any])
    )


async def post_action(call: Call) -> Answer:
    """Durable before it is answered; what follows is seen by notifications, history and profile."""
    body: OwnAction = call.body
    live = await call.services.programs.live(call.org_id)
    trigger = live.triggers.get(body.action)
    if trigger is None or not trigger.open_to_members:
        raise Forbidden("This action is not one that members may report themselves", code="not_open_to_members")
    action = Action(action=body.action, user_id=call.member, data=body.data)
    key = None if call.once is None else str(derived_id(member_id(call), f"action:{call.once}"))
    await call.services.inbox.append([arrival_for(live, action, call.member, key, call.correlation_id)])
    telemetry.actions_accepted.inc()
    return Answer(data=None, status=200, content=b"")


_CHANGES = {"challengeId": TEXT, "missionId": TEXT}
_PAYLOAD = object_of({"metricChanges": OBJECT, "inventoryChanges": OBJECT, "milestoneChanges": OBJECT}, _CHANGES)
_ENTRY = object_of({"id": TEXT, "timestamp": INTEGER, "type": TEXT, "payload": _PAYLOAD})
_NOTE = object_of(
    {"id": TEXT, "timestamp": INTEGER, "type": TEXT, "display": TEXT, "title": TEXT, "message": TEXT, "payload": _PAYLOAD}
)  # fmt: skip
_TIME = {"type": "integer", "minimum": 0, "maximum": int(LATEST.timestamp())}
_MEMBERS: dict[str, Any] = {"scope": None, "member": True, "tag": "Members, first generation"}

OPERATIONS = [
    Operation(
        method="GET", path="/api/loyalty/config", summary="Metrics, inventory, challenges", run=get_config, anonymous=True,
        answer=object_of({"metrics": OBJECTS, "inventory": OBJECTS, "challenges": OBJECTS}), also=(304,), **_MEMBERS,
    ),
    Operation(
        method="GET", path="/api/loyalty/profile", summary="Balances, items, what is completed", run=get_profile, **_MEMBERS,
        answer=object_of({"metrics": {"type": "object", "additionalProperties": NUMBER}, "inventory": OBJECT, "challenges": OBJECT}),
    ),
    Operation(
        method="GET", path="/api/loyalty/notifications", summary="What the member has not read", run=get_notifications,
        answer={"type": "array", "items": _NOTE}, **_MEMBERS,
    ),
    Operation(
        method="POST", path="/api/loyalty/notifications/read", summary="Mark notifications as read: these, all up to one, or all",
        run=post_read, body=ReadBody, answer=object_of({"read": INTEGER, "unread": INTEGER}),
        errors=(400, 413), **_MEMBERS,
    ),
    Operation(
        method="GET", path="/api/loyalty/history", summary="Achievements and rewards, in the order of time", run=get_history,
        answer={"type": "array", "items": _ENTRY}, **_MEMBERS,
        query=(
            Parameter("from", "UNIX seconds; from then on.", _TIME), Parameter("to", "UNIX seconds; up to and with then.", _TIME),
        ),
    ),
    Operation(
        method="GET", path="/api/loyalty/coupons/{couponId}", summary="One of the member's coupons", run=get_coupon,
        answer=object_of(
            {"id": TEXT, "title": TEXT, "link": TEXT, "coupon_id": TEXT, "coupon_type": TEXT, "coupon_code": TEXT,
             "showOnNotification": BOOLEAN}
        ), **_MEMBERS,
    ),
    Operation(
        method="POST", path="/api/loyalty/action", summary="Report an action of one's own", run=post_action, body=OwnAction,
        errors=(400, 413), **_MEMBERS,
    ),
]  # fmt: skip
