"""Program: an organisation's configuration, compiled from its active documents; immutable, swapped as a whole."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import force_setattr

from .cause import UNKNOWN, Cause, campaign_cause
from .conditions import ALWAYS, Condition
from .expressions import Template
from .goals import ONCE, Goal
from .metrics import Metric
from .periods import Period
from .recurrence import Recurrence

# The longest chain of events that cause each other in a decision; campaigns do not accept events beyond it.
CASCADE_DEPTH_MAX = 16
# … and the most engine events in a decision, because campaigns that trigger each other multiply.
CASCADE_EVENTS_MAX = 500


class Effect(Struct, frozen=True):
    """An effect: its type's name (see `effects/registry`), its compiled settings, and its audience."""

    type: str
    settings: Any
    audience: "Audience | None" = None


class Texts(Struct, frozen=True):
    """A notification's texts (title and message) by locale. The notification is shown for `expires_after` at most."""

    display: str
    default: str
    by_locale: dict[str, tuple[Template | None, Template]]
    expires_after: timedelta | None = None

    def for_locale(self, locale: str) -> tuple[Template | None, Template]:
        """Return the title and message in a locale, or in its language, or in the default locale."""
        texts = self.by_locale.get(locale) or self.by_locale.get(locale.partition("-")[0])
        return texts if texts is not None else self.by_locale[self.default]


class PeriodLimit(Struct, frozen=True):
    period: Period
    count: int


class Step(Struct, frozen=True, kw_only=True):
    """A step of a campaign: its goal, its effects, and the notification of its completion."""

    name: str
    goal: Goal = ONCE
    effects: tuple[Effect, ...] = ()
    notification: Texts | str | None = None  # texts, or the id of a template


class Campaign(Struct, frozen=True, kw_only=True):
    """A compiled campaign. `starts_at` is inclusive, `ends_at` exclusive.

    A campaign with `steps` is completed when `required` of them are, in order if `sequential`. Then its own `effects` run,
    and if `repeatable` it starts again. `requires_enrolment`: it counts only for members who have joined it.
    """

    campaign_id: str
    name: str
    steps: tuple[Step, ...] = ()
    sequential: bool = True
    required: int = 1
    effects: tuple[Effect, ...] = ()
    repeatable: bool = False
    requires_enrolment: bool = False
    recurrence: Recurrence | None = None
    audience: "Audience | None" = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    exclusive_group: str | None = None
    limit_per_member: int | None = None
    limit_per_period: PeriodLimit | None = None
    limit_overall: int | None = None
    cooldown: timedelta = timedelta(0)
    notification: Texts | str | None = None  # of its completion
    ungated: bool = False  # it has no window, audience, group, limit, cooldown or enrolment (derived when compiled)
    cause: Cause = UNKNOWN  # derived from its id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", campaign_cause(self.campaign_id))


class Listener(Struct, frozen=True, kw_only=True):
    """One trigger of a campaign's step. `number` tells the step's triggers apart in the trace.

    `alone`: nothing else of the campaign listens to that trigger.
    """

    campaign: Campaign
    step: int
    number: int
    condition: Condition = ALWAYS
    effects: tuple[Effect, ...] = ()
    rule_id: str | None = None
    stops_processing: bool = False  # once it fires, the campaign's later listeners ignore the event
    alone: bool = False


class MechanicListener(Struct, frozen=True, kw_only=True):
    """A compiled document (`target`) of a mechanic, listening to a trigger, a metric or a part of a member.

    `cause` names it in the trace.
    """

    mechanic: str
    target: Any
    cause: Cause
    number: int = 0
    condition: Condition = ALWAYS


class Audience(Struct, frozen=True):
    """An audience: the members in any group of `include` (all members if empty) and in none of `exclude`."""

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def includes(self, groups: frozenset[str]) -> bool:
        """Return whether a member who belongs to these groups is in the audience."""
        return (not self.include or not self.include.isdisjoint(groups)) and self.exclude.isdisjoint(groups)


class Product(Struct, frozen=True, kw_only=True):
    product_id: str
    name: str
    type: str
    active: bool
    stock: int | None = None  # the number available in all; None: unlimited
    pool_id: str | None = None  # the code pool of its codes
    costs: tuple[tuple[str, int], ...] = ()  # the price of one: metrics and amounts (in smallest units)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    limit_per_member: int | None = None
    audience: "Audience | None" = None


class Reward(Struct, frozen=True, kw_only=True):
    """A reward, which `effect` grants; `type` is one of the five documented types."""

    reward_id: str
    name: str
    type: str
    active: bool
    effect: Effect


class Pool(Struct, frozen=True, kw_only=True):
    pool_id: str
    active: bool
    expires_at: datetime | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """An organisation's settings for all its campaigns."""

    auto_enrol: bool = True
    time_zone: str = "UTC"


class Program(Struct, frozen=True, kw_only=True):
    """An organisation's compiled configuration. `version` counts the changes of its documents.

    `listeners` maps a trigger to the campaigns' steps that listen to it, in the order in which they are evaluated.
    `outbound` maps a trigger to the types of the messages that webhooks receive for it. `needs` names the parts of a member
    that its documents can read or change, in addition to balances and progress. `mechanics` has the compiled documents of
    each mechanic by id (see `mechanic_rules`): `mechanic_listeners` maps a trigger to the ones that listen to it,
    `earning_listeners` a metric to the ones that count earned amounts, and `part_listeners` a part of a member to the ones
    that are re-evaluated when it changes.
    """

    org_id: UUID
    version: int = 0
    settings: Settings = Settings()
    metrics: dict[str, Metric] = field(default_factory=dict[str, Metric])
    products: Mapping[str, Product] = field(default_factory=dict[str, Product])
    rewards: Mapping[str, Reward] = field(default_factory=dict[str, Reward])
    pools: Mapping[str, Pool] = field(default_factory=dict[str, Pool])
    listeners: Mapping[str, tuple[Listener, ...]] = field(default_factory=dict[str, tuple[Listener, ...]])
    mechanics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    mechanic_listeners: Mapping[str, tuple[MechanicListener, ...]] = field(
        default_factory=dict[str, tuple[MechanicListener, ...]]
    )
    earning_listeners: Mapping[str, tuple[MechanicListener, ...]] = field(
        default_factory=dict[str, tuple[MechanicListener, ...]]
    )
    part_listeners: Mapping[str, tuple[MechanicListener, ...]] = field(
        default_factory=dict[str, tuple[MechanicListener, ...]]
    )
    needs: frozenset[str] = frozenset()
    templates: Mapping[str, Texts] = field(default_factory=dict[str, Texts])
    outbound: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def compiled(self, mechanic: str, document_id: str) -> Any:
        """Return a compiled document of a mechanic, or None if it does not exist."""
        documents = self.mechanics.get(mechanic)
        return None if documents is None else documents.get(document_id)

    def listeners_of(self, trigger: str) -> tuple[Listener, ...]:
        """Return the listeners of a trigger, by priority."""
        return self.listeners.get(trigger, ())

    def campaigns(self) -> dict[str, Campaign]:
        """Return the campaigns in force by their ids."""
        campaigns = [listener.campaign for listeners in self.listeners.values() for listener in listeners]
        return {campaign.campaign_id: campaign for campaign in campaigns}
