"""The fields that a document looks at: of events, of members. Found in its conditions, criteria, goals and scores."""

from collections.abc import Iterator
from typing import Any, Literal, cast

from msgspec import Struct, structs

from plaudit.core.fields import CUSTOM, SCOPES, scope_and_steps
from plaudit.core.formulas.names import fields_named

from .base import Reference
from .campaign import StepSpec
from .competition import Competition, CompetitionPart, Score
from .listening import TriggerSpec
from .rule import Rule
from .segment import CriterionSpec, TallySpec
from .webhook import Webhook

Of = Literal["event", "member", "message", "profile"]

# The data of an event may lack what a formula names there, and it says what counts then.
_NAMED_IN_FORMULAS = frozenset(SCOPES) - {"data", "metadata"}


class Look(Struct, frozen=True):
    """That a document looks at a `field`, `at` a place of it.

    `triggers` are the events whose data it may look at (none: those of any event). A field without a scope is the
    event's, or, where members are looked at, the `member`'s; of a `message` there is nothing else, and a `profile`
    has what is written there, nothing that is computed.
    """

    at: str
    field: str
    triggers: tuple[str, ...] = ()
    of: Of = "event"


def looks_of(document: Struct) -> list[Look]:
    """Return the fields that a document looks at. What is not a condition in itself is passed over."""
    return list(_looks(document, "", (), "message" if isinstance(document, Webhook) else "event"))


def _looks(part: Struct, at: str, triggers: tuple[str, ...], of: Of) -> Iterator[Look]:
    """Yield the looks of a part of a document, which stands `at` a place in it, or before a dot."""
    triggers = _triggers_of(part) or triggers
    for one in structs.fields(part):
        value: Any = getattr(part, one.name)
        place = at + one.encode_name
        if one.name == "conditions":
            yield from _in_conditions(value, place, triggers, of)
        elif one.name == "field" and isinstance(value, str):
            yield Look(place, value, triggers, "member" if isinstance(part, CriterionSpec) else of)
        elif one.name == "scope_field" and isinstance(part, Competition | CompetitionPart) and value is not None:
            yield Look(place, value, (), "profile")
        elif isinstance(value, Struct):
            yield from _looks(value, f"{place}.", triggers, of)
        elif isinstance(value, list):
            for i, item in enumerate(cast("list[Any]", value)):
                if isinstance(item, Struct):
                    yield from _looks(item, f"{place}[{i}].", triggers, of)


def _triggers_of(part: Struct) -> tuple[str, ...]:
    """Return the events that a part is about, if it says so."""
    match part:
        case TriggerSpec():
            return (part.type,)
        case Rule():
            return (part.trigger_type,)
        case Score() | TallySpec():
            return () if part.trigger is None else (part.trigger,)
        case StepSpec():
            return tuple(one.type for one in part.triggers)
        case _:
            return ()


def _in_conditions(tree: Any, at: str, triggers: tuple[str, ...], of: Of) -> Iterator[Look]:
    if isinstance(tree, list):
        for i, part in enumerate(cast("list[Any]", tree)):
            yield from _in_conditions(part, f"{at}[{i}]", triggers, of)
    elif isinstance(tree, dict):
        node = cast("dict[str, Any]", tree)
        for word in ("and", "or", "not", "all", "any"):
            if word in node:
                yield from _in_conditions(node[word], f"{at}.{word}", triggers, of)
        if isinstance(node.get("field"), str):
            yield Look(f"{at}.field", node["field"], triggers, of)
        if isinstance(node.get("expression"), str):
            for field in fields_named(node["expression"], _NAMED_IN_FORMULAS):
                yield Look(f"{at}.expression", field, triggers, of)


# The scopes whose first step is the id of a document, and its kind.
NAMED = {"metrics": "metric", "streaks": "streak", "ladders": "ladder", "campaigns": "campaign"}


def references_in(looks: list[Look]) -> list[Reference]:
    """Return the documents that fields name. A criterion may mean a metric by its bare name, or something of the profile."""
    found: list[Reference] = []
    for look in looks:
        if look.of == "member" and is_bare(look.field):
            if "." not in look.field:
                found.append(Reference(look.at, "metric", look.field, required=False))
        elif look.of in ("event", "member"):
            scope, steps = scope_and_steps(look.field)
            if scope in NAMED and steps[0]:
                found.append(Reference(look.at, NAMED[scope], steps[0]))
    return list(dict.fromkeys(found))


def is_bare(field: str) -> bool:
    """Whether a criterion's field says no scope."""
    first = field.partition(".")[0].partition("[")[0]
    return first not in SCOPES and not (first in CUSTOM and first != field)
