"""The effects: one function each, (deciding, place, settings) -> what came of it, with its settings as a struct.

A new effect is a struct, a function and a row of EFFECTS; the API, the checks on saving and the reference follow.
"""

from typing import Any

from msgspec import Struct, structs

from plaudit.core.formulas.budget import BudgetSpent
from plaudit.core.formulas.limits import NumberTooLarge

from .campaigns import enrol_in_campaign
from .competitions import is_open
from .context import Context, EffectPlace
from .decision import ClaimKind, EffectTrace, IssuedCoupon, Message, ProductChange, Refusal, Transaction
from .effect_settings import (
    AddEntries,
    AddMetric,
    AddPoints,
    AwardProduct,
    CallWebhook,
    CheckIn,
    EffectSettings,
    Emit,
    Enrol,
    GrantFreeze,
    GrantReward,
    IssueCoupon,
    Notify,
    RemoveProduct,
    SegmentSettings,
    SetAttribute,
)
from .event import SILENT_KINDS
from .expressions import Expression, ExpressionError
from .ledger.post import amount_of, limits_met, post
from .member import Holding
from .metrics import Metric, to_number
from .notifications import notify
from .program import Texts


class AmountSettings(Struct, frozen=True):
    """An amount of a metric, ready to be posted: fixed (scaled), or a formula."""

    metric: str
    fixed: int | None
    formula: Expression | None
    reason: str | None = None


class UniqueCouponSettings(Struct, frozen=True):
    """A unique code out of a pool; `once` for one code a member."""

    origin_id: str
    pool_id: str
    once: bool


class SharedCouponSettings(Struct, frozen=True):
    """The same code for everybody."""

    origin_id: str
    code: str
    terms: dict[str, Any]


def add_metric(context: Context, place: EffectPlace, settings: AmountSettings) -> EffectTrace:
    """Credit or debit a metric by a fixed amount or by what a formula says, times what multipliers say: rounded once."""
    metric = context.program.metrics.get(settings.metric)
    if metric is None:
        return EffectTrace(place.index, Refusal.metric_missing, settings.metric)
    amount, how = settings.fixed, None
    if amount is None:
        assert settings.formula is not None
        try:
            found = settings.formula.amount(context.scope.names(), context.scope.budget)
        except BudgetSpent as problem:
            return EffectTrace(place.index, Refusal.evaluation_failed, str(problem))
        except ExpressionError as problem:
            too_large = isinstance(problem, NumberTooLarge)
            refusal = Refusal.amount_out_of_range if too_large else Refusal.amount_not_a_number
            return EffectTrace(place.index, refusal, str(problem))
        amount, how = amount_of(context, metric, found, metric.decimals)
        if amount is None:
            return EffectTrace(place.index, Refusal.amount_not_a_number)
        if amount == 0:
            return EffectTrace(place.index, None, 0, how)
    elif metric.multipliers and amount:
        amount, how = amount_of(context, metric, amount, 0)
        if not amount:
            return EffectTrace(place.index, None, 0, how)
    posted = post(context, place, metric, amount, settings.reason)
    if isinstance(posted, Transaction):
        if posted.amount != amount:
            how = _cut(context, metric, amount, how)
        return EffectTrace(place.index, posted.refusal, to_number(posted.amount, metric.decimals), how)
    if posted is Refusal.maximum_reached:
        how = _cut(context, metric, amount, how)
    return EffectTrace(place.index, posted, to_number(amount, metric.decimals), how)


def _cut(context: Context, metric: Metric, amount: int, how: dict[str, Any] | None) -> dict[str, Any]:
    """Return how an amount came about of which the metric's limits have let in only a part."""
    return (how or {}) | {"uncut": to_number(amount, metric.decimals), "limits": limits_met(context, metric)}


def award_product(context: Context, place: EffectPlace, settings: AwardProduct) -> EffectTrace:
    """Give a product, and a code of the pool that belongs to it.

    A badge is had once. Where the code is all there is to the product (`unique_code_pool`), an empty pool refuses
    the award; otherwise the product is given and the outcome says that the pool was empty.
    """
    product = context.program.products.get(settings.product_id)
    if product is None:
        return EffectTrace(place.index, Refusal.product_missing, settings.product_id)
    if not product.active:
        return EffectTrace(place.index, Refusal.product_inactive, settings.product_id)
    held = context.member.holdings.get(product.product_id)
    if product.type == "badge" and held is not None:
        return EffectTrace(place.index, None, {"productId": product.product_id, "quantity": 0, "held": True})
    if product.stock is not None:
        stock_id = context.effect_id(place, "/stock")
        refusal = context.claim(
            ClaimKind.stock,
            product.product_id,
            claim_id=stock_id,
            quantity=settings.quantity,
            maximum=product.stock,
        )
        if refusal is not None:
            return EffectTrace(place.index, refusal, product.product_id)
    outcome: dict[str, Any] = {"productId": product.product_id, "quantity": settings.quantity}
    if product.pool_id is not None:
        drawn = draw_coupon(context, place, UniqueCouponSettings(product.product_id, product.pool_id, once=False))
        if drawn.refusal is not None and product.type == "unique_code_pool":
            context.withdraw_claim(context.effect_id(place, "/stock"))
            return EffectTrace(place.index, drawn.refusal, drawn.outcome)
        outcome["coupon"] = drawn.outcome if drawn.refusal is None else {"refusal": drawn.refusal}
    now = context.now
    context.member.holdings[product.product_id] = (
        Holding(settings.quantity, now, now)
        if held is None
        else Holding(held.quantity + settings.quantity, min(held.first_at, now), max(held.last_at, now))
    )
    context.items.append(ProductChange(place.campaign_id, product.product_id, settings.quantity))
    context.scope.forget_names()
    context.changed_parts.add("badges")
    received = {"productId": product.product_id, "type": product.type, "quantity": settings.quantity}
    context.emit("product.received", received, place.campaign_id)
    if product.type == "badge":
        context.emit("user.badge_earned", received, place.campaign_id)
    return EffectTrace(place.index, None, outcome)


def grant_reward(context: Context, place: EffectPlace, settings: GrantReward, reason: str | None = None) -> EffectTrace:
    """Give a reward: whatever its type stands for. What it posts has the `reason` if there is one, else its own."""
    reward = context.program.rewards.get(settings.reward_id)
    if reward is None:
        return EffectTrace(place.index, Refusal.reward_missing, settings.reward_id)
    if not reward.active:
        return EffectTrace(place.index, Refusal.reward_inactive, settings.reward_id)
    own = reward.effect.settings
    if reason is not None and isinstance(own, AmountSettings):
        own = structs.replace(own, reason=reason)
    given = reward.effect.apply(context, place, own)
    if given.refusal is not None:
        return EffectTrace(place.index, given.refusal, given.outcome, given.amount)
    granted = {"rewardId": reward.reward_id, "rewardType": reward.type}
    context.emit("reward.granted", granted, place.campaign_id)
    return EffectTrace(place.index, None, granted | {"given": given.outcome}, given.amount)


def draw_coupon(context: Context, place: EffectPlace, settings: UniqueCouponSettings) -> EffectTrace:
    """Put a unique code of a pool into the member's hands."""
    member = context.member
    if settings.once and member.coupons.get(settings.origin_id):
        return EffectTrace(place.index, Refusal.coupon_already_issued, settings.origin_id)
    pool = context.program.pools.get(settings.pool_id)
    if pool is None:
        return EffectTrace(place.index, Refusal.pool_missing, settings.pool_id)
    if not pool.active or (pool.expires_at is not None and pool.expires_at <= context.now):
        return EffectTrace(place.index, Refusal.pool_inactive, settings.pool_id)
    coupon_id = context.effect_id(place, "/coupon")
    refusal = context.claim(ClaimKind.code, pool.pool_id, claim_id=coupon_id)
    if refusal is not None:
        return EffectTrace(place.index, refusal, pool.pool_id)
    issue = IssuedCoupon(
        coupon_id, settings.origin_id, pool.pool_id, None, place.campaign_id, context.now, pool.expires_at
    )
    return _hand_over(context, place, issue)


def share_code(context: Context, place: EffectPlace, settings: SharedCouponSettings) -> EffectTrace:
    """Put a code that is the same for everybody into the member's hands."""
    coupon_id = context.effect_id(place, "/coupon")
    issue = IssuedCoupon(
        coupon_id,
        settings.origin_id,
        None,
        settings.code,
        place.campaign_id,
        context.now,
        None,
        settings.terms,
    )
    return _hand_over(context, place, issue)


def _hand_over(context: Context, place: EffectPlace, issue: IssuedCoupon) -> EffectTrace:
    context.coupons.append(issue)
    had = context.member.coupons
    had[issue.origin_id] = had.get(issue.origin_id, 0) + 1
    return EffectTrace(place.index, None, {"couponId": str(issue.coupon_id)})


def add_entries(context: Context, place: EffectPlace, settings: AddEntries) -> EffectTrace:
    """Add entries to a competition that is open at the time of the event."""
    competition = context.program.competitions.get(settings.competition_id)
    if competition is None:
        return EffectTrace(place.index, Refusal.competition_missing, settings.competition_id)
    if not is_open(competition, context.now):
        return EffectTrace(place.index, Refusal.competition_not_open, settings.competition_id)
    if context.member.user_id in competition.excluded:
        return EffectTrace(place.index, Refusal.excluded_from_competition, settings.competition_id)
    entries = context.member.entries
    entries[settings.competition_id] = entries.get(settings.competition_id, 0) + settings.entries
    return EffectTrace(place.index, None, {"competitionId": settings.competition_id, "entries": settings.entries})


def apply_notify(context: Context, place: EffectPlace, settings: Texts | str) -> EffectTrace:
    """Put a notification into the member's inbox: texts, or a template by its id."""
    notification_id = context.effect_id(place, "/notification")
    refusal = notify(context, notification_id, settings, place.campaign_id)
    if refusal is not None:
        return EffectTrace(place.index, refusal, settings)
    told = context.root_event.kind not in SILENT_KINDS
    return EffectTrace(place.index, None, {"notificationId": str(notification_id) if told else None})


def call_webhook(context: Context, place: EffectPlace, settings: CallWebhook) -> EffectTrace:
    """Have one webhook told: of the campaign, of the event, and what the effect says besides."""
    if context.root_event.kind in SILENT_KINDS:
        return EffectTrace(place.index, None, {"webhookId": None})
    data = {"campaignId": place.campaign_id, "trigger": context.event.trigger, "event": context.event.data}
    context.messages.append(Message("webhook.called", {**data, **settings.data}, settings.webhook_id))
    return EffectTrace(place.index, None, {"webhookId": settings.webhook_id})


def emit(context: Context, place: EffectPlace, settings: Emit) -> EffectTrace:
    """Fire a trigger of the organisation's own; campaigns that listen to it are met within the same decision."""
    context.emit(settings.trigger, settings.data, place.campaign_id)
    return EffectTrace(place.index, None, {"trigger": settings.trigger})


def set_attribute(context: Context, place: EffectPlace, settings: SetAttribute) -> EffectTrace:
    """Set a field of the member's profile; null takes it away."""
    context.write_profile({settings.name: settings.value})
    context.changed_parts.add("user")
    return EffectTrace(place.index, None, {settings.name: settings.value})


def remove_product(context: Context, place: EffectPlace, settings: RemoveProduct) -> EffectTrace:
    """Take a product away, as far as the member has it."""
    if settings.product_id not in context.member.holdings:
        return EffectTrace(place.index, Refusal.product_not_held, settings.product_id)
    removed = take_product(context, place.campaign_id, settings.product_id, settings.quantity)
    return EffectTrace(place.index, None, {"productId": settings.product_id, "removed": removed})


def take_product(context: Context, campaign_id: str, product_id: str, quantity: int) -> int:
    """Take a product away that the member has, as far as they have it. Return how many were taken."""
    held = context.member.holdings[product_id]
    left = max(held.quantity - quantity, 0)
    context.items.append(ProductChange(campaign_id, product_id, left - held.quantity))
    if left:
        context.member.holdings[product_id] = Holding(left, held.first_at, held.last_at)
    else:
        del context.member.holdings[product_id]
    context.scope.forget_names()
    context.changed_parts.add("badges")
    return held.quantity - left


def apply_enrol(context: Context, place: EffectPlace, settings: Enrol) -> EffectTrace:
    """Let the member join a campaign that asks to be joined."""
    enrol_in_campaign(context, settings.campaign_id)
    return EffectTrace(place.index, None, {"campaignId": settings.campaign_id})


class EffectType(Struct, frozen=True):
    """A row of the table of effects: what a document may write, and which fields of it name other documents.

    `needs` are the parts of a member that it changes, of those that a batch loads only if an effect needs them.
    """

    name: str
    sentence: str
    settings: type[EffectSettings]
    references: tuple[tuple[str, str], ...] = ()
    aliases: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


EFFECT_TYPES = (
    EffectType("add_points", "Credits (or, when negative, debits) points.", AddPoints, (), ("award_points",)),
    EffectType("add_metric", "Credits or debits any metric.", AddMetric, (("metric", "metric"),)),
    EffectType(
        "award_product",
        "Gives a product, and a code of its pool.",
        AwardProduct,
        (("product_id", "product"),),
        ("award_badge",),
    ),
    EffectType(
        "grant_reward",
        "Gives a reward, whatever its type.",
        GrantReward,
        (("reward_id", "reward"),),
        needs=("holdings", "coupons", "entries"),
    ),
    EffectType("issue_coupon", "Issues a unique code of a pool.", IssueCoupon, (("code_pool_id", "code_pool"),)),
    EffectType(
        "notify",
        "Puts a notification into the member's inbox: a text, or a template.",
        Notify,
        (("template_id", "template"),),
    ),
    EffectType("call_webhook", "Has one webhook told.", CallWebhook, (("webhook_id", "webhook"),)),
    EffectType("check_in", "Counts once for a streak.", CheckIn, (("streak_id", "streak"),)),
    EffectType("grant_freeze", "Gives freezes of a streak.", GrantFreeze, (("streak_id", "streak"),)),
    EffectType("add_to_segment", "Puts the member in a segment.", SegmentSettings, (("segment_id", "segment"),)),
    EffectType(
        "remove_from_segment", "Puts the member out of a segment.", SegmentSettings, (("segment_id", "segment"),)
    ),
    EffectType(
        "add_entries",
        "Adds entries to a competition.",
        AddEntries,
        (("competition_id", "competition"),),
        needs=("entries",),
    ),
    EffectType("remove_product", "Takes a product away.", RemoveProduct, (("product_id", "product"),)),
    EffectType(
        "set_attribute",
        "Sets a field of the member's profile, one that a profile may have; null takes it away.",
        SetAttribute,
    ),
    EffectType("enrol", "Lets the member join a campaign.", Enrol, (("campaign_id", "campaign"),)),
    EffectType(
        "emit",
        "Fires a trigger of your own, which other campaigns may listen to. The engine's own triggers are refused.",
        Emit,
    ),
)

EFFECTS: dict[str, EffectType] = {name: row for row in EFFECT_TYPES for name in (row.name, *row.aliases)}
