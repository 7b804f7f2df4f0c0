"""Writes a whole programme as one file, reads it back, and compares it with another. No I/O.

    settings: {…}
    metrics:
      points: {name: Points, …}      # the key is the document's id
    campaigns:
      camp_welcome: {name: Welcome, …}

Fields with default values are left out. A reference to another document can be its id or, if no document has that id, its
name. The order of documents has no meaning.
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
from .existing import OWN_PARTS, clashes, existence_errors, existing_in, keys_of
from .kinds import KINDS
from .metric import Metric
from .profile_schema import PROFILE_SCHEMA_ID
from .settings import SETTINGS_ID

SINGLE = {"settings": SETTINGS_ID, "profile_schema": PROFILE_SCHEMA_ID}  # the kinds with only one document, and its id

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
    """Return a canonical document without the fields that have their default or inferred values."""
    defaults = {field.encode_name: field for field in msgspec.structs.fields(kind.type)}
    short = {
        name: value
        for name, value in doc.items()
        if name not in defaults or defaults[name].required or value != _default(defaults[name])
    }
    while True:  # adding a field back can change the inferred values of others
        inferred = kind.infer(short)
        needed = {
            name: value for name, value in doc.items() if name not in short and inferred.get(name, value) != value
        }
        if not needed:
            return {name: short[name] for name in doc if name in short}
        short |= needed


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return msgspec.to_builtins(field.default) if field.default is not msgspec.NODEFAULT else msgspec.NODEFAULT


def to_file(docs: Mapping[Key, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of a programme's file, from its canonical documents in order."""
    sections: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        own = {key: without_defaults(kind, doc) for (name, key), doc in docs.items() if name == kind.name}
        if own:
            sections[section] = next(iter(own.values())) if kind.name in SINGLE else own
    return sections


class _Dumper(yaml.SafeDumper):
    """A dumper that writes strings of several lines as YAML blocks, and never writes aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(config: Mapping[str, Any]) -> str:
    """Return a programme as YAML."""
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def sections_of(programme: Mapping[str, Any], only: Collection[str], without: Collection[str]) -> dict[str, Any]:
    """Return the sections of a programme: `only` some kinds, or all `without` some. Raise Invalid for unknown kinds.

    A kind can be given by its section (`codePools`), its collection (`code-pools`) or its name (`code_pool`).
    """
    selected = {_section_named(name) for name in only} or set(programme)
    selected -= {_section_named(name) for name in without}
    return {section: docs for section, docs in programme.items() if section in selected}


def _section_named(name: str) -> str:
    for section, kind in SECTIONS.items():
        if name in (section, kind.name, kind.collection):
            return section
    raise Invalid(f"Unknown kind {name!r}: it must be one of {', '.join(SECTIONS)}")


# ------------------------------------------------------------------------------------------------------- reading


class _Loader(yaml.SafeLoader):
    """A loader that reads times as strings, and refuses aliases because a few lines of them can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(AliasEvent):
            raise Invalid("YAML aliases are not allowed", code="bad_yaml")
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def from_yaml(text: str | bytes) -> Any:
    """Return YAML (or JSON, which is YAML) as plain values. Raise Invalid if it is not valid or out of bounds."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number that Python cannot read
        raise Invalid(f"The file is not valid YAML: {error}", code="bad_yaml") from None
    except RecursionError:
        raise bounds.too_deep() from None
    bounds.check(content)
    return content


def read_configuration(raw: Any, existing: Mapping[Key, Mapping[str, Any]]) -> DesiredDocuments:
    """Return the documents of a programme's file. Raise Invalid naming every invalid field by its path in the file.

    References by name can also mean the canonical documents that exist already. Errors in unchanged fields of these are
    ignored.
    """
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object of collections such as campaigns and metrics")])
    sections = cast("dict[str, Any]", raw)
    wrong = [
        FieldError(str(name), f"is not a known collection (known: {', '.join(SECTIONS)})")
        for name in sections
        if name not in SECTIONS
    ]
    raw_documents: dict[Key, Any] = {}
    for section, kind in SECTIONS.items():
        docs = sections.get(section)
        if docs is None:
            continue
        if kind.name in SINGLE:
            docs = {SINGLE[kind.name]: docs}
        if not isinstance(docs, dict):
            wrong.append(FieldError(section, "must be an object that maps ids to documents"))
            continue
        for key, doc in cast("dict[Any, Any]", docs).items():
            try:
                raw_documents[kind.name, _id(key)] = doc
            except PlauditError as error:
                wrong += [field.under(f"{section}.{key}") for field in error.fields]
    all_docs: dict[Key, Any] = {**existing, **{key: doc for key, doc in raw_documents.items() if isinstance(doc, dict)}}
    names = {key: str(doc.get("name")) for key, doc in all_docs.items()}
    for (kind, document_id), doc in all_docs.items():  # the parts that a campaign has, or gets because of its type
        parts = [part for part in OWN_PARTS if doc.get(part) or doc.get("type") == part.capitalize()]
        names |= {(part, document_id): str(doc.get("name")) for part in parts if kind == "campaign"}
    resolver = _NameResolver(names)
    desired: DesiredDocuments = {}
    for key, doc in raw_documents.items():
        try:
            desired[key] = _document(KINDS[key[0]], resolver.with_ids(doc), existing.get(key))
        except PlauditError as error:
            wrong += [field.under(_path_of(key)) for field in error.fields] or [
                FieldError(_path_of(key), error.message)
            ]
    if wrong:
        raise invalid_fields(wrong)
    return desired


def _path_of(key: Key) -> str:
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
    """Return the fields that contain ids of documents, as they are written, with the kinds of the documents."""
    fields = {"campaignId": "campaign", "productId": "product", "codePoolId": "code_pool"}
    fields |= {mechanic.document.id_field: kind for kind, mechanic in MECHANICS.items()}
    for effect_type in EFFECTS.types:
        for named in effect_type.references:
            if named.field is not None and named.required:
                fields[effect_type.written_name(named.field)] = named.kind
    return fields


_AUDIENCE = ("include", "exclude")  # the lists of segments in the field `segments`


class _NameResolver:
    """A resolver of documents' names to ids. A string that is the id of a document is never a name."""

    def __init__(self, names: Mapping[Key, str]) -> None:
        self._naming = _naming_fields()
        self._ids = set(names)
        self._by_name: dict[tuple[str, str], list[str]] = {}
        for (kind, document_id), name in names.items():
            self._by_name.setdefault((kind, name), []).append(document_id)

    def with_ids(self, value: Any, path: str = "", field: str = "") -> Any:
        """Return a field's value with names replaced by ids. Raise Invalid if a name is unknown or ambiguous."""
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if field.startswith("segments."):
                return [self._id("segment", item, f"{path}[{i}]") for i, item in enumerate(items)]
            return [self.with_ids(item, f"{path}[{i}]") for i, item in enumerate(items)]
        if not isinstance(value, dict):
            return value
        resolved: dict[str, Any] = {}
        for name, item in cast("dict[str, Any]", value).items():
            inner_path = f"{path}.{name}" if path else str(name)
            inner_field = f"segments.{name}" if field == "segments" and name in _AUDIENCE else str(name)
            kind = self._naming.get(name)
            resolved[name] = (
                self.with_ids(item, inner_path, inner_field) if kind is None else self._id(kind, item, inner_path)
            )
        return resolved

    def _id(self, kind: str, name: Any, path: str) -> Any:
        if not isinstance(name, str) or (kind, name) in self._ids:
            return name
        ids = self._by_name.get((kind, name), [])
        if len(ids) == 1:
            return ids[0]
        title = KINDS[kind].title.lower()
        if ids:
            raise invalid_fields(
                [FieldError(path, f"is ambiguous: {len(ids)} {title}s are named {name!r}; use the id")]
            )
        raise invalid_fields([FieldError(path, f"must reference an existing {title} (got {name!r})")])


def reference_errors(
    desired: DesiredDocuments, existing: Mapping[Key, Mapping[str, Any]], removed: Collection[Key]
) -> list[FieldError]:
    """Return the errors in the references and in the ids of the desired documents, in the programme after the change."""
    docs = {key: dict(doc) for key, doc in existing.items() if key not in removed}
    docs |= {key: cast("dict[str, Any]", msgspec.to_builtins(document)) for key, document in desired.items()}
    existing_after = existing_in(keys_of(docs), docs)
    docs_by_id: dict[str, dict[Key, dict[str, Any]]] = {}
    for key, doc in docs.items():
        docs_by_id.setdefault(key[1], {})[key] = doc
    wrong: list[FieldError] = []
    for key, document in desired.items():
        kind, before = KINDS[key[0]], existing.get(key)
        others = keys_of({item: doc for item, doc in docs_by_id[key[1]].items() if item != key})
        errors = clashes(*key, docs[key], before, others)
        errors += existence_errors(kind, document, existing_after, before, removed)
        wrong += [error.under(_path_of(key)) for error in errors]
    return wrong


def amount_errors(desired: DesiredDocuments, existing: Mapping[Key, Mapping[str, Any]]) -> list[FieldError]:
    """Return the errors in the amounts of the desired documents, whose metrics may exist already or be desired too."""
    decimals = decimals_in((*key, doc) for key, doc in existing.items())
    decimals |= {key[1]: document.decimals for key, document in desired.items() if isinstance(document, Metric)}
    return [
        error.under(_path_of(key))
        for key, document in desired.items()
        for error in misfits(KINDS[key[0]], document, decimals, existing.get(key))
    ]


# ----------------------------------------------------------------------------------------------------- comparing


def _still_completed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return a desired campaign. If it was completed at its end and keeps its endDate, it stays completed."""
    has_ended = "completedAt" in before and before["status"] == "completed" and after["endDate"] == before["endDate"]
    if has_ended and after["status"] == "active":
        return after | {"status": "completed", "completedAt": before["completedAt"]}
    return after


def plan_changes(
    desired: DesiredDocuments, existing: Mapping[Key, dict[str, Any]], *, prune: bool
) -> list[PlannedChange]:
    """Return the changes from the existing documents to the desired ones.

    With `prune`, other documents are deleted, in the collections that the file contains.
    """
    changes: list[PlannedChange] = []
    for (kind, key), document in desired.items():
        after = msgspec.json.decode(msgspec.json.encode(document))
        before = existing.get((kind, key))
        if kind == "campaign" and before is not None:
            after = _still_completed(before, after)
        if before != after:
            change = "created" if before is None else "updated"
            changes.append(PlannedChange(kind=kind, id=key, change=change, before=before, after=after))
    if prune:
        kinds = {kind for kind, _ in desired} - set(SINGLE)
        changes += [
            PlannedChange(kind=kind, id=key, change="deleted", before=before, after=None)
            for (kind, key), before in existing.items()
            if kind in kinds and (kind, key) not in desired
        ]
    return changes
