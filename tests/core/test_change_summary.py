"""What a cause changed in a decision, in short."""

import pytest

from plaudit.core.cause import campaign_cause
from plaudit.core.change_summary import summarise_decision
from plaudit.core.decide_one import decide_one
from tests.support.factories import campaign, document, event, member, program

MUG = document("product", "mug", sku="mug", type="merchandise")
FIRST = [
    {"type": "add_points", "config": {"amount": 10}},
    {"type": "award_product", "config": {"productId": "mug", "quantity": 2}},
    {"type": "add_points", "config": {"amount": 5}},
]


@pytest.mark.parametrize(
    ("campaign_id", "metrics", "items"),
    [("camp_1", {"points": (0, 15)}, [("mug", 2)]), ("camp_2", {"points": (15, 18)}, []), ("camp_3", {}, [])],
)
def test_each_campaign_has_its_own_changes(campaign_id, metrics, items):
    later = campaign("camp_2", effects=[{"type": "add_points", "config": {"amount": 3}}], priority=1)
    decision = decide_one(program(MUG, campaign(effects=FIRST, priority=9), later), member(), event())
    found = summarise_decision(decision, campaign_cause(campaign_id))
    assert (found.metrics, [(item.product_id, item.quantity) for item in found.items]) == (metrics, items)
