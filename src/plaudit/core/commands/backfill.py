"""Apply a campaign to events before it existed: without notifications, once per past event.

A simulation has decided what the campaign would have paid for the event, and the member's progress. The order contains
both, so the member gets exactly that, whatever has happened since.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from plaudit.core.campaigns import claim_overall, evaluate
from plaudit.core.cause import campaign_cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal, Trace
from plaudit.core.event import BACKFILL
from plaudit.core.ledger.post import post
from plaudit.core.member import Progress
from plaudit.core.program import Campaign, Effect, Listener

from .command_type import CommandType, Strangers


class Backfill(Struct, frozen=True, rename="camel"):
    """What a campaign gives for an event of the past.

    `give` is in smallest units, by metric; `effects` are the places (step and index) of those that give anything else.
    `completes` says that it counts towards the overall limit. `progress` is set with the member's last event: how far the
    member had come without the campaign's past (`was`) and with it (`would`).

    Orders of earlier versions have no `give`: the campaign meets the event as if it happened now, or `top_up` is paid.
    """

    campaign_id: str
    event_id: UUID
    trigger: str
    data: dict[str, Any] = {}
    top_up: dict[str, int] = {}
    give: dict[str, int] | None = None
    effects: tuple[tuple[int, int], ...] = ()
    listener: int = 0
    completes: bool = False
    was: Progress | None = None
    would: Progress | None = None


def _apply_to_past(context: Context, order: Backfill) -> Refusal | None:
    """Pay what one campaign would have paid for one past event."""
    amounts = order.top_up if order.give is None else order.give
    context.switch_to(structs.replace(context.event, trigger=order.trigger, data=order.data))
    found = [
        listener
        for listener in context.program.listeners_of(order.trigger)
        if listener.campaign.campaign_id == order.campaign_id
    ]
    if order.give is None and not order.top_up:
        for listener in found:
            context.trace.append(evaluate(context, listener))
        return None
    if order.completes and found:
        refusal = claim_overall(context, found[0].campaign)
        if refusal is not None:
            context.trace.append(Trace(campaign_cause(order.campaign_id).logged, 0, 0, refusal))
            return None
    cause = campaign_cause(order.campaign_id)
    effects: list[EffectTrace] = []
    for index, (metric_id, amount) in enumerate(sorted(amounts.items())):
        metric = context.program.metrics.get(metric_id)
        if metric is None:
            return Refusal.metric_not_found
        paid = post(context, EffectPlace(cause, 0, index), metric, amount, "Back-fill", earning=False)
        refusal = paid if isinstance(paid, Refusal) else None
        effects.append(EffectTrace(index, refusal, None if isinstance(paid, Refusal) else paid.amount))
    for step, index in order.effects:
        effect = _effect_at(found, order.listener, step, index)
        if effect is not None:
            place = EffectPlace(cause, step, len(amounts) + index)
            effects.append(context.apply_effect(effect, place))
    if order.would is not None:
        before = context.member.progress.get(order.campaign_id, Progress())
        context.member.progress[order.campaign_id] = _merged(before, order.was or Progress(), order.would)
        context.changed_parts.add(f"campaigns.{order.campaign_id}")
    context.trace.append(Trace(cause.logged, 0, 0, None, [], effects))
    return None


def _effect_at(found: list[Listener], number: int, step: int, index: int) -> Effect | None:
    """Return the effect at a place of a campaign; None if the campaign no longer has one there."""
    if not found:
        return None
    campaign: Campaign = found[0].campaign
    if not campaign.steps:
        effects = next(
            (listener.effects for listener in found if (listener.step, listener.number) == (step, number)), ()
        )
    elif step == len(campaign.steps):
        effects = campaign.effects
    else:
        effects = campaign.steps[step].effects if step < len(campaign.steps) else ()
    return effects[index] if index < len(effects) else None


def _merged(now: Progress, was: Progress, would: Progress) -> Progress:
    """Return how far the member is with the past, also if more has happened since the simulation."""
    if now == was:
        return would
    periods = {key: max(now.periods.get(key, 0), would.periods.get(key, 0)) for key in {*now.periods, *would.periods}}
    changed = now.steps != was.steps or now.occurrence != was.occurrence
    return Progress(
        now.completions + max(would.completions - was.completions, 0),
        max((at for at in (now.last_at, would.last_at) if at is not None), default=None),
        periods,
        now.steps if changed else would.steps,
        now.occurrence if changed else would.occurrence,
        now.enrolled_at or would.enrolled_at,
    )


COMMAND = CommandType(
    kind=BACKFILL, order=Backfill, apply=_apply_to_past, strangers=Strangers.join_by_api, is_silent=True
)
