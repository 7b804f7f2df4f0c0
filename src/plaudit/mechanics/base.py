"""The protocol of a mechanic: everything that the rest of Plaudit calls or reads. Most of it has a default.

    document ──compile──► compiled ─┐
                     member's state ┴──► rules ──► state, effects, triggers ──► views, explanations, exports, verify

A mechanic is a folder with one instance `MECHANIC`, listed in `registry`. It is as pure as the core: its operations, chores
and queries are in other packages. No other module names it, except those listed in `tests/contracts/test_mechanics.py`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from plaudit.core.commands.command_type import CommandType
from plaudit.core.conditions import Condition
from plaudit.core.decision import RefusalCode
from plaudit.core.effects.effect_type import EffectType
from plaudit.core.event import Event
from plaudit.core.ledger.earned import Earned
from plaudit.core.mechanic_rules import MechanicRules
from plaudit.core.member import Member, StateList, StateTable
from plaudit.core.metrics import Metric
from plaudit.core.profile_fields import ProfileField
from plaudit.core.program import Effect, MechanicListener, Program
from plaudit.core.triggers import EngineTrigger
from plaudit.documents.base import DocumentKind, MetricAmount, Reference
from plaudit.errors import FieldError
from plaudit.view import View

DocumentsByKind = Mapping[str, Mapping[str, Any]]  # a programme's documents by kind and id; every kind is a key
CompiledByKind = Mapping[str, Mapping[str, Any]]  # compiled documents by kind and id


class CompiledDocuments(Struct, frozen=True):
    """A mechanic's compiled documents by id, and their listeners by trigger.

    `earning` lists, by metric, the documents that count its earnings. `needs` are the parts of a member that the
    documents read or change and that a batch only loads on demand (see `EffectType.needs`). `parts` lists, by part of
    a member, the documents to re-evaluate when the part changes.
    """

    by_id: Mapping[str, Any]
    listeners: Mapping[str, Sequence[MechanicListener]] = {}
    earning: Mapping[str, Sequence[MechanicListener]] = {}
    needs: frozenset[str] = frozenset()
    parts: Mapping[str, Sequence[MechanicListener]] = {}


def _never(_: Any) -> bool:
    return False


class CampaignPart(Struct, frozen=True, kw_only=True):
    """A document of the mechanic that is part of a campaign and shares the campaign's id.

    `name` is the campaign's field, `campaign_type` the type of campaigns that may have it. `sentence` describes such a
    campaign. `type` is the part's struct; `fixed` are fields that never change. `effects_in` names the part's list
    whose items have effects. `complete` fills in a campaign's defaults; `check` returns the errors of a campaign of any
    type. `references` and `amounts` take the part and the path of its fields. `pays` returns whether a part pays
    anything without the campaign's own effects. If `stands_alone`, campaigns of the type need neither triggers nor
    effects. `listener` takes a campaign's id and returns the trigger and condition that run the campaign's effects;
    without it, the campaign's own triggers run them.
    """

    name: str
    campaign_type: str
    sentence: str
    type: type[Struct]
    fixed: tuple[str, ...] = ()
    effects_in: str
    complete: Callable[[Any], Any]
    check: Callable[[Any], list[FieldError]]
    references: Callable[[Any, str], list[Reference]]
    amounts: Callable[[Any, str], list[MetricAmount]]
    pays: Callable[[Any], bool] = _never
    stands_alone: bool = False
    listener: Callable[[str], tuple[str, Condition]] | None = None


class MechanicReward(Struct, frozen=True, kw_only=True):
    """A type of reward that acts on the mechanic.

    Its config has the document's id in `id_field` and an optional number in `number_field`; `effect` makes the effect
    from it.
    """

    name: str
    document_kind: str
    id_field: str
    number_field: str
    effect: Callable[[Mapping[str, Any]], Effect]


class CriterionInWords(Struct, frozen=True):
    """A document's criterion for explanations: the field, the operator, and the value."""

    what: str
    operator: str
    value: Any


class RecountInvariant(Struct, frozen=True):
    """An invariant over events and states that `plaudit verify` checks, and the remedy for a violation."""

    name: str
    remedy: str


class Recount:
    """A mechanic's checks during a replay: the number of `checked` states, and a sentence on each `wrong` one.

    A replay calls `see_event` for each document's trace of an event, in the order of the log, then `see_state` for each
    state of the member. `by_events` is false if a merge or a rollback changed the state.
    """

    def __init__(self) -> None:
        self.checked = 0
        self.wrong: list[str] = []

    def see_event(
        self, member_id: UUID, document_id: str, compiled: Any | None, at: datetime, refusal: RefusalCode | None
    ) -> None:
        """Record a document's result for an event; `compiled` is None if the document was deleted."""

    def see_state(self, member_id: UUID, document_id: str, state: Any, *, by_events: bool) -> None:
        """Check a state."""


class Mechanic(MechanicRules):
    """A mechanic: its rules, and what it adds to the API, profiles, imports and checks. Omit what it does not have."""

    document: DocumentKind
    tables: Sequence[StateTable] = ()  # its own tables of states; without any, states are stored as JSON documents
    lists: Sequence[StateList] = ()  # its tables of the members of a document
    campaign_part: CampaignPart | None = None
    effects: Sequence[EffectType] = ()
    rewards: Sequence[MechanicReward] = ()
    commands: Sequence[CommandType] = ()
    triggers: Sequence[EngineTrigger] = ()
    refusals: Mapping[str, str] = {}  # the meanings of its refusal codes
    former_refusals: Mapping[str, str] = {}  # current refusal codes by the codes that earlier versions logged
    error_codes: Mapping[str, tuple[tuple[int, ...], str]] = {}  # HTTP statuses and meanings of its operations' errors
    profile_fields: Sequence[ProfileField] = ()  # fields that are computed from a member's states
    property_parts: Sequence[
        tuple[str, str]
    ] = ()  # the `scope_parts` that the API lists as properties, and their types
    property_group: str = "engagement"  # the group of these properties
    state_view: Any = None  # the type of a state's view in profiles; None: profiles do not show it
    profile_field: str | None = None  # the profile field that holds these views; default: the collection's name
    own_view: type[View] | None = None  # the view of a document in the member's own list; None: no such list
    own_summary: str = ""  # the summary of the operation that returns this list; default: from the collection's name
    counts_events: bool = False  # each of its documents counts an event at most once
    recount_invariant: RecountInvariant | None = None  # what its `recount` checks
    moves_members: bool = False  # its documents have places, and decisions log the member's moves between them
    import_spelling: Any = None  # the type of a document's value in import records (field: the collection's name)
    scope_parts: Sequence[str] = ()  # the parts of a state in conditions and formulas: `<collection>.<id>.<part>`

    def compile(
        self, documents: DocumentsByKind, metrics: Mapping[str, Metric], others: CompiledByKind
    ) -> CompiledDocuments:
        """Compile the mechanic's documents. `others` are the compiled documents of the mechanics before it."""
        return CompiledDocuments(documents[self.kind])

    def all_documents(self, documents: DocumentsByKind) -> Mapping[str, Any]:
        """Return the mechanic's documents by id, including those that are parts of campaigns."""
        return documents[self.kind]

    def criteria_of(self, document: Any) -> Sequence[CriterionInWords] | None:
        """Return a document's criteria in the order of its traces' checks, or None if it has no criteria."""
        return None

    def effects_of(self, compiled: Any) -> Iterable[Effect]:
        """Return the effects that a compiled document can run."""
        return ()

    def scope_fields(self, compiled: Any | None, state: Any) -> dict[str, Any]:
        """Return a state's `scope_parts` for conditions and formulas; `compiled` is None for a deleted document."""
        return {}

    def states_to_show(self, documents: Mapping[str, Any], states: Mapping[str, Any]) -> dict[str, Any]:
        """Return the states that profiles show, by document id: by default, those of existing documents."""
        return {key: state for key, state in states.items() if key in documents}

    def view(self, program: Program, member: Member, document_id: str, now: datetime) -> Any:
        """Return the `state_view` of a member's state, by default made from its `scope_parts`."""
        state = member.states[self.kind][document_id]
        return self.state_view(**self.scope_fields(program.compiled(self.kind, document_id), state))

    def own_views(self, program: Program, member: Member, now: datetime) -> Sequence[View]:
        """Return the `own_view`s of the documents that a member sees, with their state."""
        return ()

    def triggers_of_past(self, program: Program, order: Mapping[str, Any]) -> Sequence[str]:
        """Return the triggers of past events to count before this command runs, if it evaluates a member for a document."""
        return ()

    def counted_in_past(
        self, program: Program, order: Mapping[str, Any], past: Sequence[Event], now: datetime
    ) -> dict[str, Any]:
        """Return the document's counts of these past events, as fields to add to the command's data."""
        return {}

    def metric_of(self, compiled: Any) -> str | None:
        """Return the metric whose earnings place members on a new or changed document, or None."""
        return None

    def placed(self, program: Program, member: Member, compiled: Any, earned: Iterable[Earned], now: datetime) -> Any:
        """Return a member's state as if the document had always existed, from their earnings in chronological order."""
        return None

    def to_import_order(self, value: Any) -> Any:
        """Return an import record's value for a document (an `import_spelling`) as an `import_type`."""
        return value

    def recount(self) -> Recount:
        """Return the checks for a replay of the log."""
        return Recount()

    def comparable_state(self, replayed: Any, stored: Any | None) -> Any:
        """Return a replayed state without the details that the version that stored `stored` did not record."""
        return replayed

    @property
    def checks_states(self) -> bool:
        """Whether the mechanic checks its states' invariants (see `unsound`)."""
        return type(self).unsound is not MechanicRules.unsound

    @property
    def name_in_profiles(self) -> str:
        """The profile field that holds the views of states."""
        return self.profile_field or self.collection

    @property
    def tag(self) -> str:
        """The heading of the mechanic's operations in the API's description."""
        return self.collection.capitalize()
