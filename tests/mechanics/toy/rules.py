"""Stamp cards as deciding needs them: compiled, kept, stamped, emptied."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, structs

from plaudit.core.cause import Cause
from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace
from plaudit.core.member import states_of
from plaudit.core.program import Effect

KIND = "toy"


class ToyRefusal(StrEnum):
    toy_missing = "toy_missing"
    toy_stamped = "toy_stamped"


class CompiledCard(Struct, frozen=True):
    card_id: str
    name: str
    size: int
    days: int
    effects: tuple[Effect, ...]


class CardState(Struct, frozen=True, array_like=True):
    stamps: int = 0
    full: int = 0
    due_at: datetime | None = None


def stamp(context: Context, card: CompiledCard, number: int = 1) -> tuple[CardState, list[EffectTrace]]:
    before: CardState = context.member.states.get(KIND, {}).get(card.card_id, CardState())
    stamps = before.stamps + number
    times, left = divmod(stamps, card.size)
    due_at = context.now + timedelta(days=card.days) if left else None
    state = CardState(left, before.full + times, due_at)
    states_of(context.member, KIND)[card.card_id] = state
    context.changed_parts.update((f"toys.{card.card_id}", "toys"))
    effects: list[EffectTrace] = []
    for _ in range(times):
        place = Cause(KIND, card.card_id)
        effects += [context.carry_out(effect, EffectPlace(place, 0, i)) for i, effect in enumerate(card.effects)]
        context.emit("toy.full", {"toyId": card.card_id, "full": state.full}, place)
    return state, effects


def empty(context: Context, card_id: str) -> None:
    states = states_of(context.member, KIND)
    states[card_id] = structs.replace(states.get(card_id, CardState()), stamps=0, due_at=None)
    context.changed_parts.update((f"toys.{card_id}", "toys"))
