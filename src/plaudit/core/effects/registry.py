"""All effects, in the order of the reference. To add an effect, add a module to this folder and to this list.

The mechanics add theirs (see `mechanics.registry`).
"""

from collections.abc import Iterable
from typing import Protocol

from plaudit.core.context import ApplyEffect

from . import (
    add_metric,
    add_points,
    award_product,
    call_webhook,
    emit,
    enrol,
    grant_reward,
    issue_coupon,
    notify,
    remove_product,
    set_attribute,
)
from .effect_type import EffectType


class EffectModule(Protocol):
    """A module that describes an effect."""

    EFFECT: EffectType


class EffectRegistry(dict[str, EffectType]):
    """Types of effects by name and alias.

    `types` has each type once. `appliers` maps names to `apply` functions, so a decision needs one lookup per effect.
    """

    def __init__(self, modules: Iterable[EffectModule]) -> None:
        super().__init__()
        self.types: list[EffectType] = []
        self.appliers: dict[str, ApplyEffect] = {}
        for module in modules:
            self.register(module)

    def register(self, module: EffectModule) -> None:
        """Add the effect of a module."""
        self.add(module.EFFECT)

    def unregister(self, module: EffectModule) -> None:
        """Remove the effect of a module."""
        self.remove(module.EFFECT)

    def add(self, effect_type: EffectType) -> None:
        """Add an effect to everything that lists, checks, compiles or applies effects."""
        self.types.append(effect_type)
        self.appliers[effect_type.name] = effect_type.apply
        self.update(dict.fromkeys((effect_type.name, *effect_type.aliases), effect_type))

    def remove(self, effect_type: EffectType) -> None:
        """Remove an effect."""
        self.types.remove(effect_type)
        del self.appliers[effect_type.name]
        for name in (effect_type.name, *effect_type.aliases):
            del self[name]


EFFECTS = EffectRegistry(
    (
        add_points,
        add_metric,
        award_product,
        grant_reward,
        issue_coupon,
        notify,
        call_webhook,
        remove_product,
        set_attribute,
        enrol,
        emit,
    )
)
