"""The settings of a stamp card."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from plaudit.documents.base import Document, DocumentKind, MetricAmount, Reference
from plaudit.documents.effect import EffectSpec, check_effects, effect_amounts, effect_references
from plaudit.errors import FieldError


class Card(Document, kw_only=True):
    """A card is full after `size` stamps; then its `effects` happen. Stamps are lost after `days` without one.

    It is stamped at each event of the `trigger`, and whenever something is earned of the `metric`.
    """

    trigger: str
    metric: str | None = None
    size: Annotated[int, Meta(ge=1, le=100)] = 3
    days: Annotated[int, Meta(ge=1, le=366)] = 30
    effects: list[EffectSpec] = field(default_factory=list[EffectSpec])


def _check(card: Card) -> Sequence[FieldError]:
    return check_effects(card.effects)


def _references(card: Card) -> Sequence[Reference]:
    return effect_references(card.effects)


def _amounts(card: Card) -> Sequence[MetricAmount]:
    return effect_amounts(card.effects)


DOCUMENT: Any = DocumentKind(
    name="toy",
    title="Stamp card",
    collection="toys",
    id_field="toyId",
    id_prefix="toy_",
    type=Card,
    check=_check,
    references=_references,
    amounts=_amounts,
)
