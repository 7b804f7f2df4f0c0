"""All effects, in the order of the reference. A new effect is a module of this folder and its line in this list."""

from collections.abc import Iterable
from typing import Protocol

from plaudit.core.context import ApplyEffect

from . import (
    add_entries,
    add_metric,
    add_points,
    add_to_segment,
    award_product,
    call_webhook,
    check_in,
    emit,
    enrol,
    grant_freeze,
    grant_reward,
    issue_coupon,
    notify,
    remove_from_segment,
    remove_product,
    set_attribute,
)
from .effect_type import EffectType


class EffectModule(Protocol):
    """A module that describes an effect."""

    EFFECT: EffectType


class EffectRegistry(dict[str, EffectType]):
    """Types of effect by their names and aliases.

    `types` has each once. `appliers` are their functions by name: a decision finds with one look what applies an effect.
    """

    def __init__(self, modules: Iterable[EffectModule]) -> None:
        super().__init__()
        self.types: list[EffectType] = []
        self.appliers: dict[str, ApplyEffect] = {}
        for module in modules:
            self.register(module)

    def register(self, module: EffectModule) -> None:
        """Add an effect. Everything that lists, checks, compiles or applies effects knows it from then on."""
        effect_type = module.EFFECT
        self.types.append(effect_type)
        self.appliers[effect_type.name] = effect_type.apply
        self.update(dict.fromkeys((effect_type.name, *effect_type.aliases), effect_type))

    def unregister(self, module: EffectModule) -> None:
        """Remove an effect."""
        self.types.remove(module.EFFECT)
        del self.appliers[module.EFFECT.name]
        for name in (module.EFFECT.name, *module.EFFECT.aliases):
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
        check_in,
        grant_freeze,
        add_to_segment,
        remove_from_segment,
        add_entries,
        remove_product,
        set_attribute,
        enrol,
        emit,
    )
)
