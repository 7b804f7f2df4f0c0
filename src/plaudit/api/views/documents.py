"""The types of documents in requests and responses, derived from each kind: a new kind needs nothing here.

For a kind such as campaign: `Campaign` in responses, `CampaignList` for pages, `NewCampaign` to create one,
`CampaignUpdate` to change one.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union

from msgspec import NODEFAULT, UNSET, Meta, Struct, UnsetType, defstruct, field
from msgspec.structs import FieldInfo, fields

from plaudit.documents.base import DOCUMENT_ID, DocumentKind
from plaudit.documents.effect import AudienceSpec
from plaudit.documents.kinds import KINDS
from plaudit.mechanics.registry import MECHANICS

from .base import Json, Page, Time, View, page_of

Fields = list[tuple[str, Any] | tuple[str, Any, Any]]


class DocumentBody(Struct):
    """The base of request bodies with a document. `storage/documents` decodes these, because clients may use dialects."""


class CampaignTrigger(View):
    """An event type that starts a campaign, and the conditions the event must meet."""

    event_type: str
    conditions: list[Any] | Json


class RuleEffect(View):
    """One effect of a rule: `params` are its settings, `segments` its audience."""

    type: str
    params: Json
    segments: AudienceSpec | UnsetType | None = UNSET


class DocumentVersion(View):
    """A document after one of its changes; `document` is null after its deletion."""

    version: int
    program_version: int
    change: str
    changed_at: Time
    changed_by: str
    document: Json | None


DocumentVersionList = page_of(DocumentVersion, "versions")

# Fields whose API form differs from the stored form (documents/dialects.py).
_WRITTEN_AS: Mapping[tuple[str, str], Any] = {
    ("campaign", "triggers"): list[CampaignTrigger],
    ("rule", "effects"): list[RuleEffect],
}

_IN_PATH = {("rule", "campaign_id")}  # so it is optional in the body
# Fields in the responses of a kind that its documents do not contain.
_COUNTS = ("total_codes", "available_codes", "allocated_codes", "redeemed_codes", "expired_codes")
SHOWN_WITH: Mapping[str, Fields] = {
    "reward": [("org_status_key", str | UnsetType, UNSET)],
    "product": [("redeemed_stock", int)],
    "code_pool": [*((name, int) for name in _COUNTS), ("revoked_codes", int | UnsetType, UNSET)],
}
_STORED_WITH: Fields = [("version", int), ("created_at", Time), ("updated_at", Time), ("created_by", str)]
_OUT_OF_FORCE = Annotated[
    str, Meta(description="Why the document has no effect: it was stored by an earlier version and is not valid now.")
]
_NEW_ID = Annotated[str, Meta(pattern=DOCUMENT_ID, description="Its id. By default the server chooses one.")]


class DocumentTypes(Struct, frozen=True):
    """The types of a kind of document. `id_name` is the field of `view` with the id; `names` maps API names to fields."""

    view: type[View]
    page: type[Page]
    new: type[DocumentBody]
    update: type[DocumentBody]
    id_name: str
    names: Mapping[str, str]


def _types_of(kind: DocumentKind) -> DocumentTypes:
    noun = "".join(word.capitalize() for word in kind.title.split())
    own = fields(kind.type)
    view = _view_type(kind, noun, own)
    new: Fields = [(_id_name(kind), _NEW_ID | UnsetType, UNSET)]
    new += [_new_field(part, in_path=(kind.name, part.name) in _IN_PATH) for part in own]
    update: Fields = [(part.name, _optional(part.type), UNSET) for part in own]
    return DocumentTypes(
        view=view,
        page=page_of(view, snake_case(kind.list_name or kind.id_field), [("count", int)]),
        new=_defined(f"New{noun}", new, DocumentBody, kind, forbid_unknown_fields=True),
        update=_defined(f"{noun}Update", update, DocumentBody, kind),
        id_name=_id_name(kind),
        names={part.encode_name: part.name for part in own},
    )


def _view_type(kind: DocumentKind, noun: str, own: Sequence[FieldInfo]) -> type[View]:
    view_fields: Fields = [
        ("org_id", str),
        (_id_name(kind), str),
        *((part.name, _optional(_WRITTEN_AS.get((kind.name, part.name), part.type)), UNSET) for part in own),
        *_STORED_WITH,
        ("out_of_force", _optional(_OUT_OF_FORCE), UNSET),
        *SHOWN_WITH.get(kind.name, ()),
    ]
    return _defined(noun, view_fields, View, kind)


def _defined(name: str, parts: Fields, base: type[Any], kind: DocumentKind, **config: Any) -> type[Any]:
    about = {"__doc__": kind.type.__doc__}
    return defstruct(name, parts, bases=(base,), namespace=about, kw_only=True, rename="camel", **config)


def _optional(of: Any) -> Any:
    return Union[of, UnsetType]  # noqa: UP007 - it may be annotated


def _new_field(part: FieldInfo, *, in_path: bool) -> tuple[str, Any] | tuple[str, Any, Any]:
    if in_path:
        return (part.name, _optional(part.type), UNSET)
    return (part.name, part.type) if part.required else (part.name, part.type, _default_of(part))


def _default_of(part: FieldInfo) -> Any:
    return part.default if part.default_factory is NODEFAULT else field(default_factory=part.default_factory)


def _id_name(kind: DocumentKind) -> str:
    return snake_case(kind.id_field)


def snake_case(name: str) -> str:
    """Return the name of a struct's field for a camelCase name of the API."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


TYPES: dict[str, DocumentTypes] = {}


def _follow_mechanics() -> None:
    for name in TYPES.keys() - KINDS.keys():
        del TYPES[name]
    TYPES.update((kind.name, _types_of(kind)) for kind in KINDS.values() if kind.name not in TYPES)


MECHANICS.follow(_follow_mechanics)
