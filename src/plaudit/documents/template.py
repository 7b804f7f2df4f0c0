"""Templates: the texts of notifications by locale, with formulas."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct, field

from plaudit.core.effects.notify import Display, Seconds
from plaudit.core.expressions import ExpressionError, Template
from plaudit.errors import FieldError

from .base import Document, DocumentKind

Text = Annotated[str, Meta(min_length=1, max_length=2_000)]
Locale = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class TextsSpec(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A title and a message, with formulas in `{{ … }}`."""

    message: Text
    title: Text | None = None


class MessageTemplate(Document, kw_only=True):
    """Notification texts per locale, with formulas in `{{ … }}`.

    A member gets the text in their `language`, or in their language without its region, or in the default locale.
    `expiresAfter`: seconds until the notification is no longer shown.
    """

    default_locale: Locale = "en"
    display: Display = "toast"
    expires_after: Seconds | None = None
    texts: dict[Locale, TextsSpec] = field(default_factory=dict[Locale, TextsSpec])


def texts_for(locale: str, texts: Mapping[str, TextsSpec], default: str) -> TextsSpec:
    """Return the texts in a locale, or in its language, or in the default locale."""
    return texts.get(locale) or texts.get(locale.partition("-")[0]) or texts[default]


def _check(template: MessageTemplate) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    if template.default_locale not in template.texts:
        wrong.append(
            FieldError(f"texts.{template.default_locale}", "is missing: texts must contain the default locale")
        )
    for locale, texts_spec in template.texts.items():
        for name in ("title", "message"):
            text = getattr(texts_spec, name)
            try:
                Template(text or "")
            except ExpressionError as error:
                wrong.append(FieldError(f"texts.{locale}.{name}", f"is not a valid formula: {error}"))
    return wrong


KIND = DocumentKind(
    name="template",
    title="Template",
    collection="templates",
    id_field="templateId",
    id_prefix="tpl_",
    type=MessageTemplate,
    check=_check,
)
