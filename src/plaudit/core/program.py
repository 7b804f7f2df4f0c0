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

# What has happened in a decision may cause further events this many times in a row, then the chain is cut.
CASCADE_DEPTH_MAX = 16
# … and this many times in all, because campaigns that set each other off multiply.
CASCADE_EVENTS_MAX = 500


class Effect(Struct, frozen=True):
    """An effect of a step: its type, by its name in `effects/registry`, and its compiled settings."""

    type: str
    settings: Any
    audience: "Audience | None" = None


class Texts(Struct, frozen=True):
    """A notification's texts by locale. It is not shown once it is older than `expires_after`."""

    display: str
    default: str
    by_locale: dict[str, tuple[Template | None, Template]]
    expires_after: timedelta | None = None

    def for_locale(self, locale: str) -> tuple[Template | None, Template]:
        """Return title and message in a locale, in its language, or in the default."""
        found = self.by_locale.get(locale) or self.by_locale.get(locale.partition("-")[0])
        return found if found is not None else self.by_locale[self.default]


class PeriodLimit(Struct, frozen=True):
    period: Period
    count: int


class Step(Struct, frozen=True, kw_only=True):
    """A step of a campaign: its goal and its effects; `notification` announces its completion."""

    name: str
    goal: Goal = ONCE
    effects: tuple[Effect, ...] = ()
    notification: Texts | str | None = None  # texts, or the id of a template


class Campaign(Struct, frozen=True, kw_only=True):
    """What members do and what follows. Times are inclusive at the start and exclusive at the end.

    One with `steps` completes when `required` of them are done, in order if `sequential`; then its own `effects`
    happen, and if `repeatable` it starts again. `requires_enrolment`: only for those who have joined it.
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
    notification: Texts | str | None = None  # says that it is completed
    ungated: bool = False  # it has no window, audience, group, limit, cooldown or enrolment: worked out once
    cause: Cause = UNKNOWN  # follows from its id

    def __post_init__(self) -> None:
        force_setattr(self, "cause", campaign_cause(self.campaign_id))


class Listener(Struct, frozen=True, kw_only=True):
    """A step of a campaign, as one trigger meets it. `number` tells a step's triggers apart in the trace.

    `alone`: nothing else of the campaign listens to that trigger.
    """

    campaign: Campaign
    step: int
    number: int
    condition: Condition = ALWAYS
    effects: tuple[Effect, ...] = ()
    rule_id: str | None = None
    stops_processing: bool = False  # once it has fired, those of the campaign after it are not looked at for that event
    alone: bool = False


class MechanicListener(Struct, frozen=True, kw_only=True):
    """A trigger, or a metric, that one of a mechanic's compiled documents listens to. `cause` names it in the trace."""

    mechanic: str
    target: Any
    cause: Cause
    number: int = 0
    condition: Condition = ALWAYS


class Audience(Struct, frozen=True):
    """An audience: members in any group of `include` (everybody if empty) and in none of `exclude`."""

    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()

    def includes(self, inside: frozenset[str]) -> bool:
        """Return whether a member who belongs to these groups is in the audience."""
        return (not self.include or not self.include.isdisjoint(inside)) and self.exclude.isdisjoint(inside)


class Product(Struct, frozen=True, kw_only=True):
    product_id: str
    name: str
    type: str
    active: bool
    stock: int | None = None  # how many there are in all; None when there is no end of them
    pool_id: str | None = None  # where its codes come from
    costs: tuple[tuple[str, int], ...] = ()  # metric and amount (smallest units) for one
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    limit_per_member: int | None = None
    audience: "Audience | None" = None


class Reward(Struct, frozen=True, kw_only=True):
    """A reward. Its effect grants it; `type` is one of the five documented types."""

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
    """Everything that deciding needs to know of an organisation. `version` counts the changes of its documents.

    `outbound` maps a trigger to the types of message that other systems are told of it.
    `listeners` maps a trigger to those who listen, in the order in which they are considered. `needs` names the
    parts of a member that its campaigns may look at or change, beside balances and progress.
    `mechanics` has the compiled documents of each mechanic (see `mechanic_rules`) by their ids. `mechanic_listeners` maps a
    trigger to those that listen to it, `earning_listeners` a metric to those that count what is earned of it,
    `part_listeners` a part of a member to those that look at it.
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
        """Return a compiled document of a mechanic; None if there is no such document."""
        documents = self.mechanics.get(mechanic)
        return None if documents is None else documents.get(document_id)

    def listeners_of(self, trigger: str) -> tuple[Listener, ...]:
        """Return the steps that listen to a trigger, by priority: an event meets only these."""
        return self.listeners.get(trigger, ())

    def campaigns(self) -> dict[str, Campaign]:
        """Return the campaigns in force by their ids."""
        met = [listener.campaign for listeners in self.listeners.values() for listener in listeners]
        return {campaign.campaign_id: campaign for campaign in met}
