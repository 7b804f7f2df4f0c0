"""A decision under construction: the working copy of the member, the facts so far, and the queue of events."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from .cause import Cause
from .contained import NOTHING_BROKEN, BrokenPart, Fault, as_broken, sentence_of
from .decision import (
    REFUSAL_OF_CLAIM,
    Claim,
    ClaimKind,
    Decision,
    EffectTrace,
    FollowUp,
    IssuedCoupon,
    Message,
    Move,
    Notification,
    ProductChange,
    Refusal,
    RefusalCode,
    Trace,
    Transaction,
    Withdrawn,
)
from .event import CASCADE, Event
from .fields import Scope
from .ids import cascade_id_of, effect_id_of
from .member import RENEWED, Member, earliest_due, groups_of
from .periods import local_day
from .program import CASCADE_EVENTS_MAX, Audience, Effect, Program

WHOLE = ~0  # the number of a part that is the only one of its cause


class EffectPlace(Struct, frozen=True, gc=False):
    """An effect's place: cause, step and index. Effects' ids are derived from it and the event."""

    cause: Cause
    step: int
    index: int


ApplyEffect = Callable[["Context", EffectPlace, Any], EffectTrace]  # the last argument: the compiled settings
NO_EFFECTS: Mapping[str, ApplyEffect] = {}


class EventMatches:
    """What an event has counted for so far: it counts once for a step, however many triggers of the step match.

    `counted` has the campaigns and mechanics' documents, each with the step. `closed` has the campaigns for which the event
    does not count again, with the step that it counted for: an event counts for one step of a sequential campaign, and in
    one round of any campaign. `groups` has the exclusive groups that have a winner.
    """

    __slots__ = ("closed", "counted", "groups")

    def __init__(self) -> None:
        self.counted: set[tuple[str | Cause, int]] = set()
        self.closed: dict[str, int] = {}
        self.groups: set[str] = set()


class Context:
    """The mutable state of one decision, visible to nothing else.

    `refused` contains the ids of the claims that failed; every other claim is assumed to succeed (if one fails, the engine
    decides again with its id: see `engine/process`). `appliers` are the functions that apply effects, by type; a context
    that only evaluates conditions has none.
    """

    __slots__ = (
        "_appliers",
        "_cascades",
        "_day",
        "_matches",
        "_refused",
        "broken",
        "changed_parts",
        "claims",
        "coupons",
        "event",
        "follow_ups",
        "group_changes",
        "identities",
        "is_silent",
        "items",
        "member",
        "messages",
        "moves",
        "notifications",
        "now",
        "program",
        "queue",
        "root_event",
        "scope",
        "taken_over",
        "trace",
        "transactions",
        "triggers_nothing",
        "withdrawn",
    )

    def __init__(
        self,
        program: Program,
        member: Member,
        event: Event,
        refused: frozenset[UUID],
        broken: Mapping[BrokenPart, BaseException] = NOTHING_BROKEN,
        appliers: Mapping[str, ApplyEffect] = NO_EFFECTS,
    ) -> None:
        self.program = program
        self.broken = broken  # the parts that raised in earlier attempts at this decision
        self.member = member.working_copy()
        for kind, renewed in RENEWED.items():
            states = self.member.states.get(kind)
            if states:
                documents = program.mechanics.get(kind, {})
                for document_id, state in states.items():
                    if document_id in documents:
                        states[document_id] = renewed(documents[document_id], state)
        self.root_event = event
        self.event = event
        self.now: datetime = event.occurred_at  # the only time that a decision uses
        self.scope = Scope(event, self.member, program.metrics, program.mechanics, program.products)
        self.queue: deque[Event] = deque()
        self.trace: list[Trace] = []
        self.transactions: list[Transaction] = []
        self.coupons: list[IssuedCoupon] = []
        self.notifications: list[Notification] = []
        self.claims: list[Claim] = []
        self.identities: Mapping[str, str | None] = {}
        self.messages: list[Message] = []
        self.follow_ups: list[FollowUp] = []
        self.items: list[ProductChange] = []
        self.moves: list[Move] = []
        self.taken_over: str | None = None
        self.withdrawn: Withdrawn | None = None
        self.group_changes: dict[str, int] = {}  # how often each group of members was entered or left
        self.changed_parts: set[str] = set()  # the member's parts that have changed, by their names in scopes
        self.is_silent = False  # imports and backfills trigger nothing and notify no one (see CommandType)
        self.triggers_nothing = False
        self._appliers = appliers
        self._matches: EventMatches | None = None
        self._refused = refused
        self._cascades = 0
        self._day: date | None = None

    def switch_to(self, event: Event) -> None:
        """Make `event` the event that conditions, formulas and ids refer to."""
        self.event = event
        self._matches = None
        program = self.program
        self.scope = Scope(event, self.member, program.metrics, program.mechanics, program.products, self.scope.budget)

    @property
    def matches(self) -> EventMatches:
        """Return what the current event has counted for so far."""
        if self._matches is None:
            self._matches = EventMatches()
        return self._matches

    @property
    def day(self) -> date:
        """Return the organisation's local day of the event."""
        if self._day is None:
            self._day = local_day(self.now, self.program.settings.time_zone)
        return self._day

    def is_for(self, audience: Audience) -> bool:
        """Return whether the member belongs to an audience."""
        return audience.includes(groups_of(self.member))

    def write_profile(self, attributes: Mapping[str, Any], identities: Mapping[str, str | None] | None = None) -> None:
        """Set profile fields, and identities by which the member can be looked up; None removes one.

        Identities are also profile fields, so conditions, criteria and templates can read them.
        """
        identities = identities or {}
        updated = {**self.member.attributes, **attributes, **identities}
        self.member.attributes = {name: value for name, value in updated.items() if value is not None}
        self.identities = identities or self.identities
        self.scope.forget_names()

    def effect_id(self, place: EffectPlace, part: str = "") -> UUID:
        """Return the derived id of an effect, or of a `part` of it that needs its own id."""
        return effect_id_of(self.event.event_id, place.cause.text + part, place.step, place.index)

    def claim(
        self, kind: ClaimKind, key: str, *, claim_id: UUID, quantity: int = 1, maximum: int | None = None
    ) -> Refusal | None:
        """Claim something scarce. Return the refusal if the claim is known to fail, or None."""
        self.claims.append(Claim(claim_id, kind, key, quantity, maximum))
        return REFUSAL_OF_CLAIM[kind] if claim_id in self._refused else None

    def withdraw_claim(self, claim_id: UUID) -> None:
        """Withdraw a claim that is no longer needed."""
        self.claims = [claim for claim in self.claims if claim.claim_id != claim_id]

    def carry_out(self, effect: Effect, place: EffectPlace) -> EffectTrace:
        """Apply an effect; if it raises, it is refused."""
        if self.broken:
            problem = self.broken.get(self._part(place.cause, place.step, place.index))
            if problem is not None:
                return EffectTrace(place.index, Refusal.evaluation_failed, sentence_of(problem))
        try:
            return self._appliers[effect.type](self, place, effect.settings)
        except BaseException as problem:
            raise as_broken(problem, self._part(place.cause, place.step, place.index)) from None

    def apply_effect(self, effect: Effect, place: EffectPlace) -> EffectTrace:
        """Apply an effect as part of another effect or of a command, which is refused if the effect raises."""
        return self._appliers[effect.type](self, place, effect.settings)

    def contain(self, work: Callable[..., Trace | None], *arguments: Any, cause: Cause, number: int = WHOLE) -> bool:
        """Run a part of the decision and append its trace. Return False if it raised in an earlier attempt."""
        if self.broken and self.is_broken(cause, number):
            return False
        try:
            trace = work(self, *arguments)
        except BaseException as problem:
            raise self.as_broken(problem, cause, number) from None
        if trace is not None:
            self.trace.append(trace)
        return True

    def is_broken(self, cause: Cause, number: int = WHOLE, step: int = 0) -> bool:
        """Return whether a part raised in an earlier attempt; if so, append its refusal to the trace.

        To save time, call this only if `broken` is not empty. `number` is negative, so that no effect has it.
        """
        problem = self.broken.get(self._part(cause, step, number))
        if problem is None:
            return False
        progress = {"problem": sentence_of(problem)}
        trigger = self.event.trigger if self.event.depth else None
        self.trace.append(Trace(cause.logged, step, ~number, Refusal.evaluation_failed, [], [], trigger, progress))
        return True

    def as_broken(self, problem: BaseException, cause: Cause, number: int = WHOLE, step: int = 0) -> BaseException:
        """Return the exception to raise for a part's exception: the event is decided again without the part."""
        return as_broken(problem, self._part(cause, step, number))

    def _part(self, cause: Cause, step: int, number: int) -> BrokenPart:
        return (self.event.event_id, cause, step, number)

    def has_listeners(self, trigger: str) -> bool:
        """Return whether a campaign or a webhook listens to an engine trigger."""
        return trigger in self.program.listeners or trigger in self.program.outbound

    def emit(self, trigger: str, data: dict[str, Any], cause: Cause) -> None:
        """Queue an engine event for the campaigns that listen to it, and a message for the webhooks that subscribe."""
        if self.is_silent:
            return
        self.messages += [Message(name, data) for name in self.program.outbound.get(trigger, ())]
        if trigger not in self.program.listeners or self.triggers_nothing:
            return
        self._cascades += 1
        if self._cascades > CASCADE_EVENTS_MAX:
            if self._cascades == CASCADE_EVENTS_MAX + 1:
                self.trace.append(Trace(cause.logged, 0, 0, Refusal.cascade_too_wide, trigger=trigger))
            return
        self.queue.append(
            Event(
                event_id=cascade_id_of(self.root_event.event_id, self._cascades),
                member_id=self.root_event.member_id,
                user_id=self.root_event.user_id,
                kind=CASCADE,
                trigger=trigger,
                occurred_at=self.root_event.occurred_at,
                data=data,
                metadata=self.root_event.metadata,
                source="engine",
                depth=self.event.depth + 1,
                causes=(*self.event.causes, cause),
            )
        )

    def build_decision(self, refusal: RefusalCode | None = None) -> Decision:
        """Return the decision, after updating the member's sequence and next due time."""
        self.member.sequence += 1
        self.member.due_at = earliest_due(self.member)
        return Decision(  # positional: so many keyword arguments would take longer than everything else here
            self.root_event.event_id,
            self.member,
            refusal,
            self.trace,
            self.transactions,
            self.coupons,
            self.notifications,
            self.claims,
            self.identities,
            self.follow_ups,
            self.messages,
            self.items,
            self.moves,
            [Fault(part[1], problem) for part, problem in self.broken.items()] if self.broken else [],
            self.taken_over,
            self.withdrawn,
        )
