"""A line of an import: a member, in JSON or in columns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from msgspec import Meta, Struct, defstruct, structs

from plaudit.bounds import UserId
from plaudit.core.commands.import_member import ImportedCode, ImportedLot, ImportOrder
from plaudit.core.metrics import Metric, misfit, to_scaled
from plaudit.errors import FieldError, invalid_fields
from plaudit.mechanics.registry import MECHANICS

from .profile import ProfileValidator, validate_update
from .validation import convert

Instant = Annotated[datetime, Meta(tz=True)]


class LotRecord(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An amount with its expiry; it is pending until `availableAt`."""

    amount: Annotated[float, Meta(gt=0)]
    expires_at: Instant | None = None
    available_at: Instant | None = None


class MemberRecord(Struct, kw_only=True, rename="camel"):
    """The parts outside the profile. `metrics` are amounts, or lists of lots. Each mechanic may add a field."""

    user_id: UserId
    enrolled_at: Instant | None = None
    metrics: dict[str, Annotated[float, Meta(ge=0)] | list[LotRecord]] = {}
    products: dict[str, Annotated[int, Meta(ge=1, le=1_000_000)]] = {}
    codes: list[ImportedCode] = []


_RECORDS: list[tuple[type[MemberRecord], frozenset[str]]] = []  # the one of today, and its fields


def _follow_mechanics() -> None:
    more: list[tuple[str, Any, Any]] = [
        (mechanic.collection, dict[str, mechanic.import_spelling], {})
        for mechanic in MECHANICS.values()
        if mechanic.import_name is not None
    ]
    record = cast(
        "type[MemberRecord]", defstruct("MemberRecord", more, bases=(MemberRecord,), kw_only=True, rename="camel")
    )
    _RECORDS[:] = [(record, frozenset(field.encode_name for field in structs.fields(record)))]


MECHANICS.follow(_follow_mechanics)


def read_member(raw: Any, rules: ProfileValidator, metrics: Mapping[str, Metric]) -> tuple[str, ImportOrder]:
    """Return a line's user id and import order. Raise Invalid naming every invalid field."""
    if not isinstance(raw, dict):
        raise invalid_fields([FieldError("", "must be an object")])
    given = cast("dict[str, Any]", raw)
    ((of, own),) = _RECORDS
    record = convert({name: value for name, value in given.items() if name in own}, of)
    found, wrong = validate_update(rules, {name: value for name, value in given.items() if name not in own}, new=True)
    lots: dict[str, list[ImportedLot]] = {}
    for metric_id, amounts in record.metrics.items():
        metric = metrics.get(metric_id)
        if metric is None:
            wrong.append(FieldError(f"metrics.{metric_id}", "must reference an existing metric"))
            continue
        item = amounts if isinstance(amounts, list) else [LotRecord(amount=amounts)] if amounts else []
        message = next(
            (told for lot_record in item if (told := misfit(lot_record.amount, metric.decimals)) is not None), None
        )
        if message is not None:
            wrong.append(FieldError(f"metrics.{metric_id}", message))
            continue
        if item:
            lots[metric_id] = [
                ImportedLot(
                    to_scaled(lot_record.amount, metric.decimals) or 0, lot_record.expires_at, lot_record.available_at
                )
                for lot_record in item
            ]
    if wrong:
        raise invalid_fields(wrong)
    return record.user_id, ImportOrder(
        attributes=found.attributes, identities=found.names, enrolled_at=record.enrolled_at, lots=lots, parts=_parts(record),
        products=record.products, codes=record.codes,
    )  # fmt: skip


def _parts(record: MemberRecord) -> dict[str, dict[str, Any]]:
    """Return what a member brings of the mechanics' documents, by their kinds."""
    found: dict[str, dict[str, Any]] = {}
    for kind, mechanic in MECHANICS.items():
        if mechanic.import_name is None:
            continue
        brought: dict[str, Any] = getattr(record, mechanic.collection)
        if brought:
            found[kind] = {document_id: mechanic.to_import_order(item) for document_id, item in brought.items()}
    return found
