"""What came with an achievement, as the first generation shows it."""

import re
from uuid import UUID

from plaudit.api.http.wire import Json, amount_view
from plaudit.core.change_summary import ChangeSummary
from plaudit.core.ids import derived_id
from plaudit.storage.programmes import Programme

_CAMPAIGN = "camp_"
_LIKE_A_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def challenge_id(programme: Programme, campaign_id: str) -> str:
    """The id of a campaign, which is a challenge here and has a UUID: the one in its own id, or one that follows from it."""
    try:
        return str(UUID(campaign_id.removeprefix(_CAMPAIGN)))
    except ValueError:
        return str(derived_id(programme.compiled.org_id, f"challenge:{campaign_id}"))


def campaign_called(programme: Programme, name: str) -> str:
    """Return the id of the campaign that is called so, by its own id or as a challenge; the name itself if none is."""
    if name in programme.campaigns or not _LIKE_A_UUID.fullmatch(name):
        return name
    return next(
        (campaign for campaign in programme.campaigns if challenge_id(programme, campaign) == name.lower()), name
    )


def mission_id(programme: Programme, campaign_id: str, step: int) -> str:
    """The id of a campaign's step, which is a mission here."""
    return str(derived_id(programme.compiled.org_id, f"mission:{campaign_id}:{step}"))


def set_title(set_id: str) -> str:
    """The title of an inventory set: what its type is called, or its id in words."""
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
    """The inventory set that a product is shown in."""
    product = programme.products.get(product_id)
    return "" if product is None else product.inventory_set or product.type


def changes_view(programme: Programme, changes: ChangeSummary) -> Json:
    """`metricChanges`, `inventoryChanges` and `milestoneChanges`."""
    received = [item_change.product_id for item_change in changes.items if item_change.quantity > 0]
    lost = [item_change.product_id for item_change in changes.items if item_change.quantity < 0]
    return {
        "metricChanges": {
            metric: {
                "oldValue": amount_view(programme.compiled, metric, old),
                "newValue": amount_view(programme.compiled, metric, new),
            }
            for metric, (old, new) in changes.metrics.items()
        },
        "inventoryChanges": {"received": _items(programme, received), "lost": _items(programme, lost)},
        "milestoneChanges": {
            rung.ladder_id: {"oldValue": rung.before, "newValue": rung.after} for rung in changes.rungs
        },
    }


def _items(programme: Programme, product_ids: list[str]) -> list[Json]:
    return [{"setId": set_of(programme, product_id), "itemId": product_id} for product_id in dict.fromkeys(product_ids)]
