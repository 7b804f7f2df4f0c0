"""The types of rewards. Each is one `RewardType`, with the checks, references and effect of its config."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from plaudit.core.effects import add_points, award_product, issue_coupon
from plaudit.core.effects.effect_type import Preview
from plaudit.core.metrics import AMOUNT_MAX, Metric
from plaudit.core.operators import is_number
from plaudit.core.program import Effect
from plaudit.mechanics.base import MechanicReward
from plaudit.mechanics.registry import MECHANICS

from .base import MetricAmount, Reference

Config = Mapping[str, Any]
Require = Callable[[bool, str, str], None]  # takes whether a field is valid, its name, and the expected value


def _none(*_: Any) -> tuple[()]:
    return ()


class RewardType(Struct, frozen=True, kw_only=True):
    """A type of reward, with the `fields` of its config. `effect` takes the reward's id, name and config, and the metrics."""

    name: str
    fields: frozenset[str]
    check: Callable[[Config, Require], None]
    references: Callable[[Config], Sequence[Reference]] = _none
    amounts: Callable[[Config], Sequence[MetricAmount]] = _none
    preview: Callable[[str, Config], Sequence[Preview]] = _none
    effect: Callable[[str, str, Config, Mapping[str, Metric]], Effect]


def _require_amount(config: Config, require: Require) -> None:
    value: Any = config.get("amount")
    require(is_number(value) and 0 < value <= AMOUNT_MAX, "amount", "positive number")


def _require_text(config: Config, require: Require, field: str, expected: str = "string") -> None:
    text: Any = config.get(field)
    require(isinstance(text, str) and 0 < len(text) <= 64, field, expected)


def _allow_number(config: Config, require: Require, field: str) -> None:
    if field in config:
        value: Any = config[field]
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        require(is_integer and 0 < value <= 1_000_000, field, "positive number")


def _require_discount(config: Config, require: Require) -> None:
    value: Any = config.get("discountValue")
    require(config.get("discountType") in ("percentage", "fixed"), "discountType", "percentage or fixed")
    require(is_number(value) and value >= 0, "discountValue", "non-negative number")


# ------------------------------------------------------------------------------------------------------------ points


def _effect_of_points(_: str, name: str, config: Config, metrics: Mapping[str, Metric]) -> Effect:
    points = add_points.AddPoints(amount=config["amount"], reason=name)
    return Effect(add_points.EFFECT.name, add_points.EFFECT.compile(points, metrics))


POINTS = RewardType(
    name="points",
    fields=frozenset({"amount"}),
    check=_require_amount,
    references=lambda _: (Reference("config.amount", "metric", "points"),),
    amounts=lambda config: (MetricAmount("config.amount", "points", config["amount"]),),
    preview=lambda _, config: (Preview("metric", "points", config["amount"]),),
    effect=_effect_of_points,
)


# ----------------------------------------------------------------------------------------------------------- product


def _check_product(config: Config, require: Require) -> None:
    _require_text(config, require, "productId")
    _allow_number(config, require, "quantity")


def _effect_of_product(_id: str, _name: str, config: Config, _: Mapping[str, Metric]) -> Effect:
    product = award_product.AwardProduct(product_id=config["productId"], quantity=config.get("quantity", 1))
    return Effect(award_product.EFFECT.name, product)


PRODUCT = RewardType(
    name="product",
    fields=frozenset({"productId", "quantity"}),
    check=_check_product,
    references=lambda config: (Reference("config.productId", "product", str(config["productId"])),),
    preview=lambda _, config: (Preview("product", config["productId"]),),
    effect=_effect_of_product,
)


# ----------------------------------------------------------------------------------------------------------- coupons

_DISCOUNT = frozenset({"discountType", "discountValue"})


def _check_unique_coupon(config: Config, require: Require) -> None:
    _require_text(config, require, "codePoolId")
    if config.keys() & _DISCOUNT:
        _require_discount(config, require)


def _effect_of_unique_coupon(reward_id: str, _name: str, config: Config, _: Mapping[str, Metric]) -> Effect:
    coupon = issue_coupon.UniqueCouponSettings(reward_id, config["codePoolId"], once=True)
    return Effect(issue_coupon.EFFECT.name, coupon)


UNIQUE_COUPON = RewardType(
    name="unique_coupon",
    fields=_DISCOUNT | {"codePoolId"},
    check=_check_unique_coupon,
    references=lambda config: (Reference("config.codePoolId", "code_pool", str(config["codePoolId"])),),
    preview=lambda reward_id, _: (Preview("coupon", reward_id),),
    effect=_effect_of_unique_coupon,
)


def _check_shared_coupon(config: Config, require: Require) -> None:
    _require_text(config, require, "code", "non-empty string")
    _require_discount(config, require)


def _effect_of_shared_coupon(reward_id: str, _name: str, config: Config, _: Mapping[str, Metric]) -> Effect:
    terms = {name: config[name] for name in ("discountType", "discountValue")}
    return Effect(issue_coupon.EFFECT.name, issue_coupon.SharedCouponSettings(reward_id, config["code"], terms))


SHARED_COUPON = RewardType(
    name="non_unique_coupon",
    fields=_DISCOUNT | {"code"},
    check=_check_shared_coupon,
    preview=lambda reward_id, _: (Preview("coupon", reward_id),),
    effect=_effect_of_shared_coupon,
)


# ------------------------------------------------------------------------------------------------- of the mechanics


def _of_mechanic(reward: MechanicReward) -> RewardType:
    """Return a mechanic's type of reward, whose config contains the id of one of the mechanic's documents."""

    def check(config: Config, require: Require) -> None:
        _require_text(config, require, reward.id_field)
        _allow_number(config, require, reward.number_field)

    return RewardType(
        name=reward.name,
        fields=frozenset({reward.id_field, reward.number_field}),
        check=check,
        references=lambda config: (
            Reference(f"config.{reward.id_field}", reward.document_kind, str(config[reward.id_field])),
        ),
        effect=lambda _id, _name, config, _metrics: reward.effect(config),
    )


_MECHANICS = [_of_mechanic(reward) for mechanic in MECHANICS.values() for reward in mechanic.rewards]
REWARD_TYPES = {kind.name: kind for kind in (POINTS, PRODUCT, *_MECHANICS, UNIQUE_COUPON, SHARED_COUPON)}
