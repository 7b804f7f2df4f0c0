"""Rewards: what can be granted, manually or by a campaign; each type has its own configuration."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from plaudit.core.effects.effect_type import Preview
from plaudit.core.metrics import AMOUNT_MAX
from plaudit.core.operators import is_number
from plaudit.errors import FieldError
from plaudit.mechanics.registry import MECHANICS

from .base import Document, DocumentKind, Media, MetricAmount, Reference

# Those that do something in a mechanic, by their names.
MECHANIC_REWARDS = {kind.name: kind for mechanic in MECHANICS.values() for kind in mechanic.rewards}
if TYPE_CHECKING:
    RewardType = str
else:
    RewardType = Literal[("points", "product", *MECHANIC_REWARDS, "unique_coupon", "non_unique_coupon")]

# What each type's configuration may hold: the name of the field that another document is named by, and its kind.
_REFERENCES = {
    "product": ("productId", "product"),
    **{name: (kind.id_field, kind.document_kind) for name, kind in MECHANIC_REWARDS.items()},
    "unique_coupon": ("codePoolId", "code_pool"),
}
_FIELDS = {
    "points": {"amount"},
    "product": {"productId", "quantity"},
    **{name: {kind.id_field, kind.number_field} for name, kind in MECHANIC_REWARDS.items()},
    "unique_coupon": {"codePoolId", "discountType", "discountValue"},
    "non_unique_coupon": {"code", "discountType", "discountValue"},
}


_NUMBERS = ("quantity", *(kind.number_field for kind in MECHANIC_REWARDS.values()))
_DISCOUNT = frozenset({"discountType", "discountValue"})


class Reward(Document, kw_only=True):
    """Something to grant, of one of five types. `link`: where its coupon can be used."""

    reward_type: RewardType
    config: dict[str, Any]
    status: Literal["active", "inactive"] = "active"
    link: Media | None = None


def _positive(value: Any) -> bool:
    return is_number(value) and 0 < value <= AMOUNT_MAX


def _positive_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1_000_000


def _check(reward: Reward) -> Sequence[FieldError]:
    config = reward.config
    kind = reward.reward_type
    wrong = [
        FieldError(f"config.{name}", f"is not a field of a {kind} reward's config")
        for name in sorted(config.keys() - _FIELDS[kind])
    ]

    def require(holds: bool, name: str, wanted: str) -> None:
        if not holds:
            sentence = f"Config for {kind} reward must include {name} ({wanted})"
            wrong.append(FieldError(f"config.{name}", sentence))

    match kind:
        case "points":
            require(_positive(config.get("amount")), "amount", "positive number")
        case "non_unique_coupon":
            code: Any = config.get("code")
            require(isinstance(code, str) and 0 < len(code) <= 64, "code", "non-empty string")
            _require_discount(config, require)
        case _:
            name, _kind = _REFERENCES[kind]
            named = config.get(name)
            require(isinstance(named, str) and 0 < len(named) <= 64, name, "string")
            for count in _NUMBERS:
                if count in config:
                    require(_positive_integer(config[count]), count, "positive number")
            if config.keys() & _DISCOUNT:
                _require_discount(config, require)
    return wrong


def _require_discount(config: dict[str, Any], require: Callable[[bool, str, str], None]) -> None:
    value: Any = config.get("discountValue")
    require(config.get("discountType") in ("percentage", "fixed"), "discountType", "percentage or fixed")
    require(is_number(value) and value >= 0, "discountValue", "non-negative number")


def _references(reward: Reward) -> Sequence[Reference]:
    if reward.reward_type == "points":
        return (Reference("config.amount", "metric", "points"),)
    if reward.reward_type not in _REFERENCES:
        return ()
    name, kind = _REFERENCES[reward.reward_type]
    return (Reference(f"config.{name}", kind, str(reward.config[name])),)


def preview_reward(reward_id: str, reward: Reward) -> Sequence[Preview]:
    """Return what a reward will give, as far as it is known beforehand."""
    match reward.reward_type:
        case "points":
            return (Preview("metric", "points", reward.config["amount"]),)
        case "product":
            return (Preview("product", reward.config["productId"]),)
        case "unique_coupon" | "non_unique_coupon":
            return (Preview("coupon", reward_id),)
        case _:
            return ()


def _amounts(reward: Reward) -> Sequence[MetricAmount]:
    if reward.reward_type != "points":
        return ()
    return (MetricAmount("config.amount", "points", reward.config["amount"]),)


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
