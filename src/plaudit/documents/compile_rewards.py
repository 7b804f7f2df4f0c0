"""Compile rewards, which are named effects, for the core."""

from collections.abc import Mapping

from plaudit.core import program as core
from plaudit.core.effects import add_points, award_product, issue_coupon
from plaudit.core.metrics import Metric

from .reward import MECHANIC_REWARDS, Reward


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
        case "unique_coupon":
            unique = issue_coupon.UniqueCouponSettings(reward_id, config["codePoolId"], once=True)
            return core.Effect(issue_coupon.EFFECT.name, unique)
        case "non_unique_coupon":
            terms = {name: config[name] for name in ("discountType", "discountValue")}
            shared = issue_coupon.SharedCouponSettings(reward_id, config["code"], terms)
            return core.Effect(issue_coupon.EFFECT.name, shared)
        case _:
            return MECHANIC_REWARDS[reward.reward_type].effect(config)
