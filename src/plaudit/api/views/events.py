"""Response types of the operations on events."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from plaudit.api.views.cause import Cause

from .base import Json, Time, View, page_of


class Event(View, kw_only=True):
    """An event as received, with its processing. `reason` says why it was rejected, `error` why it failed."""

    event_id: str
    user_id: str
    kind: str
    action: str
    status: Literal["queued", "processed", "rejected", "failed"]
    processed: bool
    timestamp: Time
    received_at: Time
    processed_at: Time | None
    source: str
    data: Json
    metadata: Json
    reason: str | UnsetType | None = UNSET
    error: str | UnsetType = UNSET
    failed_at: Time | UnsetType = UNSET
    program_version: int | UnsetType = UNSET


class EventTransaction(View):
    """A transaction that an event led to."""

    transaction_id: str
    metric: str
    amount: float
    balance_after: float
    campaign_id: str | None
    cause: Cause
    reason: str | None


class ConditionResult(View):
    """A condition and the value it was compared with. `held` is null if it was not evaluated."""

    actual: Any
    held: bool | None
    field: str | UnsetType = UNSET
    operator: str | UnsetType = UNSET
    value: Any | UnsetType = UNSET
    expression: str | UnsetType = UNSET
    sentence: str | UnsetType = UNSET


class SegmentResult(View):
    """A segment that excluded the member: whether they had to be in it, and whether they were."""

    segment_id: str
    wanted: bool
    member: bool | None
    name: str | UnsetType = UNSET
    conditions: list[ConditionResult] | UnsetType = UNSET


class EffectResult(View):
    """An effect's result. `outcome` depends on its type; `amount` says what changed the amount."""

    type: str | None
    done: bool
    reason: str | None
    outcome: Any
    amount: Json | UnsetType = UNSET
    segments: list[SegmentResult] | UnsetType = UNSET


class ExplainedStep(View):
    """The campaign's step that the event counted for, with its progress after the event."""

    number: int
    name: str
    current: float | UnsetType = UNSET
    target: float | UnsetType = UNSET


class ExplainedCampaign(View):
    """What a campaign or mechanic did with the event: it fired, or did not fire for the `reason`.

    For other mechanics, such as a streak, `kind` names the mechanic, and a further field of that name has its state.
    `status` is present for a campaign that would have listened if it were active.
    """

    campaign_id: str | None
    cause: Cause
    trigger: str
    fired: bool
    reason: str | None
    effects: list[EffectResult]
    name: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    rule_id: str | UnsetType = UNSET
    out_of_force: str | UnsetType = UNSET
    conditions: list[ConditionResult] | UnsetType = UNSET
    segments: list[SegmentResult] | UnsetType = UNSET
    step: ExplainedStep | UnsetType = UNSET


class EventExplanation(Event, kw_only=True):
    """An event with each campaign's result. `note` is present if nothing listens to it."""

    campaigns: list[ExplainedCampaign]
    transactions: list[EventTransaction]
    note: str | UnsetType = UNSET


EventList = page_of(Event, "events")
