"""The effect `issue_coupon`, and the coupons of rewards and products."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import ClaimKind, EffectTrace, IssuedCoupon, Refusal
from plaudit.core.metrics import Metric

from .effect_type import EffectSettings, EffectType, Id, NamedDocument, Preview, PreviewReward, Text


class IssueCoupon(EffectSettings, frozen=True):
    code_pool_id: Id
    reason: Text | None = None


class UniqueCouponSettings(Struct, frozen=True):
    """A unique code from a pool, `once` per member or for each award. `origin_id` is the reward's, product's or pool's id."""

    origin_id: str
    pool_id: str
    once: bool


class SharedCouponSettings(Struct, frozen=True):
    """The same code for all members."""

    origin_id: str
    code: str
    terms: dict[str, Any]


def compile_settings(settings: IssueCoupon, _: Mapping[str, Metric]) -> UniqueCouponSettings:
    return UniqueCouponSettings(settings.code_pool_id, settings.code_pool_id, once=False)


def apply(context: Context, place: EffectPlace, settings: UniqueCouponSettings | SharedCouponSettings) -> EffectTrace:
    """Issue the member a coupon."""
    if isinstance(settings, UniqueCouponSettings):
        return issue_unique_code(context, place, settings)
    coupon = IssuedCoupon(
        context.effect_id(place, "/coupon"),
        settings.origin_id,
        None,
        settings.code,
        place.cause,
        context.now,
        None,
        settings.terms,
    )
    return _issue(context, place, coupon)


def issue_unique_code(context: Context, place: EffectPlace, settings: UniqueCouponSettings) -> EffectTrace:
    """Issue the member a unique code from a pool."""
    if settings.once and context.member.coupons.get(settings.origin_id):
        return EffectTrace(place.index, Refusal.coupon_already_issued, settings.origin_id)
    pool = context.program.pools.get(settings.pool_id)
    if pool is None:
        return EffectTrace(place.index, Refusal.pool_not_found, settings.pool_id)
    if not pool.active or (pool.expires_at is not None and pool.expires_at <= context.now):
        return EffectTrace(place.index, Refusal.pool_inactive, settings.pool_id)
    coupon_id = context.effect_id(place, "/coupon")
    refusal = context.claim(ClaimKind.code, pool.pool_id, claim_id=coupon_id)
    if refusal is not None:
        return EffectTrace(place.index, refusal, pool.pool_id)
    coupon = IssuedCoupon(coupon_id, settings.origin_id, pool.pool_id, None, place.cause, context.now, pool.expires_at)
    return _issue(context, place, coupon)


def _issue(context: Context, place: EffectPlace, coupon: IssuedCoupon) -> EffectTrace:
    context.coupons.append(coupon)
    counts = context.member.coupons
    counts[coupon.origin_id] = counts.get(coupon.origin_id, 0) + 1
    return EffectTrace(place.index, None, {"couponId": str(coupon.coupon_id)})


def preview(settings: IssueCoupon, _: PreviewReward) -> Sequence[Preview]:
    return (Preview("coupon", settings.code_pool_id),)


EFFECT = EffectType(
    name="issue_coupon",
    sentence="Issue the member a unique code from a code pool.",
    settings=IssueCoupon,
    field_aliases={"poolId": "codePoolId"},
    references=(NamedDocument("code_pool", "code_pool_id"),),
    compile=compile_settings,
    apply=apply,
    preview=preview,
)
