"""The list of all mechanics. A new mechanic is a folder and an entry in `MECHANICS`.

Mechanics count earnings and run timers in the order of the list. They receive events and take over merged members' states in
the reverse order.

`documents.compile` imports this module, so every process that decides events has registered all mechanics.
"""

from collections.abc import Callable, Iterable, Iterator

from plaudit.core.commands.registry import COMMANDS
from plaudit.core.decision import CODES_OF_TODAY
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.fields import StateScope, add_list, add_scope, remove_list, remove_scope
from plaudit.core.mechanic_rules import MECHANIC_RULES
from plaudit.core.member import GROUPINGS, RENEWED, STATE_KINDS, STATE_LISTS, STATE_TABLES, StateKind
from plaudit.core.profile_fields import Keeper, ProfileField, add_fields, remove_fields
from plaudit.core.refusals import MEANINGS
from plaudit.core.triggers import add_triggers, remove_triggers
from plaudit.documents.dialects import CAMPAIGN_PARTS

from .base import CampaignPart, Mechanic
from .competitions.mechanic import MECHANIC as COMPETITIONS
from .ladders.mechanic import MECHANIC as LADDERS
from .segments.mechanic import MECHANIC as SEGMENTS
from .streaks.mechanic import MECHANIC as STREAKS


def _fields_of(mechanic: Mechanic) -> list[ProfileField]:
    """Return a mechanic's profile fields, including its scope if it has one."""
    scope = ProfileField(
        name=mechanic.collection, type="object", group="mechanics", kept_by=Keeper.scope, is_standard=False
    )
    return [*mechanic.profile_fields, *([scope] if mechanic.scope_parts else [])]


class MechanicRegistry(dict[str, Mechanic]):
    """The mechanics by kind."""

    def __init__(self, mechanics: Iterable[Mechanic]) -> None:
        super().__init__()
        self._followers: list[Callable[[], None]] = []
        for mechanic in mechanics:
            self.register(mechanic)

    def register(self, mechanic: Mechanic) -> None:
        """Add a mechanic with its rules, effects, commands and triggers.

        Register before importing the API, which builds its response types only once.
        """
        kind = mechanic.kind
        self[kind] = MECHANIC_RULES[kind] = mechanic
        if mechanic.tables:
            STATE_TABLES.update((table.name, table) for table in mechanic.tables)
        else:
            STATE_KINDS[kind] = StateKind(mechanic.state, mechanic.collection)
        STATE_LISTS.update((listing.name, listing) for listing in mechanic.lists)
        if mechanic.renews_states:
            RENEWED[kind] = mechanic.renewed
        if mechanic.groups_members:
            GROUPINGS[kind] = mechanic.groups_in
            add_list(mechanic.collection)
        if mechanic.scope_parts:
            add_scope(mechanic.collection, StateScope(kind, tuple(mechanic.scope_parts), mechanic.scope_fields))
        add_fields(_fields_of(mechanic))
        for effect_type in mechanic.effects:
            EFFECTS.add(effect_type)
        for command in mechanic.commands:
            COMMANDS.add(command)
        if mechanic.campaign_part is not None:
            CAMPAIGN_PARTS[mechanic.campaign_part.name] = mechanic.campaign_part.effects_in
        add_triggers(mechanic.triggers)
        MEANINGS.update(mechanic.refusals)
        CODES_OF_TODAY.update(mechanic.former_refusals)
        self._notify_followers()

    def unregister(self, mechanic: Mechanic) -> None:
        """Remove a mechanic and everything that `register` added."""
        for by_kind in (self, MECHANIC_RULES):
            del by_kind[mechanic.kind]
        RENEWED.pop(mechanic.kind, None)
        STATE_KINDS.pop(mechanic.kind, None)
        for table in mechanic.tables:
            del STATE_TABLES[table.name]
        for listing in mechanic.lists:
            del STATE_LISTS[listing.name]
        if mechanic.groups_members:
            del GROUPINGS[mechanic.kind]
            remove_list(mechanic.collection)
        if mechanic.scope_parts:
            remove_scope(mechanic.collection)
        remove_fields(_fields_of(mechanic))
        for effect_type in mechanic.effects:
            EFFECTS.remove(effect_type)
        if mechanic.campaign_part is not None:
            del CAMPAIGN_PARTS[mechanic.campaign_part.name]
        for command in mechanic.commands:
            COMMANDS.remove(command)
        remove_triggers(mechanic.triggers)
        for refusal in mechanic.refusals:
            del MEANINGS[refusal]
        for code in mechanic.former_refusals:
            del CODES_OF_TODAY[code]
        self._notify_followers()

    def follow(self, update: Callable[[], None]) -> None:
        """Call `update` now and after every change of the list, so that it can rebuild what it derives from the list."""
        self._followers.append(update)
        update()

    def _notify_followers(self) -> None:
        for update in self._followers:
            update()

    def in_order_of_views(self) -> Iterator[Mechanic]:
        """Yield the mechanics in the order of profiles and of members' lists, which is that of events."""
        yield from reversed(self.values())

    def campaign_parts(self) -> Iterator[CampaignPart]:
        """Yield each mechanic's campaign part."""
        yield from (mechanic.campaign_part for mechanic in self.values() if mechanic.campaign_part is not None)


MECHANICS = MechanicRegistry((STREAKS, LADDERS, COMPETITIONS, SEGMENTS))
