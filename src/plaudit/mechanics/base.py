"""The protocol of a mechanic: all that the rest of Plaudit asks of one. Every method and attribute has a default.

    document ──compile──► compiled ─┐
                     member's state ┴──► rules ──► state, effects, triggers ──► views, explanations, exports, verify

A mechanic is a folder with one instance `MECHANIC`, in the list of `registry`. It is as pure as the core, and nothing
outside names it.
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
from plaudit.core.ledger.earned import Earned
from plaudit.core.mechanic_rules import MechanicRules
from plaudit.core.member import Member, StateTable
from plaudit.core.metrics import Metric
from plaudit.core.profile_fields import ProfileField
from plaudit.core.program import Effect, MechanicListener, Program
from plaudit.core.triggers import EngineTrigger
from plaudit.documents.base import DocumentKind, MetricAmount, Reference
from plaudit.errors import FieldError

DocumentsByKind = Mapping[str, Mapping[str, Any]]  # of a programme: by kind and id; of a kind without any, empty
CompiledByKind = Mapping[str, Mapping[str, Any]]  # the same of compiled documents


class CompiledDocuments(Struct, frozen=True):
    """The documents of a mechanic as deciding needs them, by their ids, and who listens to which trigger.

    `earning` are those that count what is earned of a metric, by the metrics. `needs` are the parts of a member that they look
    at or change themselves, of those that a batch loads only if they are needed (see `EffectType.needs`). `parts`
    are those that look at a part of a member, by the parts: they are evaluated again when it changes.
    """

    by_id: Mapping[str, Any]
    listeners: Mapping[str, Sequence[MechanicListener]] = {}
    earning: Mapping[str, Sequence[MechanicListener]] = {}
    needs: frozenset[str] = frozenset()
    parts: Mapping[str, Sequence[MechanicListener]] = {}


def _never(_: Any) -> bool:
    return False


class CampaignPart(Struct, frozen=True, kw_only=True):
    """A document of the mechanic as a part of a campaign, which has the campaign's id.

    `name` is the field of a campaign that has it, `campaign_type` the type of the campaigns that may have it.
    `sentence` says what such a campaign does. `type` is the part's struct; `fixed` are fields that never change once written.
    `effects_in` is the field of the part, a list, whose items have effects. `complete` returns a campaign of that type
    with what was left out; `check` returns what is wrong with a campaign of any type. `references` and `amounts` take
    the part, and where it stands. `pays` says whether a part gives anything without the campaign's own effects.
    A campaign of a type that `stands_alone` needs neither triggers nor effects.
    `listener` returns the trigger and the condition under which the campaign's effects happen, for an id of a campaign;
    without one they happen by the campaign's own triggers.
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
    """A type of reward that does something in the mechanic.

    Its config has the document's id in `id_field`, and may say how many in `number_field`; `effect` returns what it does.
    """

    name: str
    document_kind: str
    id_field: str
    number_field: str
    effect: Callable[[Mapping[str, Any]], Effect]


class CriterionInWords(Struct, frozen=True):
    """A criterion of a document, for explanations: what is compared, how, and with what."""

    what: str
    operator: str
    value: Any


class RecountInvariant(Struct, frozen=True):
    """What `plaudit verify` finds to hold of events and states together, and what to do where it does not."""

    name: str
    remedy: str


class Recount:
    """What a mechanic checks while the log is decided again: `checked` states, and what is `wrong` with some of them.

    `see_event` is told what a document made of an event, in the order of the log; `see_state` each state after all of its
    member's events. A state is not `by_events` alone if it came from a merge or a rollback.
    """

    def __init__(self) -> None:
        self.checked = 0
        self.wrong: list[str] = []

    def see_event(
        self, member_id: UUID, document_id: str, compiled: Any | None, at: datetime, refusal: RefusalCode | None
    ) -> None:
        """Note what a document made of an event."""

    def see_state(self, member_id: UUID, document_id: str, state: Any, *, by_events: bool) -> None:
        """Check a state."""


class Mechanic(MechanicRules):
    """A mechanic: its rules, and what it adds to the rest. What it has none of may be left as it is here."""

    document: DocumentKind
    tables: Sequence[StateTable] = ()  # of its own, that states are kept in; without any, they are small documents
    campaign_part: CampaignPart | None = None
    effects: Sequence[EffectType] = ()
    rewards: Sequence[MechanicReward] = ()
    commands: Sequence[CommandType] = ()
    triggers: Sequence[EngineTrigger] = ()
    refusals: Mapping[str, str] = {}  # its own, with what each means
    former_refusals: Mapping[str, str] = {}  # what codes of earlier versions, which logs may have, are called today
    profile_fields: Sequence[ProfileField] = ()  # computed from a member's states
    shown_parts: Sequence[
        tuple[str, str]
    ] = ()  # of the `scope_parts`, with types: those that the API lists as properties
    shown_group: str = "engagement"  # of these properties
    counts_events: bool = False  # each of its documents counts an event once at most
    recount_invariant: RecountInvariant | None = None  # what its `recount` checks
    moves_members: bool = False  # between places of its documents, which the log's outcomes say
    import_spelling: Any = (
        None  # the type of what records of an import say of a document, in a field by the collection's name
    )
    scope_parts: Sequence[str] = ()  # what conditions and formulas see of a state: `<collection>.<id>.<part>`

    def compile(
        self, documents: DocumentsByKind, metrics: Mapping[str, Metric], others: CompiledByKind
    ) -> CompiledDocuments:
        """Compile the mechanic's documents, of all documents of a programme. `others` are those of mechanics before it."""
        return CompiledDocuments(documents[self.kind])

    def all_documents(self, documents: DocumentsByKind) -> Mapping[str, Any]:
        """Return the mechanic's documents, also those that campaigns have as a part, by their ids."""
        return documents[self.kind]

    def criteria_of(self, document: Any) -> Sequence[CriterionInWords] | None:
        """Return a document's criteria, by the numbers of the checks that its traces have; None if it has none of the kind."""
        return None

    def effects_of(self, compiled: Any) -> Iterable[Effect]:
        """Return the effects that a compiled document may lead to."""
        return ()

    def scope_fields(self, compiled: Any | None, state: Any) -> dict[str, Any]:
        """Return what conditions and formulas see of a state: the `scope_parts`. The document may have gone."""
        return {}

    def states_to_show(self, documents: Mapping[str, Any], states: Mapping[str, Any]) -> dict[str, Any]:
        """Return the states that profiles show, by the documents' ids: of those that there are."""
        return {key: state for key, state in states.items() if key in documents}

    def metric_of(self, compiled: Any) -> str | None:
        """Return the metric by whose earnings members are placed on a document that is new or has changed; None: by none."""
        return None

    def placed(self, program: Program, member: Member, compiled: Any, earned: Iterable[Earned], now: datetime) -> Any:
        """Return the state of a member as if the document had always been there, by what was earned (in order of time)."""
        return None

    def spelled_out(self, brought: Any) -> Any:
        """Return what a record of an import says of a document (see `import_spelling`) as the order has it."""
        return brought

    def recount(self) -> Recount:
        """Return what checks the log as it is decided again."""
        return Recount()

    def as_kept(self, state: Any, was: Any | None) -> Any:
        """Return a state that comes of the log without what an earlier version, which kept `was`, did not remember."""
        return state

    @property
    def checks_states(self) -> bool:
        """Whether anything must hold of a state, whatever came before (see `unsound`)."""
        return type(self).unsound is not MechanicRules.unsound

    @property
    def tag(self) -> str:
        """The heading of its operations in the API's description."""
        return self.collection.capitalize()
