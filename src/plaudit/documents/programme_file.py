"""A whole programme as one document: written out, read back, compared. No I/O.

    settings: {…}
    metrics:
      points: {name: Points, …}      # the key is the document's id
    campaigns:
      camp_welcome: {name: Welcome, …}

Fields that are as they would be anyway are left out. Where a document names another, its id or, if nothing has that id,
its name will do. Order means nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec
import yaml
from msgspec import Struct
from yaml.events import AliasEvent

from plaudit import bounds
from plaudit.core.effects.registry import EFFECTS
from plaudit.errors import FieldError, Invalid, PlauditError, invalid_fields
from plaudit.mechanics.registry import MECHANICS

from .amounts import decimals_in, misfits
from .base import Document, DocumentId, DocumentKind
from .checking import checked_document
from .existing import OWN_PARTS, clashes, keys_of, there_is, wrong_names
from .kinds import KINDS
from .metric import Metric
from .profile_schema import PROFILE_SCHEMA_ID
from .settings import SETTINGS_ID

SINGLE = {"settings": SETTINGS_ID, "profile_schema": PROFILE_SCHEMA_ID}  # kinds that there is one of, and its id

Key = tuple[str, str]  # kind, id
DesiredDocuments = dict[Key, Document]


def section_of(kind: DocumentKind) -> str:
    """Return the key of a kind's documents in the file."""
    if kind.name in SINGLE:
        return "profileSchema" if kind.name == "profile_schema" else kind.name
    return kind.list_name if kind.collection else f"{kind.name}s"


SECTIONS = {section_of(kind): kind for kind in KINDS.values()}


class PlannedChange(Struct, frozen=True, kw_only=True):
    """A planned change; `before` and `after` are canonical documents, None where none exists."""

    kind: str
    id: str
    change: str  # created, updated, deleted
    before: dict[str, Any] | None
    after: dict[str, Any] | None


# ------------------------------------------------------------------------------------------------------- writing


def without_defaults(kind: DocumentKind, doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return a canonical document without the fields that have their defaults."""
    defaults = {field.encode_name: field for field in msgspec.structs.fields(kind.type)}
    short = {
        name: value
        for name, value in doc.items()
        if name not in defaults or defaults[name].required or value != _default(defaults[name])
    }
    while True:  # what is supposed of a field may depend on another that is
        supposed = kind.suppose(short)
        other = {name: value for name, value in doc.items() if name not in short and supposed.get(name, value) != value}
        if not other:
            return {name: short[name] for name in doc if name in short}
        short |= other


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return msgspec.to_builtins(field.default) if field.default is not msgspec.NODEFAULT else msgspec.NODEFAULT


def to_file(docs: Mapping[Key, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a programme as a file, from its canonical documents in order."""
    found: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        own = {key: without_defaults(kind, doc) for (name, key), doc in docs.items() if name == kind.name}
        if own:
            found[section] = next(iter(own.values())) if kind.name in SINGLE else own
    return found


class _Dumper(yaml.SafeDumper):
    """A dumper that writes texts of several lines as such, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(config: Mapping[str, Any]) -> str:
    """Return a programme as YAML."""
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def sections_of(programme: Mapping[str, Any], only: Collection[str], without: Collection[str]) -> dict[str, Any]:
    """Return a programme with `only` some kinds, or `without` some. Raises Invalid for names that no kind has.

    A kind may be called by its section (`codePools`), its collection (`code-pools`) or its name (`code_pool`).
    """
    wanted = {_section_called(name) for name in only} or set(programme)
    wanted -= {_section_called(name) for name in without}
    return {section: docs for section, docs in programme.items() if section in wanted}


def _section_called(name: str) -> str:
    for section, kind in SECTIONS.items():
        if name in (section, kind.name, kind.collection):
            return section
    raise Invalid(f"Unknown kind {name!r}: it must be one of {', '.join(SECTIONS)}")


# ------------------------------------------------------------------------------------------------------- reading


class _Loader(yaml.SafeLoader):
    """A loader that keeps times as texts and refuses aliases: a few lines of them can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(AliasEvent):
            raise Invalid("YAML aliases are not allowed", code="bad_yaml")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def from_yaml(text: str | bytes) -> Any:
    """Return YAML (or JSON, which is YAML) as plain values within the bounds. Raise Invalid."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError) as error:  # the second for numbers that Python does not read
        raise Invalid(f"The file is not valid YAML: {error}", code="bad_yaml") from None
    except RecursionError:
        raise bounds.too_deep() from None
    bounds.check(found)
    return found


def read_configuration(raw: Any, there: Mapping[Key, Mapping[str, Any]]) -> DesiredDocuments:
    """A programme as checked documents. Raises Invalid naming every field that is wrong, from the top.

    `there` are the canonical documents that there are already: names may stand for them as well, and what is wrong with
    them and stays as it is, is left alone.
    """
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object of collections such as campaigns and metrics")])
    given = cast("dict[str, Any]", raw)
    wrong = [
        FieldError(str(name), f"is not a known collection (known: {', '.join(SECTIONS)})")
        for name in given
        if name not in SECTIONS
    ]
    found: dict[Key, Any] = {}
    for section, kind in SECTIONS.items():
        docs = given.get(section)
        if docs is None:
            continue
        if kind.name in SINGLE:
            docs = {SINGLE[kind.name]: docs}
        if not isinstance(docs, dict):
            wrong.append(FieldError(section, "must be an object that maps ids to documents"))
            continue
        for key, doc in cast("dict[Any, Any]", docs).items():
            try:
                found[kind.name, _id(key)] = doc
            except PlauditError as error:
                wrong += [field.under(f"{section}.{key}") for field in error.fields]
    every: dict[Key, Any] = {**there, **{key: doc for key, doc in found.items() if isinstance(doc, dict)}}
    names = {key: str(doc.get("name")) for key, doc in every.items()}
    for (kind, document_id), doc in every.items():  # the parts that a campaign has, or is given by its type
        parts = [part for part in OWN_PARTS if doc.get(part) or doc.get("type") == part.capitalize()]
        names |= {(part, document_id): str(doc.get("name")) for part in parts if kind == "campaign"}
    lookup = _NameResolver(names)
    wanted: DesiredDocuments = {}
    for key, doc in found.items():
        try:
            wanted[key] = _document(KINDS[key[0]], lookup.with_ids(doc), there.get(key))
        except PlauditError as error:
            wrong += [field.under(_place_of(key)) for field in error.fields] or [
                FieldError(_place_of(key), error.message)
            ]
    if wrong:
        raise invalid_fields(wrong)
    return wanted


def _place_of(key: Key) -> str:
    kind, document_id = key
    section = section_of(KINDS[kind])
    return section if kind in SINGLE else f"{section}.{document_id}"


def _id(key: Any) -> str:
    try:
        return msgspec.convert(str(key) if isinstance(key, int) else key, DocumentId)
    except msgspec.ValidationError:
        raise invalid_fields(
            [FieldError("", "must have an id of 1 to 64 letters, digits, dots, hyphens or underscores")]
        ) from None


def _document(kind: DocumentKind, raw: Any, stored: Mapping[str, Any] | None) -> Document:
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    return checked_document(kind, cast("dict[str, Any]", raw), stored)


def _naming_fields() -> dict[str, str]:
    """Return the fields that name documents, as they are written, and the kinds that they name."""
    fields = {"campaignId": "campaign", "productId": "product", "codePoolId": "code_pool"}
    fields |= {mechanic.document.id_field: kind for kind, mechanic in MECHANICS.items()}
    for effect_type in EFFECTS.types:
        for named in effect_type.references:
            if named.field is not None and named.required:
                fields[effect_type.written_name(named.field)] = named.kind
    return fields


_AUDIENCE = ("include", "exclude")  # lists of segments, below `segments`


class _NameResolver:
    """A resolver of names to ids: a name counts where no document has it as its id."""

    def __init__(self, names: Mapping[Key, str]) -> None:
        self._naming = _naming_fields()
        self._ids = set(names)
        self._by_name: dict[tuple[str, str], list[str]] = {}
        for (kind, document_id), name in names.items():
            self._by_name.setdefault((kind, name), []).append(document_id)

    def with_ids(self, value: Any, at: str = "", below: str = "") -> Any:
        """Return `value` with ids for names. Raise Invalid for a name of several documents, or of none."""
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if below.startswith("segments."):
                return [self._id("segment", item, f"{at}[{i}]") for i, item in enumerate(items)]
            return [self.with_ids(item, f"{at}[{i}]") for i, item in enumerate(items)]
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for name, item in cast("dict[str, Any]", value).items():
            place = f"{at}.{name}" if at else str(name)
            inner = f"segments.{name}" if below == "segments" and name in _AUDIENCE else str(name)
            kind = self._naming.get(name)
            found[name] = self.with_ids(item, place, inner) if kind is None else self._id(kind, item, place)
        return found

    def _id(self, kind: str, name: Any, at: str) -> Any:
        if not isinstance(name, str) or (kind, name) in self._ids:
            return name
        ids = self._by_name.get((kind, name), [])
        if len(ids) == 1:
            return ids[0]
        title = KINDS[kind].title.lower()
        if ids:
            raise invalid_fields([FieldError(at, f"is ambiguous: {len(ids)} {title}s are named {name!r}; use the id")])
        raise invalid_fields([FieldError(at, f"must reference an existing {title} (got {name!r})")])


def wrong_in(
    wanted: DesiredDocuments, there: Mapping[Key, Mapping[str, Any]], gone: Collection[Key]
) -> list[FieldError]:
    """Return what is wrong with what documents name and look at, with all that there will be; `gone` is what goes."""
    docs = {key: dict(doc) for key, doc in there.items() if key not in gone}
    docs |= {key: cast("dict[str, Any]", msgspec.to_builtins(document)) for key, document in wanted.items()}
    will_be = there_is(keys_of(docs), docs)
    of_one_id: dict[str, dict[Key, dict[str, Any]]] = {}
    for key, doc in docs.items():
        of_one_id.setdefault(key[1], {})[key] = doc
    wrong: list[FieldError] = []
    for key, document in wanted.items():
        kind, before = KINDS[key[0]], there.get(key)
        others = keys_of({item: doc for item, doc in of_one_id[key[1]].items() if item != key})
        found = [*clashes(*key, docs[key], before, others), *wrong_names(kind, document, will_be, before, gone)]
        wrong += [error.under(_place_of(key)) for error in found]
    return wrong


def wrong_amounts(wanted: DesiredDocuments, there: Mapping[Key, Mapping[str, Any]]) -> list[FieldError]:
    """Return the amounts of documents that their metrics cannot hold: those of before, and those that come with them."""
    decimals = decimals_in((*key, doc) for key, doc in there.items())
    decimals |= {key[1]: document.decimals for key, document in wanted.items() if isinstance(document, Metric)}
    return [
        error.under(_place_of(key))
        for key, document in wanted.items()
        for error in misfits(KINDS[key[0]], document, decimals, there.get(key))
    ]


# ----------------------------------------------------------------------------------------------------- comparing


def _still_over(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign as it is wanted; one that has become completed by itself does so again with the same endDate."""
    over = "completedAt" in before and before["status"] == "completed" and after["endDate"] == before["endDate"]
    if over and after["status"] == "active":
        return after | {"status": "completed", "completedAt": before["completedAt"]}
    return after


def plan_changes(wanted: DesiredDocuments, there: Mapping[Key, dict[str, Any]], *, prune: bool) -> list[PlannedChange]:
    """Return the changes from the documents that are `there` to the wanted ones.

    With `prune`, unwanted documents are deleted, in the collections that the file contains.
    """
    changes: list[PlannedChange] = []
    for (kind, key), document in wanted.items():
        after = msgspec.json.decode(msgspec.json.encode(document))
        before = there.get((kind, key))
        if kind == "campaign" and before is not None:
            after = _still_over(before, after)
        if before != after:
            change = "created" if before is None else "updated"
            changes.append(PlannedChange(kind=kind, id=key, change=change, before=before, after=after))
    if prune:
        kinds = {kind for kind, _ in wanted} - set(SINGLE)
        changes += [
            PlannedChange(kind=kind, id=key, change="deleted", before=before, after=None)
            for (kind, key), before in there.items()
            if kind in kinds and (kind, key) not in wanted
        ]
    return changes
