"""The description of an effect. Each module of this folder has one, in its constant `EFFECT` of type `EffectType`.

    a document's config ──check──► settings ──compile──► compiled settings ──apply──► the member, facts, a trace

The API, the checks of documents, the compiled programme, the reference and explanations use these descriptions, and do
not name any effect.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from plaudit.core.context import ApplyEffect
from plaudit.core.expressions import Expression, ExpressionError, Template
from plaudit.core.metrics import Metric

Amount = int | float | str  # a formula, if it is a string
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]


class EffectSettings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An effect's settings, as written in documents. The subclass's name is the title of its JSON Schema."""


class SettingsError(Struct, frozen=True):
    """An error in the settings: the `field` as written in documents ("" for the whole), and what it must be."""

    field: str
    message: str


class NamedDocument(Struct, frozen=True):
    """A document that the settings refer to: its id is in `field`, or always `document_id`.

    Unless it is `required`, it need not exist.
    """

    kind: str
    field: str | None = None
    document_id: str | None = None
    required: bool = True


class SettingsAmount(Struct, frozen=True):
    """An amount of a metric in a `field` of the settings. The metric's decimals and bounds must allow it."""

    field: str
    metric_id: str
    amount: int | float


class Preview(Struct, frozen=True):
    """What an effect will give, as far as it is known in advance. The `amount` of a formula is known only when it runs."""

    kind: Literal["metric", "product", "coupon"]
    id: str
    amount: int | float | None = None


PreviewReward = Callable[[str], Sequence[Preview]]


def _no_errors(_: Any) -> Sequence[SettingsError]:
    return ()


def _no_amounts(_: Any) -> Sequence[SettingsAmount]:
    return ()


def _unchanged(settings: Any, _: Mapping[str, Metric]) -> Any:
    return settings


def _no_preview(_: Any, _preview_reward: PreviewReward) -> Sequence[Preview]:
    return ()


class EffectType(Struct, frozen=True, kw_only=True):
    """The description of one type of effect. Field names are those of the `settings` struct.

    `aliases` and `field_aliases` are other spellings that clients can use; `rule_name` is the name shown in rules.
    `needs` are the parts of a member that it changes, out of those that a batch loads only on demand.
    `formulas` and `texts` are the fields that can contain a formula, or a text with formulas; they are checked on saving.
    `profile_field` has the names of two fields: one names a profile field, the other has its new value.
    `check` returns the errors beyond types and formulas, and `amounts` the fixed amounts of metrics.
    `compile` turns the settings, with the programme's metrics, into the settings for `apply`.
    `apply` does no I/O. It changes `context.member`, claims what is scarce (`context.claim`: see `issue_coupon`), queues
    messages for other systems (`context.messages`: see `call_webhook`) or engine events (`context.emit`), and returns an
    `EffectTrace`.
    `preview` returns what the effect will give; its second argument returns the same for a reward's id.
    """

    name: str
    sentence: str
    settings: type[EffectSettings]
    apply: ApplyEffect
    aliases: tuple[str, ...] = ()
    field_aliases: Mapping[str, str] = {}
    rule_name: str | None = None
    references: tuple[NamedDocument, ...] = ()
    needs: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    profile_field: tuple[str, str] | None = None
    check: Callable[[Any], Sequence[SettingsError]] = _no_errors
    amounts: Callable[[Any], Sequence[SettingsAmount]] = _no_amounts
    compile: Callable[[Any, Mapping[str, Metric]], Any] = _unchanged
    preview: Callable[[Any, PreviewReward], Sequence[Preview]] = _no_preview

    def written_name(self, field: str) -> str:
        """Return the name of a settings field as written in documents."""
        return next(row.encode_name for row in structs.fields(self.settings) if row.name == field)

    def errors(self, settings: Any) -> list[SettingsError]:
        """Return the errors of settings whose types are right."""
        errors = list(self.check(settings))
        for fields, compiled in ((self.texts, Template), (self.formulas, Expression)):
            for field in fields:
                source = getattr(settings, field)
                if isinstance(source, str):
                    errors += _formula_errors(compiled, source, self.written_name(field))
        return errors


def _formula_errors(compiled: type[Template | Expression], source: str, field: str) -> list[SettingsError]:
    try:
        compiled(source)
    except ExpressionError as error:
        return [SettingsError(field, f"is not a valid formula: {error}")]
    return []
