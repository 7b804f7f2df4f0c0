"""The effect `notify`. Its settings also describe the notifications of campaigns and steps."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta

from plaudit.core.context import Context, EffectPlace
from plaudit.core.decision import EffectTrace
from plaudit.core.expressions import Template
from plaudit.core.metrics import Metric
from plaudit.core.notifications import notify
from plaudit.core.program import Texts

from .effect_type import EffectSettings, EffectType, Id, NamedDocument, SettingsError, Text

Display = Literal["none", "toast", "banner", "modal"]
Seconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)]


class Notify(EffectSettings, frozen=True):
    message: Text | None = None
    template_id: Id | None = None
    title: Text | None = None
    display: Display = "toast"
    expires_after: Seconds | None = None


def check(settings: Notify) -> Sequence[SettingsError]:
    if (settings.message is None) == (settings.template_id is None):
        return (SettingsError("message", "or templateId is required, and not both"),)
    return ()


def compile_notification(settings: Notify) -> Texts | str:
    """Return a notification's text in the form of a template, or the template's id."""
    if settings.template_id is not None:
        return settings.template_id
    title = None if settings.title is None else Template(settings.title)
    texts = {"": (title, Template(settings.message or ""))}
    expires_after = None if settings.expires_after is None else timedelta(seconds=settings.expires_after)
    return Texts(settings.display, "", texts, expires_after)


def compile_settings(settings: Notify, _: Mapping[str, Metric]) -> Texts | str:
    return compile_notification(settings)


def apply(context: Context, place: EffectPlace, settings: Texts | str) -> EffectTrace:
    """Send the member a notification: texts, or a template by its id."""
    notification_id = context.effect_id(place, "/notification")
    refusal = notify(context, notification_id, settings, place.cause)
    if refusal is not None:
        return EffectTrace(place.index, refusal, settings)
    is_sent = not context.is_silent
    return EffectTrace(place.index, None, {"notificationId": str(notification_id) if is_sent else None})


EFFECT = EffectType(
    name="notify",
    sentence="Send the member a notification, from a text or a template.",
    settings=Notify,
    references=(NamedDocument("template", "template_id"),),
    texts=("title", "message"),
    check=check,
    compile=compile_settings,
    apply=apply,
)
