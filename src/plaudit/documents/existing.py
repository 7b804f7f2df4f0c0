"""What there is in a programme for a document to name and to look at, and what of a document names or looks at nothing."""

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
from .kinds import KINDS
from .looking import OWN_PARTS, Look, is_bare, looks_of, profile_field_set_by, references_in, writes_of
from .profile import ProfileValidator, validator_for
from .profile_schema import ProfileSchema
from .trigger import Trigger

Key = tuple[str, str]  # kind, id
Docs = Mapping[Key, Mapping[str, Any]]

NAMES_SHOWN = 30
CANDIDATES_SHOWN = 10  # in place of a document that does not exist


class Existing(Struct, frozen=True):
    """What there is: the `keys` of documents and of campaigns' own parts, and what members and events can have.

    `own` are those of the document that names and looks, which may be new. `declared` are the fields of the data of
    triggers that are strict; `written` the profile fields that effects set.
    """

    keys: frozenset[Key]
    own: frozenset[Key] = frozenset()
    profiles: ProfileValidator = ProfileValidator()
    declared: Mapping[str, tuple[str, ...]] = {}
    written: frozenset[str] = frozenset()

    def has(self, key: Key) -> bool:
        """Return whether there is such a document, or part of a campaign."""
        return key in self.keys or key in self.own

    def ids_of(self, kind: str) -> list[str]:
        """Return the ids of a kind, in order."""
        return sorted(name for of, name in self.keys if of == kind)


def keys_of(docs: Docs) -> frozenset[Key]:
    """Return the keys of documents, and of the parts of campaigns that are like documents."""
    own = {
        (part, name)
        for (kind, name), doc in docs.items()
        for part in OWN_PARTS
        if kind == "campaign" and doc.get(part) is not None
    }
    return frozenset(docs.keys() | own)


def there_is(keys: frozenset[Key], docs: Docs, own: frozenset[Key] = frozenset()) -> Existing:
    """Return what there is. Of `docs`, those count that say what members and events can have."""
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
    except msgspec.ValidationError:  # of an earlier version
        return None


def _written_by(value: Any) -> set[str]:
    """Return the fields of profiles that effects anywhere in a document set."""
    if isinstance(value, Mapping):
        given = cast("Mapping[str, Any]", value)
        config: Any = given.get("config")
        profile_field = profile_field_set_by(given.get("type")) if isinstance(config, Mapping) else None
        if profile_field is not None:
            return {str(cast("Mapping[str, Any]", config).get(profile_field[0]))}
        return {name for item in given.values() for name in _written_by(item)}
    if isinstance(value, list):
        return {name for item in cast("list[Any]", value) for name in _written_by(item)}
    return set()


def references_of(kind: DocumentKind, document: Document) -> list[Reference]:
    """Return the documents that a document names, also in the fields that it looks at."""
    return [*kind.references(document), *references_in(looks_of(document))]


def wrong_names(
    kind: DocumentKind,
    document: Document,
    there: Existing,
    over: Mapping[str, Any] | None = None,
    gone: Collection[Key] = (),
) -> list[FieldError]:
    """Return what a document names or looks at that does not exist.

    References that the document it replaces (`over`) also has are ignored, unless their target is only `gone` now.
    """
    lost = [
        reference
        for reference in references_of(kind, document)
        if reference.required and not there.has((reference.kind, reference.id))
    ]
    wrong = [(look, why) for look in looks_of(document) if (why := why_wrong(look, there)) is not None]
    unfit = [
        (write, why)
        for write in writes_of(document)
        if (why := there.profiles.why_not(write.name, write.value)) is not None
    ]
    before = None if over is None or not (lost or wrong or unfit) else _read(kind.name, over)
    if before is not None:
        named, seen = references_of(kind, before), looks_of(before)
        lost = [reference for reference in lost if reference not in named or (reference.kind, reference.id) in gone]
        wrong = [(look, why) for look, why in wrong if look not in seen]
        written = writes_of(before)
        unfit = [(write, why) for write, why in unfit if write not in written]
    return [
        *(_lost(reference, there) for reference in lost),
        *(FieldError(item.at, why) for item, why in (*wrong, *unfit)),
    ]


def _lost(reference: Reference, there: Existing) -> FieldError:
    got, candidates = f"(got {reference.id!r})", there.ids_of(reference.kind)
    if 1 <= len(candidates) <= CANDIDATES_SHOWN:
        return FieldError(reference.field, f"must be one of {', '.join(candidates)} {got}")
    return FieldError(reference.field, f"must reference an existing {KINDS[reference.kind].title.lower()} {got}")


def _listed(names: Sequence[str]) -> str:
    """Return the existing names as text, as far as it can be read."""
    if not names:
        return "there is none"
    more = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"there {'is' if len(names) == 1 else 'are'} {', '.join(names[:NAMES_SHOWN])}{more}"


def why_wrong(look: Look, there: Existing) -> str | None:
    """Return why a field can never have a value, or None. The documents it names are not checked here."""
    if look.of == "profile":
        return None if _may_be_written(look.field, there) else _no_field(look.field, _written_names(there))
    if look.of == "member" and is_bare(look.field):
        steps = scope_and_steps(f"user.{look.field}")[1]
        if ("metric", look.field) in there.keys:
            return None
        return _why_not_of_member(look.field, steps, there, custom=False)
    scope, steps = scope_and_steps(look.field)
    if look.of == "member" and look.field in SCOPES and scope == "data":
        return _no_whole(look.field, look.field)
    if look.of == "message" and scope not in ("data", "event"):
        return f"must be a field of the message's data, which is all that a webhook sees (got {look.field!r})"
    if scope == "data":
        return _why_not_of_data(look, steps[0] if steps else "", there)
    if scope == "event":
        names = [f"event.{name}" for name in EVENT_FIELDS]
        return None if steps and f"event.{steps[0]}" in names and len(steps) == 1 else _no_field(look.field, names)
    if scope == "user":
        custom = look.field.partition(".")[0].partition("[")[0] in CUSTOM
        return _why_not_of_member(look.field, steps, there, custom=custom)
    if scope in LISTS:
        right = len(steps) <= 1 and all(step == "" or step.isdigit() for step in steps)
        return None if right else f"must be {scope}, which is an array of ids: use contains (got {look.field!r})"
    if scope in KIND_OF_NAMED:
        parts = PARTS_OF_NAMED[scope]
        right = steps[0] != "" and (len(steps) == 1 or (len(steps) == 2 and steps[1] in parts))
        names = [".".join((scope, steps[0], part)) for part in parts] or [f"{scope}.{steps[0]}"]
        return None if right else f"must be {' or '.join(names)} (got {look.field!r})"
    return None


def _no_whole(scope: str, field: str) -> str:
    return f"must be written {scope}.<{'id' if scope in KIND_OF_NAMED else 'field'}> (got {field!r})"


def _no_field(field: str, names: Sequence[str]) -> str:
    return f"is not a field that can exist (got {field!r}): {_listed(names)}"


def _why_not_of_data(look: Look, name: str, there: Existing) -> str | None:
    """Any field may be in the data of an event, unless it is the engine's own, or its trigger is strict."""
    known: list[str] = []
    for trigger in look.triggers:
        if trigger in ENGINE_TRIGGERS:
            known += ENGINE_TRIGGERS[trigger].fields
        elif trigger in there.declared:
            known += there.declared[trigger]
        else:
            return None
    if not look.triggers or not name or any(key.partition(".")[0] == name for key in known):
        return None
    return f"is not in the data of {' or '.join(look.triggers)} (got {look.field!r}): {_listed(known)}"


def _why_not_of_member(field: str, steps: Sequence[str], there: Existing, *, custom: bool) -> str | None:
    name = steps[0]
    if name in CUSTOM[:1] and len(steps) > 1:
        return f"must be written user.{'.'.join(steps[1:])} (got {field!r})"
    if name in USABLE or name == "userId":
        right = len(steps) == 1 or (name in LISTS and len(steps) == 2)
        return None if right else f"must be user.{name}, which has no parts (got {field!r})"
    if name in ONLY_SHOWN:
        return f"is only shown in profiles, and cannot be compared or used in formulas (got {field!r})"
    if name in IN_SCOPES:
        return _no_whole(name, field)
    if _may_be_written(name, there) or (custom and there.profiles.any_custom and name not in KEPT_BY_ENGINE):
        return None
    return _no_field(field, [*_written_names(there), *sorted(USABLE)])


def _may_be_written(name: str, there: Existing) -> bool:
    """Return whether a profile may have its own field of this name."""
    if name in there.written or name in STANDARD_WRITTEN:
        return True
    return name not in KEPT_BY_ENGINE and there.profiles.may_have(name)


def _written_names(there: Existing) -> list[str]:
    profiles = there.profiles
    own = [] if profiles.schema is None else [field.name for field in profiles.schema.fields]
    return list(dict.fromkeys([*own, *sorted(there.written), *profiles.custom, *sorted(STANDARD_WRITTEN)]))


STANDARD_WRITTEN = frozenset(
    field.name
    for field in PROFILE_FIELDS
    if field.is_standard and (field.kept_by == Keeper.user or field.name == REFERRALS)
)


def clashes(
    kind: str, document_id: str, doc: Mapping[str, Any], before: Mapping[str, Any] | None, keys: Collection[Key]
) -> list[FieldError]:
    """Return why a document cannot have its id, or a campaign a part: there would be two of that kind with one id."""
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
    """Return the parts that a campaign had, and has no longer; other documents have none."""
    return [part for part in OWN_PARTS if before.get(part) is not None and getattr(after, part, None) is None]


def read_docs(rows: Iterable[Any]) -> dict[Key, dict[str, Any]]:
    """Return documents by their keys, from rows of the store."""
    return {(row["kind"], row["id"]): msgspec.json.decode(row["doc"]) for row in rows}
