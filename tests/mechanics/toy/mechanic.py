"""The toy as a mechanic: what it plugs in where."""

from collections import defaultdict

from msgspec import Struct, structs

from plaudit.core.cause import Cause
from plaudit.core.commands.command_type import CommandType, trace_command
from plaudit.core.decision import EffectTrace, Trace
from plaudit.core.effects.effect_type import EffectSettings, EffectType, Id, NamedDocument
from plaudit.core.profile_fields import Keeper, ProfileField
from plaudit.core.program import MechanicListener
from plaudit.core.triggers import EngineTrigger
from plaudit.documents.compile_effects import compile_effect
from plaudit.mechanics.base import CompiledDocuments, Mechanic

from .document import DOCUMENT
from .rules import KIND, CardState, CompiledCard, ToyRefusal, empty, stamp
from .view import CardView, OwnCard


class StampToy(EffectSettings, frozen=True):
    toy_id: Id
    number: int = 1


def stamp_toy(context, place, settings):
    card = context.program.compiled(KIND, settings.toy_id)
    if card is None:
        return EffectTrace(place.index, ToyRefusal.toy_missing, settings.toy_id)
    state, _ = stamp(context, card, settings.number)
    return EffectTrace(place.index, None, {"stamps": state.stamps})


class EmptyOrder(Struct, frozen=True, rename="camel"):
    toy_id: str


def empty_card(context, order):
    cause = Cause(KIND, order.toy_id)
    if context.program.compiled(KIND, order.toy_id) is None:
        return trace_command(context, ToyRefusal.toy_missing, cause)
    empty(context, order.toy_id)
    return trace_command(context, None, cause)


class Toys(Mechanic):
    kind = KIND
    collection = "toys"
    state = CardState
    says_what_counted = True
    document = DOCUMENT
    effects = (
        EffectType(
            name="stamp_toy", sentence="Stamp a card.", settings=StampToy, apply=stamp_toy,
            references=(NamedDocument(KIND, "toy_id"),),
        ),
    )  # fmt: skip
    commands = (CommandType(kind="toy", order=EmptyOrder, apply=empty_card),)
    triggers = (EngineTrigger("toy.full", "A card is full.", {"toyId": "string", "full": "number"}),)
    refusals = {ToyRefusal.toy_missing: "The card does not exist."}
    scope_parts = ("stamps", "full")
    profile_fields = (
        ProfileField(
            name="fullCards", type="number", group="engagement", kept_by=Keeper.engine, parts=("toys",), is_standard=False,
            value=lambda source: sum(state.full for state in source.member.states.get(KIND, {}).values()),
        ),
    )  # fmt: skip
    property_parts = (("full", "number"),)
    state_view = CardView
    own_view = OwnCard
    renews_states = True
    import_name = "stamps"
    import_type = import_spelling = int
    undo_name = "stampsLost"
    undo_type = int
    undone_first = False
    undone_counts = ("cards",)

    def compile(self, documents, metrics, others):
        cards, listeners, earning = {}, defaultdict(list), defaultdict(list)
        for card_id, card in documents[KIND].items():
            effects = tuple(compile_effect(spec, metrics) for spec in card.effects)
            cards[card_id] = CompiledCard(card_id, card.name, card.size, card.days, effects)
            listener = MechanicListener(mechanic=KIND, target=cards[card_id], cause=Cause(KIND, card_id))
            listeners[card.trigger].append(listener)
            if card.metric is not None:
                earning[card.metric].append(listener)
        return CompiledDocuments(cards, listeners, earning)

    def effects_of(self, compiled):
        return compiled.effects

    def scope_fields(self, compiled, state):
        return {"stamps": state.stamps, "full": state.full}

    def own_views(self, program, member, now):
        return [
            OwnCard(toy_id=card_id, name=card.name, stamps=state.stamps, full=state.full)
            for card_id, card in program.mechanics[KIND].items()
            if (state := member.states[KIND].get(card_id)) is not None
        ]

    def meet(self, context, listener):
        state, effects = stamp(context, listener.target)
        trigger = context.event.trigger if context.event.depth else None
        return Trace(listener.cause.logged, 0, 0, None, [], effects, trigger, {"stamps": state.stamps})

    def count_earned(self, context, compiled, amount, at, counted_in):
        stamp(context, compiled)

    def has_counted(self, compiled, trace, user_id, now, at):
        return at <= now

    def renewed(self, compiled, state):
        return structs.replace(state, stamps=min(state.stamps, compiled.size - 1))

    def import_state(self, context, document_id, record):
        card = context.program.compiled(KIND, document_id)
        if card is None:
            return ToyRefusal.toy_missing
        stamp(context, card, record)
        return None

    def to_undo(self, program, real, would):
        cards, others = (member.states.get(KIND, {}) for member in (real, would))
        more = {key: state.stamps - others.get(key, CardState()).stamps for key, state in cards.items()}
        return {key: number for key, number in more.items() if number > 0}

    def undo(self, context, parts):
        for card_id, number in parts.items():
            stamp(context, context.program.compiled(KIND, card_id), -number)

    def count_undone(self, before, after):
        return {"cards": sum(state.stamps < before.get(key, state).stamps for key, state in after.items())}

    def run_due(self, context, compiled, state):
        empty(context, compiled.card_id)


MECHANIC = Toys()
