"""Effects, and rewards, which are effects with a name, as the core carries them out."""

from collections.abc import Mapping
from typing import Any

from plaudit.core import effect_settings as fs
from plaudit.core import effects as fx
from plaudit.core import program as core
from plaudit.core.expressions import Expression
from plaudit.core.metrics import Metric, to_scaled
from plaudit.core.segments import change_segment
from plaudit.core.streaks import check_in_effect, grant_freeze_effect

from .compile_messages import notification_of
from .effect import AudienceSpec, EffectSpec
from .reward import Reward


def effect_of_reward(reward_id: str, reward: Reward, metrics: Mapping[str, Metric]) -> core.Effect:
    config = reward.config
    match reward.reward_type:
        case "points":
            summed = _sum("points", config["amount"], reward.name, metrics)
            return core.Effect("add_points", summed, fx.add_metric)
        case "product":
            settings = fs.AwardProduct(product_id=config["productId"], quantity=config.get("quantity", 1))
            return core.Effect("award_product", settings, fx.award_product)
        case "competition_entry":
            entries = fs.AddEntries(competition_id=config["competitionId"], entries=config.get("entries", 1))
            return core.Effect("add_entries", entries, fx.add_entries)
        case "unique_coupon":
            drawn = fx.UniqueCouponSettings(reward_id, config["codePoolId"], once=True)
            return core.Effect("issue_coupon", drawn, fx.draw_coupon)
        case "non_unique_coupon":
            terms = {name: config[name] for name in ("discountType", "discountValue")}
            return core.Effect("share_code", fx.SharedCouponSettings(reward_id, config["code"], terms), fx.share_code)


def _sum(metric_id: str, amount: Any, reason: str | None, metrics: Mapping[str, Metric]) -> fx.AmountSettings:
    if isinstance(amount, str):
        return fx.AmountSettings(metric_id, None, Expression(amount), reason)
    metric = metrics.get(metric_id)
    fixed = to_scaled(amount, metric.decimals if metric else 0)
    return fx.AmountSettings(metric_id, fixed, None, reason)


def audience_of(segments: AudienceSpec | None) -> core.Audience | None:
    """Whom a campaign or an effect is for."""
    return None if segments is None else core.Audience(frozenset(segments.include), frozenset(segments.exclude))


def compile_effect(spec: EffectSpec, metrics: Mapping[str, Metric]) -> core.Effect:
    match spec.settings():
        case fs.AddPoints() as points:
            settings: Any = _sum("points", points.amount, points.reason, metrics)
            apply: Any = fx.add_metric
        case fs.AddMetric() as some:
            settings, apply = _sum(some.metric, some.amount, some.reason, metrics), fx.add_metric
        case fs.AwardProduct() as settings:
            apply = fx.award_product
        case fs.GrantReward() as settings:
            apply = fx.grant_reward
        case fs.IssueCoupon() as issue:
            settings, apply = (
                fx.UniqueCouponSettings(issue.code_pool_id, issue.code_pool_id, once=False),
                fx.draw_coupon,
            )
        case fs.Notify() as note:
            settings, apply = notification_of(note), fx.apply_notify
        case fs.CallWebhook() as settings:
            apply = fx.call_webhook
        case fs.Emit() as settings:
            apply = fx.emit
        case fs.SegmentSettings() as named:
            settings, apply = fs.ChangeSegment(named.segment_id, spec.type == "add_to_segment"), change_segment
        case fs.AddEntries() as settings:
            apply = fx.add_entries
        case fs.RemoveProduct() as settings:
            apply = fx.remove_product
        case fs.SetAttribute() as settings:
            apply = fx.set_attribute
        case fs.Enrol() as settings:
            apply = fx.apply_enrol
        case fs.CheckIn() as settings:
            apply = check_in_effect
        case fs.GrantFreeze() as settings:
            apply = grant_freeze_effect
        case unknown:  # a row of EFFECTS without its line here: a mistake of ours, found by the first test
            raise TypeError(f"{type(unknown).__name__} cannot be compiled")
    return core.Effect(spec.type, settings, apply, audience_of(spec.segments))
