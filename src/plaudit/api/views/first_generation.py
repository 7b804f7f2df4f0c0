"""Response types of the first-generation member API: challenges, missions, inventory, milestones."""

import re
from typing import Literal
from uuid import UUID

from msgspec import UNSET, UnsetType, field

from plaudit.api.http.wire import amount_view
from plaudit.core.change_summary import ChangeSummary
from plaudit.core.ids import derived_id
from plaudit.storage.programmes import Programme

from .base import View

_CAMPAIGN = "camp_"
_LIKE_A_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


HistoryType = Literal["challengeCompleted", "missionCompleted", "inventoryChanged", "metricChanged", "milestoneChanged"]


class LoyaltyMetric(View):
    """A metric with the bounds of its balances; a missing bound is the largest safe integer."""

    id: str
    title: str
    media: str
    default_value: float
    minimum_value: float
    maximum_value: float


class LoyaltyItem(View):
    """A product that members can own."""

    id: str
    title: str
    media: str


class LoyaltyInventorySet(View):
    """Products shown together."""

    id: str
    title: str
    items: list[LoyaltyItem]


class LoyaltyMessage(View):
    """A future notification, as far as known in advance. `display` says how apps show it."""

    display: str
    title: str
    message: str


class LoyaltyTime(View):
    """When a challenge is open, in UNIX seconds, and whether apps show it."""

    show_in_ui: bool = field(name="showInUI")
    since: int = field(name="from")
    until: int = field(name="to")


class LoyaltyMission(View):
    """A step of a challenge, and the type of action it needs."""

    id: str
    title: str
    type: str
    notification: LoyaltyMessage


class LoyaltyReward(View):
    """What a challenge pays: an amount of a metric, an item of the inventory, or a coupon."""

    type: Literal["metric", "inventory", "coupon"]
    metric_id: str | UnsetType = UNSET
    metric_quantity: float | UnsetType = UNSET
    inventory_set_id: str | UnsetType = UNSET
    inventory_item_id: str | UnsetType = UNSET
    coupon_id: str | UnsetType = UNSET


class LoyaltyChallenge(View):
    """A campaign with its missions and rewards."""

    id: str
    title: str
    subtitle: str
    notification: LoyaltyMessage
    show_in_profile: bool
    show_in_rail: bool
    time: LoyaltyTime
    missions: list[LoyaltyMission]
    rewards: list[LoyaltyReward]


class LoyaltyConfig(View):
    """The programme as apps show it: metrics, inventory and the challenges that are open to the caller."""

    metrics: list[LoyaltyMetric]
    inventory: list[LoyaltyInventorySet]
    challenges: list[LoyaltyChallenge]


class LoyaltyProgress(View):
    """Whether a member has completed a challenge, and which of its missions."""

    is_completed: bool
    missions_completed: list[str]


class LoyaltyProfile(View):
    """A member's balances by metric, items by inventory set, and progress by challenge."""

    metrics: dict[str, float]
    inventory: dict[str, list[str]]
    challenges: dict[str, LoyaltyProgress]


class LoyaltyMetricChange(View):
    """A balance before and after."""

    old_value: float
    new_value: float


class LoyaltyItemChange(View):
    """An item that was gained or lost, and its inventory set."""

    set_id: str
    item_id: str


class LoyaltyInventoryChange(View):
    """The items gained and lost."""

    received: list[LoyaltyItemChange]
    lost: list[LoyaltyItemChange]


class LoyaltyMilestoneChange(View):
    """A milestone before and after; null for none."""

    old_value: str | None
    new_value: str | None


class LoyaltyPayload(View, kw_only=True):
    """An achievement, and what it changed."""

    challenge_id: str | UnsetType = UNSET
    mission_id: str | UnsetType = UNSET
    coupon_id: str | UnsetType = UNSET
    metric_changes: dict[str, LoyaltyMetricChange]
    inventory_changes: LoyaltyInventoryChange
    milestone_changes: dict[str, LoyaltyMilestoneChange]


class LoyaltyNotification(View):
    """A notification. `timestamp` is in UNIX seconds."""

    id: str
    timestamp: int
    type: str
    display: str
    title: str
    message: str
    payload: LoyaltyPayload


class LoyaltyHistoryEntry(View):
    """A member's achievement or change. `timestamp` is in UNIX seconds."""

    id: str
    timestamp: int
    type: HistoryType
    payload: LoyaltyPayload


class LoyaltyCoupon(View, rename="lower"):
    """A member's coupon. `coupon_id` is the reward or product that it comes from."""

    id: str
    title: str
    link: str
    coupon_id: str
    coupon_type: Literal["non_unique_coupon", "unique_coupon"]
    coupon_code: str
    show_on_notification: bool = field(name="showOnNotification")


def challenge_id(programme: Programme, campaign_id: str) -> str:
    """Return a campaign's id as a challenge: the UUID in the campaign's id, or a UUID derived from that id."""
    try:
        return str(UUID(campaign_id.removeprefix(_CAMPAIGN)))
    except ValueError:
        return str(derived_id(programme.compiled.org_id, f"challenge:{campaign_id}"))


def campaign_id_of(programme: Programme, name: str) -> str:
    """Return the id of the campaign with this id or challenge id; the name itself if there is none."""
    if name in programme.campaigns or not _LIKE_A_UUID.fullmatch(name):
        return name
    return next(
        (campaign for campaign in programme.campaigns if challenge_id(programme, campaign) == name.lower()), name
    )


def mission_id(programme: Programme, campaign_id: str, step: int) -> str:
    """Return the id of a campaign's step as a mission."""
    return str(derived_id(programme.compiled.org_id, f"mission:{campaign_id}:{step}"))


def set_title(set_id: str) -> str:
    """Return the title of an inventory set: that of its type, or its id in words."""
    words = set_id.replace("_", " ").replace("-", " ").strip()
    return _TITLES.get(set_id) or words[:1].upper() + words[1:]


_TITLES = {
    "badge": "Badges",
    "unique_code_pool": "Coupons",
    "merchandise": "Merchandise",
    "ticket": "Tickets",
    "entry": "Competition entries",
}


def set_of(programme: Programme, product_id: str) -> str:
    """Return the inventory set of a product."""
    product = programme.products.get(product_id)
    return "" if product is None else product.inventory_set or product.type


def payload_view(
    programme: Programme, changes: ChangeSummary, achieved: tuple[str, str] | None, coupon_id: str | None
) -> LoyaltyPayload:
    """Return the changes of a notification or history entry, with its challenge, mission and coupon if it has them."""
    program = programme.compiled
    received = [item_change.product_id for item_change in changes.items if item_change.quantity > 0]
    lost = [item_change.product_id for item_change in changes.items if item_change.quantity < 0]
    return LoyaltyPayload(
        challenge_id=UNSET if achieved is None else achieved[0],
        mission_id=UNSET if achieved is None else achieved[1],
        coupon_id=UNSET if coupon_id is None else coupon_id,
        metric_changes={
            metric: LoyaltyMetricChange(
                old_value=amount_view(program, metric, old), new_value=amount_view(program, metric, new)
            )
            for metric, (old, new) in changes.metrics.items()
        },
        inventory_changes=LoyaltyInventoryChange(received=_items(programme, received), lost=_items(programme, lost)),
        milestone_changes={
            move.document_id: LoyaltyMilestoneChange(old_value=move.before, new_value=move.after)
            for move in changes.moves
        },
    )


def _items(programme: Programme, product_ids: list[str]) -> list[LoyaltyItemChange]:
    return [
        LoyaltyItemChange(set_id=set_of(programme, product_id), item_id=product_id)
        for product_id in dict.fromkeys(product_ids)
    ]
