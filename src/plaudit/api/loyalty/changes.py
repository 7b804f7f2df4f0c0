"""What came with an achievement, as the first generation shows it."""

from plaudit.api.outside import Json, shown_amount
from plaudit.core.changes import Changes
from plaudit.core.ids import derived_id
from plaudit.storage.programs import Live


def mission_id(live: Live, campaign_id: str, step: int) -> str:
    """The id of a campaign's step, which is a mission here."""
    return str(derived_id(live.program.org_id, f"mission:{campaign_id}:{step}"))


def set_of(live: Live, product_id: str) -> str:
    """The inventory set that a product is shown in."""
    product = live.products.get(product_id)
    return "" if product is None else product.inventory_set or product.type


def shown_changes(live: Live, changes: Changes) -> Json:
    """`metricChanges`, `inventoryChanges` and `milestoneChanges`."""
    received = [one.product_id for one in changes.items if one.quantity > 0]
    lost = [one.product_id for one in changes.items if one.quantity < 0]
    return {
        "metricChanges": {
            metric: {
                "oldValue": shown_amount(live.program, metric, old),
                "newValue": shown_amount(live.program, metric, new),
            }
            for metric, (old, new) in changes.metrics.items()
        },
        "inventoryChanges": {"received": _items(live, received), "lost": _items(live, lost)},
        "milestoneChanges": {one.ladder_id: {"oldValue": one.before, "newValue": one.after} for one in changes.rungs},
    }


def _items(live: Live, product_ids: list[str]) -> list[Json]:
    return [{"setId": set_of(live, one), "itemId": one} for one in dict.fromkeys(product_ids)]
