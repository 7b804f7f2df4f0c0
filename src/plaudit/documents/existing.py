"""Checks that the documents and fields to which a document refers exist in the programme."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from msgspec import Struct

from plaudit.core.fields import (
    CUSTOM,
    EVENT_FIELDS,
    KIND_OF_NAMED,
    LISTS,
    PARTS_OF_NAMED,
    SCOPES,
    scope_and_steps,
)
from plaudit.core.profile_fields import IN_SCOPES, KEPT_BY_ENGINE, ONLY_SHOWN, PROFILE_FIELDS, REFERRALS, USABLE, Keeper
from plaudit.core.triggers import ENGINE_TRIGGERS
from plaudit.errors import FieldError

from .base import Document, DocumentKind, Reference
from .custom_field import CustomField
from .field_reads import (
    OWN_PARTS,
    FieldRead,
    field_reads_of,
    field_writes_of,
    has_no_scope,
    profile_field_set_by,
    references_in,
)
from .kinds import KINDS
from .profile import ProfileValidator, validator_for
from .profile_schema import ProfileSchema
from .trigger import Trigger

Key = tuple[str, str]  # kind, id
Docs = Mapping[Key, Mapping[str, Any]]

NAMES_SHOWN = 30  # the most field names that an error lists
CANDIDATES_SHOWN = 10  # the most ids of existing documents that an error lists


class Existing(Struct, frozen=True):
    """The documents of a programme, and the fields that its members and events can have.

    `keys` are the keys of documents and of campaigns' parts, `own` those of the document that is being checked, which may
    be new. `declared` are the data fields of strict triggers, `written` the profile fields that effects set.
    """

    keys: frozenset[Key]
    own: frozenset[Key] = frozenset()
    profiles: ProfileValidator = ProfileValidator()
    declared: Mapping[str, tuple[str, ...]] = {}
    written: frozenset[str] = frozenset()

    def has(self, key: Key) -> bool:
        """Return whether a document, or a part of a campaign, exists."""
        return key in self.keys or key in self.own

    def ids_of(self, kind: str) -> list[str]:
        """Return the ids of a kind's documents, in order."""
        return sorted(document_id for document_kind, document_id in self.keys if document_kind == kind)


def keys_of(docs: Docs) -> frozenset[Key]:
    """Return the keys of documents and of campaigns' parts."""
    parts = {
        (part, campaign_id)
        for (kind, campaign_id), doc in docs.items()
        for part in OWN_PARTS
        if kind == "campaign" and doc.get(part) is not None
    }
    return frozenset(docs.keys() | parts)


def existing_in(keys: frozenset[Key], docs: Docs, own: frozenset[Key] = frozenset()) -> Existing:
    """Return what exists: the documents with these keys, and the fields that `docs` declare or set."""
    schema: ProfileSchema | None = None
    custom: list[CustomField] = []
    declared: dict[str, tuple[str, ...]] = {}
    written: set[str] = set()
    for (kind, document_id), doc in docs.items():
        read: Any = _read(kind, doc) if kind in ("profile_schema", "custom_field", "trigger") else None
        match read:
            case ProfileSchema():
                schema = read
            case CustomField():
                custom.append(read)
            case Trigger() if read.strict:
                declared[document_id] = tuple(field.key for field in read.fields)
            case _:
                written |= _written_by(doc)
    return Existing(keys, own, validator_for(schema, custom), declared, frozenset(written))


def _read(kind: str, doc: Mapping[str, Any]) -> Document | None:
    try:
        return msgspec.convert(doc, KINDS[kind].type)
    except msgspec.ValidationError:  # saved by an earlier version
        return None


def _written_by(value: Any) -> set[str]:
    """Return the profile fields that effects anywhere in a document set."""
    if isinstance(value, Mapping):
        part = cast("Mapping[str, Any]", value)
        config: Any = part.get("config")
        profile_field = profile_field_set_by(part.get("type")) if isinstance(config, Mapping) else None
        if profile_field is not None:
            return {str(cast("Mapping[str, Any]", config).get(profile_field[0]))}
        return {name for item in part.values() for name in _written_by(item)}
    if isinstance(value, list):
        return {name for item in cast("list[Any]", value) for name in _written_by(item)}
    return set()


def references_of(kind: DocumentKind, document: Document) -> list[Reference]:
    """Return a document's references to other documents, including those in the fields that it reads."""
    return [*kind.references(document), *references_in(field_reads_of(document))]


def existence_errors(
    kind: DocumentKind,
    document: Document,
    existing: Existing,
    over: Mapping[str, Any] | None = None,
    removed: Collection[Key] = (),
) -> list[FieldError]:
    """Return the errors in a document's references, in the fields that it reads, and in the profile fields that it sets.

    Errors that the replaced document (`over`) also has are ignored, except references to documents that are `removed` now.
    """
    broken = [
        reference
        for reference in references_of(kind, document)
        if reference.required and not existing.has((reference.kind, reference.id))
    ]
    reads = [(read, why) for read in field_reads_of(document) if (why := read_error(read, existing)) is not None]
    writes = [
        (write, why)
        for write in field_writes_of(document)
        if (why := existing.profiles.effect_error(write.name, write.value)) is not None
    ]
    before = None if over is None or not (broken or reads or writes) else _read(kind.name, over)
    if before is not None:
        old_references = references_of(kind, before)
        broken = [
            reference
            for reference in broken
            if reference not in old_references or (reference.kind, reference.id) in removed
        ]
        old_reads, old_writes = field_reads_of(before), field_writes_of(before)
        reads = [(read, why) for read, why in reads if read not in old_reads]
        writes = [(write, why) for write, why in writes if write not in old_writes]
    return [
        *(_broken(reference, existing) for reference in broken),
        *(FieldError(item.path, why) for item, why in (*reads, *writes)),
    ]


def _broken(reference: Reference, existing: Existing) -> FieldError:
    got, candidates = f"(got {reference.id!r})", existing.ids_of(reference.kind)
    if 1 <= len(candidates) <= CANDIDATES_SHOWN:
        return FieldError(reference.field, f"must be one of {', '.join(candidates)} {got}")
    return FieldError(reference.field, f"must reference an existing {KINDS[reference.kind].title.lower()} {got}")


def _listed(names: Sequence[str]) -> str:
    """Return the existing names as text, shortened if there are many."""
    if not names:
        return "there is none"
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names[:NAMES_SHOWN])}{more}"


def read_error(read: FieldRead, existing: Existing) -> str | None:
    """Return why a field can never have a value, or None. Do not check the documents that its path refers to."""
    if read.subject == "profile":
        return None if _may_be_written(read.field, existing) else _no_field(read.field, _written_names(existing))
    if read.subject == "member" and has_no_scope(read.field):
        steps = scope_and_steps(f"user.{read.field}")[1]
        if ("metric", read.field) in existing.keys:
            return None
        return _profile_read_error(read.field, steps, existing, custom=False)
    scope, steps = scope_and_steps(read.field)
    if read.subject == "member" and read.field in SCOPES and scope == "data":
        return _scope_alone(read.field, read.field)
    if read.subject == "message" and scope not in ("data", "event"):
        return f"must be a field of the message's data, which is all that a webhook sees (got {read.field!r})"
    if scope == "data":
        return _data_read_error(read, steps[0] if steps else "", existing)
    if scope == "event":
        names = [f"event.{name}" for name in EVENT_FIELDS]
        return None if steps and f"event.{steps[0]}" in names and len(steps) == 1 else _no_field(read.field, names)
    if scope == "user":
        custom = read.field.partition(".")[0].partition("[")[0] in CUSTOM
        return _profile_read_error(read.field, steps, existing, custom=custom)
    if scope in LISTS:
        is_valid = len(steps) <= 1 and all(step == "" or step.isdigit() for step in steps)
        return None if is_valid else f"must be {scope}, which is an array of ids: use contains (got {read.field!r})"
    if scope in KIND_OF_NAMED:
        parts = PARTS_OF_NAMED[scope]
        is_valid = steps[0] != "" and (len(steps) == 1 or (len(steps) == 2 and steps[1] in parts))
        names = [".".join((scope, steps[0], part)) for part in parts] or [f"{scope}.{steps[0]}"]
        return None if is_valid else f"must be {' or '.join(names)} (got {read.field!r})"
    return None


def _scope_alone(scope: str, field: str) -> str:
    return f"must be written {scope}.<{'id' if scope in KIND_OF_NAMED else 'field'}> (got {field!r})"


def _no_field(field: str, names: Sequence[str]) -> str:
    return f"is not a field that can exist (got {field!r}): {_listed(names)}"


def _data_read_error(read: FieldRead, name: str, existing: Existing) -> str | None:
    """Return why an event's data can never have a field, or None. Only the engine's and strict triggers restrict it."""
    known: list[str] = []
    for trigger in read.triggers:
        if trigger in ENGINE_TRIGGERS:
            known += ENGINE_TRIGGERS[trigger].fields
        elif trigger in existing.declared:
            known += existing.declared[trigger]
        else:
            return None
    if not read.triggers or not name or any(key.partition(".")[0] == name for key in known):
        return None
    return f"is not in the data of {' or '.join(read.triggers)} (got {read.field!r}): {_listed(known)}"


def _profile_read_error(field: str, steps: Sequence[str], existing: Existing, *, custom: bool) -> str | None:
    name = steps[0]
    if name in CUSTOM[:1] and len(steps) > 1:
        return f"must be written user.{'.'.join(steps[1:])} (got {field!r})"
    if name in USABLE or name == "userId":
        is_valid = len(steps) == 1 or (name in LISTS and len(steps) == 2)
        return None if is_valid else f"must be user.{name}, which has no parts (got {field!r})"
    if name in ONLY_SHOWN:
        return f"is only shown in profiles, and cannot be compared or used in formulas (got {field!r})"
    if name in IN_SCOPES:
        return _scope_alone(name, field)
    if _may_be_written(name, existing) or (custom and existing.profiles.any_custom and name not in KEPT_BY_ENGINE):
        return None
    return _no_field(field, [*_written_names(existing), *sorted(USABLE)])


def _may_be_written(name: str, existing: Existing) -> bool:
    """Return whether a profile can have a field of this name that is not computed."""
    if name in existing.written or name in STANDARD_WRITTEN:
        return True
    return name not in KEPT_BY_ENGINE and existing.profiles.may_have(name)


def _written_names(existing: Existing) -> list[str]:
    profiles = existing.profiles
    own = [] if profiles.schema is None else [field.name for field in profiles.schema.fields]
    return list(dict.fromkeys([*own, *sorted(existing.written), *profiles.custom, *sorted(STANDARD_WRITTEN)]))


STANDARD_WRITTEN = frozenset(
    field.name
    for field in PROFILE_FIELDS
    if field.is_standard and (field.kept_by == Keeper.user or field.name == REFERRALS)
)


def clashes(
    kind: str, document_id: str, doc: Mapping[str, Any], before: Mapping[str, Any] | None, keys: Collection[Key]
) -> list[FieldError]:
    """Return the errors of a document whose id, or of a campaign whose part, is already taken within the kind."""
    if kind == "campaign":
        return [
            FieldError(
                part, f"must be absent: there is a {part} {document_id!r} already, and a campaign's own has its id"
            )
            for part in OWN_PARTS
            if doc.get(part) is not None and (before or {}).get(part) is None and (part, document_id) in keys
        ]
    if kind in OWN_PARTS and before is None and (kind, document_id) in keys:
        name = KINDS[kind].id_field
        return [FieldError(name, f"must be another: campaign {document_id!r} has a {kind} of its own, with its id")]
    return []


def parts_lost(before: Mapping[str, Any], after: Document) -> list[str]:
    """Return the parts that a change removes from a campaign. Other documents have no parts."""
    return [part for part in OWN_PARTS if before.get(part) is not None and getattr(after, part, None) is None]


def read_docs(rows: Iterable[Any]) -> dict[Key, dict[str, Any]]:
    """Return documents by key, from rows of the database."""
    return {(row["kind"], row["id"]): msgspec.json.decode(row["doc"]) for row in rows}
