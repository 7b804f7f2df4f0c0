"""Apply a campaign to events from before it existed: without notifications, once per past event.

A simulation has computed what the campaign would have paid for the event, and the member's progress. The order contains
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
    """The results of a campaign for a past event.

    `give` has amounts in smallest units, by metric. `effects` has the places (step and index) of other effects to apply.
    `completes`: it counts towards the overall limit. The order for the member's last event also has the member's progress
    in the campaign without the past events (`was`) and with them (`would`).

    Orders of earlier versions have no `give`: `top_up` is paid or, without one, the event is evaluated as if it happened
    now.
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
    """Give a member the results of a campaign for a past event. Return the refusal, or None."""
    amounts = order.top_up if order.give is None else order.give
    context.switch_to(structs.replace(context.event, trigger=order.trigger, data=order.data))
    listeners = [
        listener
        for listener in context.program.listeners_of(order.trigger)
        if listener.campaign.campaign_id == order.campaign_id
    ]
    if order.give is None and not order.top_up:
        for listener in listeners:
            context.trace.append(evaluate(context, listener))
        return None
    if order.completes and listeners:
        refusal = claim_overall(context, listeners[0].campaign)
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
        effect = _effect_at(listeners, order.listener, step, index)
        if effect is not None:
            place = EffectPlace(cause, step, len(amounts) + index)
            effects.append(context.apply_effect(effect, place))
    if order.would is not None:
        before = context.member.progress.get(order.campaign_id, Progress())
        context.member.progress[order.campaign_id] = _merged(before, order.was or Progress(), order.would)
        context.changed_parts.add(f"campaigns.{order.campaign_id}")
    context.trace.append(Trace(cause.logged, 0, 0, None, [], effects))
    return None


def _effect_at(listeners: list[Listener], number: int, step: int, index: int) -> Effect | None:
    """Return the effect at a place of a campaign, or None if the campaign no longer has it."""
    if not listeners:
        return None
    campaign: Campaign = listeners[0].campaign
    if not campaign.steps:
        effects = next(
            (listener.effects for listener in listeners if (listener.step, listener.number) == (step, number)), ()
        )
    elif step == len(campaign.steps):
        effects = campaign.effects
    else:
        effects = campaign.steps[step].effects if step < len(campaign.steps) else ()
    return effects[index] if index < len(effects) else None


def _merged(now: Progress, was: Progress, would: Progress) -> Progress:
    """Return the member's progress including the past events, even if it has changed since the simulation."""
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
