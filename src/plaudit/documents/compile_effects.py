"""Effects, and rewards, which are effects with a name, as the core carries them out."""

from collections.abc import Mapping

from plaudit.core import program as core
from plaudit.core.effects import add_entries, add_points, award_product, issue_coupon
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.metrics import Metric

from .effect import AudienceSpec, EffectSpec
from .reward import Reward


def effect_of_reward(reward_id: str, reward: Reward, metrics: Mapping[str, Metric]) -> core.Effect:
    """Return the effect that a reward's type stands for."""
    config = reward.config
    match reward.reward_type:
        case "points":
            effect_type = add_points.EFFECT
            points = add_points.AddPoints(amount=config["amount"], reason=reward.name)
            return core.Effect(effect_type.name, effect_type.compile(points, metrics))
        case "product":
            product = award_product.AwardProduct(product_id=config["productId"], quantity=config.get("quantity", 1))
            return core.Effect(award_product.EFFECT.name, product)
        case "competition_entry":
            entries = add_entries.AddEntries(competition_id=config["competitionId"], entries=config.get("entries", 1))
            return core.Effect(add_entries.EFFECT.name, entries)
        case "unique_coupon":
            unique = issue_coupon.UniqueCouponSettings(reward_id, config["codePoolId"], once=True)
            return core.Effect(issue_coupon.EFFECT.name, unique)
        case "non_unique_coupon":
            terms = {name: config[name] for name in ("discountType", "discountValue")}
            shared = issue_coupon.SharedCouponSettings(reward_id, config["code"], terms)
            return core.Effect(issue_coupon.EFFECT.name, shared)


def audience_of(segments: AudienceSpec | None) -> core.Audience | None:
    """Return who a campaign or an effect is for; None for everybody."""
    return None if segments is None else core.Audience(frozenset(segments.include), frozenset(segments.exclude))


def compile_effect(spec: EffectSpec, metrics: Mapping[str, Metric]) -> core.Effect:
    """Return an effect, ready to be applied."""
    effect_type = EFFECTS[spec.type]
    return core.Effect(effect_type.name, effect_type.compile(spec.settings(), metrics), audience_of(spec.segments))
