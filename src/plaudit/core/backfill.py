"""A campaign applied to what happened before it was so: quietly, once for each event of the past.

Either the campaign meets the event of the past as if it happened now, with its own time; or, where it had fired then
and would give more today, the member gets the difference.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from .bookkeeping import order_of
from .campaigns import consider
from .deciding import Deciding, Place
from .decision import Considered, EffectTrace, Refusal
from .ledger import post


class Backfill(Struct, frozen=True, rename="camel"):
    """Which campaign meets which event of the past; `top_up` in smallest units, by metric, where it had fired then."""

    campaign_id: str
    event_id: UUID
    trigger: str
    data: dict[str, Any] = {}
    top_up: dict[str, int] = {}


def apply_to_past(deciding: Deciding) -> Refusal | None:
    """Let one campaign meet one event of the past."""
    order = order_of(deciding, Backfill)
    if order.top_up:
        effects: list[EffectTrace] = []
        for index, (metric_id, amount) in enumerate(sorted(order.top_up.items())):
            metric = deciding.program.metrics.get(metric_id)
            if metric is None:
                return Refusal.metric_missing
            paid = post(deciding, Place(order.campaign_id, 0, index), metric, amount, "Back-fill", earning=False)
            refusal = paid if isinstance(paid, Refusal) else None
            effects.append(EffectTrace(index, refusal, None if isinstance(paid, Refusal) else paid.amount))
        deciding.trace.append(Considered(order.campaign_id, 0, 0, None, [], effects))
        return None
    deciding.turn_to(structs.replace(deciding.event, trigger=order.trigger, data=order.data))
    groups_taken: set[str] = set()
    for listener in deciding.program.listening_to(order.trigger):
        if listener.campaign.campaign_id == order.campaign_id:
            deciding.trace.append(consider(deciding, listener, groups_taken))
    return None
