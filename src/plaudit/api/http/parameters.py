"""Query parameters. An operation accepts only those in its row, just as a body accepts no unknown fields.

A parameter that names a document must name one that exists or has existed.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from plaudit import bounds
from plaudit.core.cause import CauseKind
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, invalid_fields
from plaudit.reads.cause_filter import ALL_CAUSES, CauseFilter, of_campaign, of_cause
from plaudit.storage.documents import ever_existed

from .operations import DRY_RUN, Call, Operation, Parameter

_TIME = {"type": "string", "format": "date-time"}
BETWEEN = (
    Parameter("since", "Only what happened at this time or later.", _TIME),
    Parameter("until", "Only what happened before this time.", _TIME),
)
TRUE, FALSE = "true", "false"
_WORDS_MAX = 64


def check_query(operation: Operation, query: Sequence[tuple[str, str]]) -> None:
    """Raise Invalid for unknown parameters, repeated ones, and wrong values."""
    if operation.is_open:
        return  # RFC 6749, 3.2 ignores unknown parameters, and pages append version numbers to script URLs
    known = {parameter.name: parameter for parameter in operation.parameters}
    wrong: list[FieldError] = []
    seen: set[str] = set()
    for name, value in query:
        parameter = known.get(name)
        if name in seen:
            message = "must be given once"
        elif parameter is not None:
            message = wrong_value(parameter.schema, value)
        elif operation.any_field:
            message = None
        else:
            message = f"is not a parameter of this call, which takes {', '.join(known) or 'none'}"
        if message is not None:
            wrong.append(FieldError(name, message))
        seen.add(name)
    if wrong:
        raise invalid_fields(wrong)


def wrong_value(schema: Mapping[str, Any], value: str) -> str | None:
    """Return what is wrong with a parameter's value by its schema, or None."""
    got = f"(got {value[:_WORDS_MAX]!r})"
    if "enum" in schema:
        return None if value in schema["enum"] else f"must be one of {', '.join(schema['enum'])} {got}"
    if schema.get("type") == "boolean":
        return None if value.lower() in (TRUE, FALSE) else f"must be true or false {got}"
    if schema.get("type") == "integer":
        low, high = schema.get("minimum", 0), schema.get("maximum", 2**53)
        if value.isascii() and value.isdigit() and len(value) < 17 and low <= int(value) <= high:
            return None
        return f"must be a number from {low} to {high} {got}" if high < 2**53 else f"must be an integer {got}"
    if schema.get("format") == "date-time":
        return None if _is_time(value) else f"must be an ISO 8601 time, such as {bounds.TIME_EXAMPLE} {got}"
    return None


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def instant_in(query: Mapping[str, str], name: str) -> datetime | None:
    """Return the instant in a parameter, or None if it is missing. An instant without a zone is in UTC."""
    text = query.get(name)
    if text is None:
        return None
    instant = datetime.fromisoformat(text)
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        raise invalid_fields([FieldError(name, f"must lie between the years 1 and 9999 (got {text!r})")]) from None


def wants_dry_run(operation: Operation, query: Mapping[str, str]) -> bool:
    """Return whether a request is a dry run."""
    return operation.writes and query.get(DRY_RUN.name, FALSE).lower() == TRUE


async def check_named(operation: Operation, call: Call) -> None:
    """Raise Invalid for a parameter that names a document which never existed."""
    references = [
        (parameter, call.query[parameter.name])
        for parameter in operation.query
        if parameter.names and parameter.name in call.query
    ]
    references = [(parameter, value) for parameter, value in references if not _is_no_document(parameter, value)]
    if not references:
        return
    keys = [(str(parameter.names), value) for parameter, value in references]
    async with call.connection() as connection:
        existing = await ever_existed(connection, call.org_id, keys)
    wrong = [
        FieldError(
            parameter.name, f"must reference an existing {KINDS[str(parameter.names)].title.lower()} (got {value!r})"
        )
        for parameter, value in references
        if (parameter.names, value) not in existing
    ]
    if wrong:
        raise invalid_fields(wrong)


def _is_no_document(parameter: Parameter, value: str) -> bool:
    """Rewards granted by hand can be filtered as a campaign of this name, although there is no such document."""
    return parameter.names == "campaign" and value == CauseKind.manual_grant


CAUSE_PARAMETERS = (
    Parameter(
        "campaignId",
        "Only of this campaign; `manual_grant` for rewards granted by hand.",
        {"type": "string"},
        "campaign",
    ),
    Parameter(
        "cause",
        "Only of this cause: a kind, such as `manual`, or a kind and an id, such as `segment.vip` or `expiry.points`.",
        {"type": "string"},
    ),
)
_CAUSE_KINDS = frozenset({*CauseKind, *KINDS})  # a mechanic's causes have the same name as its kind of document


def causes_in(query: Mapping[str, str]) -> CauseFilter:
    """Return the filter for the causes that a query names. Raise Invalid if they are wrong."""
    campaign_id, cause = query.get("campaignId"), query.get("cause")
    if campaign_id is not None and cause is not None:
        raise invalid_fields([FieldError("cause", "and campaignId must not both be given")])
    if campaign_id is not None:
        return of_campaign(campaign_id)
    if cause is None:
        return ALL_CAUSES
    cause_filter = of_cause(cause)
    if cause_filter.kinds is not None and not _CAUSE_KINDS.issuperset(cause_filter.kinds):
        kinds = ", ".join(CauseKind)
        raise invalid_fields(
            [FieldError("cause", f"must be {kinds} or a mechanic, or begin with one (got {cause[:64]!r})")]
        )
    return cause_filter
