"""Rewards, which are granted manually or by a campaign. Each type has its own configuration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from plaudit.core.effects.effect_type import Preview
from plaudit.errors import FieldError

from .base import Document, DocumentKind, Media, MetricAmount, Reference
from .reward_types import REWARD_TYPES

if TYPE_CHECKING:
    RewardTypeName = str
else:
    RewardTypeName = Literal[tuple(REWARD_TYPES)]


class Reward(Document, kw_only=True):
    """Something to grant to members, of one of five types. `link`: the page on which its coupon can be used."""

    reward_type: RewardTypeName
    config: dict[str, Any]
    status: Literal["active", "inactive"] = "active"
    link: Media | None = None


def _check(reward: Reward) -> Sequence[FieldError]:
    kind = REWARD_TYPES[reward.reward_type]
    wrong = [
        FieldError(f"config.{name}", f"is not a field of a {kind.name} reward's config")
        for name in sorted(reward.config.keys() - kind.fields)
    ]

    def require(is_valid: bool, name: str, expected: str) -> None:
        if not is_valid:
            sentence = f"Config for {kind.name} reward must include {name} ({expected})"
            wrong.append(FieldError(f"config.{name}", sentence))

    kind.check(reward.config, require)
    return wrong


def _references(reward: Reward) -> Sequence[Reference]:
    return REWARD_TYPES[reward.reward_type].references(reward.config)


def _amounts(reward: Reward) -> Sequence[MetricAmount]:
    return REWARD_TYPES[reward.reward_type].amounts(reward.config)


def preview_reward(reward_id: str, reward: Reward) -> Sequence[Preview]:
    """Return what a reward will give, as far as it is known in advance."""
    return REWARD_TYPES[reward.reward_type].preview(reward_id, reward.config)


KIND = DocumentKind(
    name="reward",
    title="Reward",
    collection="rewards",
    id_field="rewardId",
    id_prefix="rew_",
    type=Reward,
    filters=("status", "rewardType"),
    fixed=("rewardType",),
    check=_check,
    references=_references,
    amounts=_amounts,
)
