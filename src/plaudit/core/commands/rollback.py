"""Undo the results of a campaign for one member, in one event, by the ledger's rules.

The results were found by deciding the member's log again without the campaign (see `without`). They are in the order, so
deciding this event again gives the same result. A rollback triggers no campaigns, so no member earns anything by it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, field, structs

from plaudit.core import event
from plaudit.core.cause import ROLLBACK, Cause, LoggedCause, campaign_cause, cause_from_log
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import ClaimKind, EffectTrace, Refusal, Trace, Transaction, Withdrawn
from plaudit.core.effects.remove_product import take_product
from plaudit.core.ids import derived_id
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import Progress

from .command_type import CommandType, Strangers
from .reversal import ReversalOrder, reverse

STEP_PLACES = 10_000  # reversals per step number, because the table's columns hold small numbers


class Undone(ReversalOrder, frozen=True, rename="camel"):
    """A transaction to reverse under its own cause, so that the cause's statistics change too."""

    logged: LoggedCause = field(default=ROLLBACK.logged, name="campaignId")

    @property
    def cause(self) -> Cause:
        """Return the cause of the transaction."""
        return cause_from_log(self.logged)


class Coupon(Struct, frozen=True, rename="camel"):
    """A coupon to withdraw. `pool_id` None: its code is shared, so nobody knows whether it was used."""

    coupon_id: UUID
    origin_id: str
    pool_id: str | None = None
    code: str = ""


class Stays(Struct, frozen=True, rename="camel"):
    """Points that the member transferred and that cannot be recovered from the receiver, with the reason."""

    to_user_id: str
    metric: str
    amount: int
    reason: str


class Rollback(Struct, frozen=True, rename="camel"):
    """The order of a rollback: what to undo for a member whose state is as of `sequence`.

    It covers the results of `campaign_id` between two times, or for one event. Without a campaign, it withdraws products
    and coupons for an administrator. `transfers` are transferred points that come back from their receivers, each by a
    reversal in the receiver's log in the same commit; `stays` are those that do not. `progress` has the new progress by
    campaign, and `parts` what the mechanics undo, by kind. `stock` and `caps` return to the stock and the overall limits.
    `whole`: refuse the order if it cannot be carried out completely.
    """

    campaign_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    of_event: UUID | None = None
    sequence: int | None = None
    transfers: tuple[Undone, ...] = ()
    stays: tuple[Stays, ...] = ()
    transactions: tuple[Undone, ...] = ()
    products: dict[str, int] = {}
    stock: dict[str, int] = {}
    caps: dict[str, int] = {}
    coupons: tuple[Coupon, ...] = ()
    notifications: tuple[UUID, ...] = ()
    progress: dict[str, Progress] = {}
    parts: dict[str, dict[str, Any]] = {}
    attributes: dict[str, Any] = {}
    whole: bool = False
    reason: str | None = None


class RolledBack(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A rollback's result for a member: amounts by metric, and counts of the rest. `lost_…`: what was not recovered."""

    metrics: dict[str, int] = {}
    lost_metrics: dict[str, int] = {}
    transfers: int = 0
    stays: tuple[Stays, ...] = ()
    products: int = 0
    lost_products: int = 0
    coupons: int = 0
    lost_coupons: int = 0
    notifications: int = 0
    completions: int = 0
    numbers: dict[str, int] = {}  # the mechanics' counts (see `MechanicRules.undone_counts`)


def rolled_back_from(progress: Mapping[str, Any]) -> RolledBack:
    """Return a rollback's result from the `progress` of its trace."""
    names = [name for rules in MECHANIC_RULES.values() for name in rules.undone_counts]
    numbers = {name: int(progress[name]) for name in names if name in progress}
    return structs.replace(msgspec.convert(progress, RolledBack), numbers=numbers)


def _progress_of(order: Rollback, result: RolledBack) -> dict[str, Any]:
    return {
        "campaignId": order.campaign_id,
        **msgspec.to_builtins(structs.replace(result, numbers={})),
        **{name: number for name, number in result.numbers.items() if number},
    }


def rollback_of(data: Mapping[str, Any], _: type[Any] | None = None) -> Rollback:
    """Return the order in an event's data."""
    order = msgspec.convert(data, Rollback, strict=False, str_keys=True)
    parts = {kind: own for kind, rules in MECHANIC_RULES.items() if (own := rules.undone_from_log(data))}
    return structs.replace(order, parts=parts)


def data_of(order: Rollback) -> dict[str, Any]:
    """Return an order as the data of its event."""
    data: dict[str, Any] = msgspec.to_builtins(order, str_keys=True)
    del data["parts"]
    for kind, rules in MECHANIC_RULES.items():
        data |= rules.undone_as_logged(order.parts.get(kind, {}))
    return data


_NOT_UNDONE = frozenset({"campaign_id", "since", "until", "of_event", "sequence", "reason", "whole", "stays"})


def is_something(order: Rollback) -> bool:
    """Return whether an order undoes anything."""
    return any(getattr(order, name) for name in order.__struct_fields__ if name not in _NOT_UNDONE)


def unused_id(event_id: UUID, coupon: Coupon) -> UUID:
    """Return the id of the claim that a coupon is unused."""
    return derived_id(event_id, f"unused:{coupon.coupon_id}")


def _roll_back(context: Context, order: Rollback) -> Refusal | None:
    """Carry out the order. Refuse all of it if the member has had an event since the order was computed."""
    if order.sequence is not None and order.sequence != context.member.sequence:
        return Refusal.member_moved_on
    states = {kind: {**states} for kind, states in context.member.states.items()}
    completions = _set_progress(context, order)
    refusal = _take_from_receivers(context, order)
    if refusal is not None:
        return refusal
    metrics, lost_by_metric, effects = _reverse_all(context, order)
    coupons = _withdraw_coupons(context, order)
    if isinstance(coupons, Refusal):
        return coupons
    removed = _take_products(context, order)
    if isinstance(removed, Refusal):
        return removed
    _undo_mechanics(context, order, first=False)
    stock = {key: min(number, removed.get(key, 0)) for key, number in order.stock.items()}
    returned = [(ClaimKind.cap, name, number) for name, number in sorted(order.caps.items())]
    returned += [(ClaimKind.stock, name, number) for name, number in sorted(stock.items()) if number]
    context.withdrawn = Withdrawn(coupons, order.notifications, tuple(returned))
    result = RolledBack(
        metrics=metrics,
        lost_metrics=lost_by_metric,
        transfers=len(order.transfers),
        stays=order.stays,
        products=sum(removed.values()),
        lost_products=sum(order.products.values()) - sum(removed.values()),
        coupons=len(coupons),
        lost_coupons=len(order.coupons) - len(coupons),
        notifications=len(order.notifications),
        completions=completions,
        numbers=_numbers(states, context.member.states),
    )
    context.trace.append(Trace(ROLLBACK.logged, 0, 0, None, [], effects, None, _progress_of(order, result)))
    return None


def _numbers(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for kind, rules in MECHANIC_RULES.items():
        numbers |= rules.count_undone(before.get(kind, {}), after.get(kind, {}))
    return numbers


def _undo_mechanics(context: Context, order: Rollback, *, first: bool) -> None:
    for kind, parts in order.parts.items():
        rules = MECHANIC_RULES[kind]
        if rules.undone_first == first:
            rules.undo(context, parts)


def _set_progress(context: Context, order: Rollback) -> int:
    """Reset the member's progress. Return the number of completions removed."""
    member, fewer = context.member, 0
    for campaign_id, progress in order.progress.items():
        before = member.progress.get(campaign_id, Progress())
        fewer += max(before.completions - progress.completions, 0)
        member.progress[campaign_id] = progress
        context.changed_parts.add(f"campaigns.{campaign_id}")
    _undo_mechanics(context, order, first=True)
    if order.attributes:
        context.write_profile(order.attributes)
        context.changed_parts.add("user")
    context.scope.forget_names()
    return fewer


def _take_from_receivers(context: Context, order: Rollback) -> Refusal | None:
    """Reverse the member's transfers, whose receivers return the points. Refuse if any reversal is refused."""
    for number, transfer in enumerate(order.transfers):
        metric = context.program.metrics.get(transfer.metric)
        place = EffectPlace(transfer.cause, number // STEP_PLACES, number % STEP_PLACES)
        result = Refusal.metric_not_found if metric is None else reverse(context, transfer, metric, place)
        if isinstance(result, Refusal):
            return result
    return None


def _reverse_all(context: Context, order: Rollback) -> tuple[dict[str, int], dict[str, int], list[EffectTrace]]:
    """Reverse transactions, debits first: the returned amounts can then be taken for the credits.

    Return the reversed amounts and the lost ones by metric, and the effects' traces.
    """
    reversed_by_metric: dict[str, int] = {}
    lost_by_metric: dict[str, int] = {}
    effects: list[EffectTrace] = []
    for number, undone in enumerate(sorted(order.transactions, key=lambda transaction: transaction.amount > 0)):
        metric = context.program.metrics.get(undone.metric)
        place = EffectPlace(undone.cause, number // STEP_PLACES, number % STEP_PLACES)
        result: Transaction | Refusal = Refusal.metric_not_found
        if metric is not None:
            result = reverse(context, undone, metric, place)
        amount = result.amount if isinstance(result, Transaction) else 0
        expected = -undone.take if undone.amount > 0 else undone.take
        reversed_by_metric[undone.metric] = reversed_by_metric.get(undone.metric, 0) - amount
        if amount != expected:
            lost_by_metric[undone.metric] = lost_by_metric.get(undone.metric, 0) + amount - expected
        effects.append(EffectTrace(number, result if isinstance(result, Refusal) else None, amount))
    return reversed_by_metric, lost_by_metric, effects


def _withdraw_coupons(context: Context, order: Rollback) -> tuple[UUID, ...] | Refusal:
    counts, withdrawn = context.member.coupons, list[UUID]()
    for coupon in order.coupons:
        if coupon.pool_id is not None:
            claim_id = unused_id(context.event.event_id, coupon)
            refusal = context.claim(ClaimKind.unused, f"{coupon.pool_id}/{coupon.code}", claim_id=claim_id)
            if refusal is not None:
                if order.whole:
                    return refusal
                continue
        if not counts.get(coupon.origin_id):
            return Refusal.coupon_not_found
        withdrawn.append(coupon.coupon_id)
        counts[coupon.origin_id] -= 1
        if not counts[coupon.origin_id]:
            del counts[coupon.origin_id]
    return tuple(withdrawn)


def _take_products(context: Context, order: Rollback) -> dict[str, int] | Refusal:
    """Take products from the member, as far as they hold them. Return the quantity of each."""
    removed: dict[str, int] = {}
    for product_id, quantity in sorted(order.products.items()):
        held = context.member.holdings.get(product_id)
        number = min(quantity, 0 if held is None else held.quantity)
        if order.whole and number < quantity:
            return Refusal.product_not_held
        if held is None or not number:
            continue
        cause = ROLLBACK if order.campaign_id is None else campaign_cause(order.campaign_id)
        removed[product_id] = take_product(context, cause, product_id, number)
    return removed


COMMAND = CommandType(
    kind=event.ROLLBACK,
    order=Rollback,
    apply=_roll_back,
    decode=rollback_of,
    strangers=Strangers.are_refused,
    if_merged=Refusal.member_merged,
    triggers_nothing=True,
)
