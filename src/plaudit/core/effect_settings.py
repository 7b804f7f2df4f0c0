"""What effects can be told, as documents write it: one struct each."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from .triggers import TriggerName

Amount = int | float | str
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Display = Literal["none", "toast", "banner", "modal"]
Seconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]


class EffectSettings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What an effect can be told. Every field that names a document is listed in its row's `references`."""


class AddPoints(EffectSettings, frozen=True):
    amount: Amount
    reason: Text | None = None


class AddMetric(EffectSettings, frozen=True):
    metric: Id
    amount: Amount
    reason: Text | None = None


class AwardProduct(EffectSettings, frozen=True):
    product_id: Id
    quantity: Quantity = 1
    reason: Text | None = None


class GrantReward(EffectSettings, frozen=True):
    reward_id: Id
    reason: Text | None = None


class IssueCoupon(EffectSettings, frozen=True):
    code_pool_id: Id
    reason: Text | None = None


class Notify(EffectSettings, frozen=True):
    message: Text | None = None
    template_id: Id | None = None
    title: Text | None = None
    display: Display = "toast"
    expires_after: Seconds | None = None


class CallWebhook(EffectSettings, frozen=True):
    webhook_id: Id
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class Emit(EffectSettings, frozen=True):
    trigger: TriggerName
    data: dict[str, Any] = field(default_factory=dict[str, Any])


class CheckIn(EffectSettings, frozen=True):
    streak_id: Id


class SegmentSettings(EffectSettings, frozen=True):
    segment_id: Id


class SetAttribute(EffectSettings, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    value: str | int | float | bool | None = None


class RemoveProduct(EffectSettings, frozen=True):
    product_id: Id
    quantity: Quantity = 1


class Enrol(EffectSettings, frozen=True):
    campaign_id: Id


class ChangeSegment(Struct, frozen=True):
    """A segment, and whether the member is to be in it."""

    segment_id: str
    member: bool


class GrantFreeze(EffectSettings, frozen=True):
    streak_id: Id
    quantity: Quantity = 1


class AddEntries(EffectSettings, frozen=True):
    competition_id: Id
    entries: Quantity = 1
