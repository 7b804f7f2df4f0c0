"""The effect `grant_reward`. A reward has one effect, which its type determines."""

from collections.abc import Sequence

from msgspec import structs

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace, Refusal

from .amounts import AmountSettings
from .effect_type import EffectSettings, EffectType, Id, NamedDocument, Preview, PreviewReward, Text


class GrantReward(EffectSettings, frozen=True):
    reward_id: Id
    reason: Text | None = None


def apply(context: Context, place: EffectPlace, settings: GrantReward) -> EffectTrace:
    """Grant a reward."""
    return grant(context, place, settings.reward_id)


def grant(context: Context, place: EffectPlace, reward_id: str, reason: str | None = None) -> EffectTrace:
    """Grant a reward. Its transaction has this `reason`, or the reward's own if None."""
    reward = context.program.rewards.get(reward_id)
    if reward is None:
        return EffectTrace(place.index, Refusal.reward_not_found, reward_id)
    if not reward.active:
        return EffectTrace(place.index, Refusal.reward_inactive, reward_id)
    effect = reward.effect
    if reason is not None and isinstance(effect.settings, AmountSettings):
        effect = structs.replace(effect, settings=structs.replace(effect.settings, reason=reason))
    result = context.apply_effect(effect, place)
    if result.refusal is not None:
        return EffectTrace(place.index, result.refusal, result.outcome, result.amount)
    data = {"rewardId": reward.reward_id, "rewardType": reward.type}
    context.emit("reward.granted", data, place.cause)
    return EffectTrace(place.index, None, data | {"given": result.outcome}, result.amount)


def preview(settings: GrantReward, preview_reward: PreviewReward) -> Sequence[Preview]:
    return preview_reward(settings.reward_id)


EFFECT = EffectType(
    name="grant_reward",
    sentence="Grant a reward of any type.",
    settings=GrantReward,
    references=(NamedDocument("reward", "reward_id"),),
    needs=("holdings", "coupons", "entries"),
    apply=apply,
    preview=preview,
)
