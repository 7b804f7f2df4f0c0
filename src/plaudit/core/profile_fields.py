"""All profile fields that the engine knows: their types, who sets them, and how they are computed.

Profiles, profile schemas, conditions, criteria, formulas and templates use this list, and the mechanics add their fields.
A field with a `value` is computed and usable everywhere. A field that is neither computed nor set by users is only shown
in profiles.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from msgspec import Struct

from .member import Member
from .metrics import Metric, to_number


class ProductLike(Protocol):
    """The fields of a product that computed fields read."""

    @property
    def type(self) -> str: ...


class ProfileSource(Protocol):
    """The input of computed fields: a member and their programme."""

    @property
    def member(self) -> Member: ...
    @property
    def metrics(self) -> Mapping[str, Metric]: ...
    @property
    def mechanics(self) -> Mapping[str, Mapping[str, Any]]: ...
    @property
    def products(self) -> Mapping[str, ProductLike]: ...


class Missing:
    """The value of an absent field (null is a value)."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


class Keeper(StrEnum):
    """Who sets a field's value, and where it can be used."""

    user = "user"  # set by callers who write the profile
    engine = "engine"  # computed; usable in conditions, criteria, formulas and templates
    scope = "scope"  # set by the engine, and read with an id: `metrics.gold`
    shown = "shown"  # set by the engine, and only shown in profiles


class ProfileField(Struct, frozen=True, kw_only=True):
    """A profile field.

    The API's list of properties shows its `type` and `group`. `parts` are the parts of a member from which the `value` is
    computed: when one changes, whatever reads the field is re-evaluated. `is_standard` fields are among the 23 that the
    API's documentation lists. Fields with `always` exist without a profile schema. `about` is shown in the description of
    profiles.
    """

    name: str
    type: str
    group: str
    kept_by: Keeper
    parts: tuple[str, ...] = ()
    value: Callable[[ProfileSource], Any] | None = None
    is_standard: bool = True
    always: bool = False
    about: str = ""

    def compute(self, source: ProfileSource) -> Any:
        """Return a member's value, or MISSING."""
        return MISSING if self.value is None else self.value(source)


ACTIVE = "active"  # the part of a member that changes with `active_at`
PRESENT = "present"  # the part that changes with `latest_at`

REFERRALS = "referralCount"
TIME_ZONE = "timezone"  # the member's time zone; by default, the organisation's
XP_PER_LEVEL = 1_000


def _written(
    name: str, group: str, type_: str = "string", *, standard: bool = True, always: bool = True
) -> ProfileField:
    return ProfileField(name=name, type=type_, group=group, kept_by=Keeper.user, is_standard=standard, always=always)


def _computed(
    name: str,
    type_: str,
    group: str,
    parts: Sequence[str],
    value: Callable[[ProfileSource], Any],
    *,
    standard: bool = True,
) -> ProfileField:
    return ProfileField(
        name=name, type=type_, group=group, kept_by=Keeper.engine, parts=tuple(parts), value=value, is_standard=standard
    )


def _shown(
    name: str, type_: str, group: str, *, standard: bool = False, kept_by: Keeper = Keeper.shown
) -> ProfileField:
    return ProfileField(name=name, type=type_, group=group, kept_by=kept_by, is_standard=standard)


def _balance(name: str) -> Callable[[ProfileSource], Any]:
    def value(source: ProfileSource) -> Any:
        metric, balance = source.metrics.get(name), source.member.balances.get(name)
        if metric is None:
            return MISSING
        return to_number(metric.default if balance is None else balance.amount, metric.decimals)

    return value


def _lifetime_points(source: ProfileSource) -> Any:
    metric, balance = source.metrics.get("points"), source.member.balances.get("points")
    return MISSING if metric is None else to_number(0 if balance is None else balance.earned, metric.decimals)


def _level(source: ProfileSource) -> int:
    xp = _balance("xp")(source)
    return 1 if xp is MISSING else 1 + int(xp) // XP_PER_LEVEL


def _badges(source: ProfileSource) -> list[str]:
    return badges_of(sorted(source.member.holdings), source.products)


def _once_joined(time_of: Callable[[Member, datetime], datetime | None]) -> Callable[[ProfileSource], Any]:
    def value(source: ProfileSource) -> Any:
        joined = source.member.enrolled_at
        return MISSING if joined is None else time_of(source.member, joined)

    return value


_joined = _once_joined(lambda _, joined: joined)

# In the order of the documentation's list; a group's other fields follow.
PROFILE_FIELDS: list[ProfileField] = [
    ProfileField(name="userId", type="string", group="identity", kept_by=Keeper.user, always=True),
    _written("email", "identity"),
    _computed("createdAt", "date", "identity", ["user"], _joined),
    _computed("lastActiveAt", "date", "identity", [ACTIVE], _once_joined(lambda member, _: last_active_at(member))),
    _computed("points", "number", "loyalty", ["metrics.points"], _balance("points")),
    _computed("lifetimePoints", "number", "loyalty", ["metrics.points"], _lifetime_points),
    _computed("xp", "number", "loyalty", ["metrics.xp"], _balance("xp")),
    _computed("level", "number", "loyalty", ["metrics.xp"], _level),
    _computed("coins", "number", "loyalty", ["metrics.coins"], _balance("coins")),
    _computed("badges", "array", "achievements", ["badges"], _badges),
    _computed("badgeCount", "number", "achievements", ["badges"], lambda source: len(_badges(source))),
    _shown("transactionCount", "number", "engagement", standard=True),
    _written("country", "location"),
    _written("city", "location", always=False),
    _written(TIME_ZONE, "location"),
    _written("language", "preferences"),
    _computed(REFERRALS, "number", "social", ["user"], lambda source: source.member.attributes.get(REFERRALS, 0)),
    _written("referredBy", "social"),
    _written("tags", "metadata", "array"),
    # The documentation names these two computed fields, but not in its list of 23.
    _computed("enrolledAt", "date", "identity", ["user"], _joined, standard=False),
    _computed(
        "updatedAt", "date", "identity", [PRESENT], _once_joined(lambda member, joined: member.latest_at or joined),
        standard=False,
    ),
    _written("phone", "identity", standard=False),
    _written("displayName", "identity", standard=False),
    _written("name", "identity", standard=False),
    _written("source", "identity", standard=False),
    _written("channel", "identity", standard=False),
    _written("preferences", "preferences", "object", standard=False),
    _written("optedOut", "preferences", "boolean", standard=False),
    *(_shown(name, "object", "mechanics", kept_by=Keeper.scope) for name in ("metrics", "campaigns")),
    _shown("orgId", "string", "identity"),
    _shown("inventory", "array", "achievements"),
    _shown("coupons", "array", "achievements"),
]  # fmt: skip

FIELDS: dict[str, ProfileField] = {}
COMPUTED: list[ProfileField] = []
# The names of the fields by who sets them. Users must not write any field that the engine sets.
USABLE: set[str] = set()
IN_SCOPES: set[str] = set()
ONLY_SHOWN: set[str] = set()
KEPT_BY_ENGINE: set[str] = set()


def add_fields(fields: Iterable[ProfileField]) -> None:
    """Add fields to the list, each before the others of its group."""
    for field in reversed([*fields]):
        groups = [other.group for other in PROFILE_FIELDS]
        PROFILE_FIELDS.insert(groups.index(field.group) if field.group in groups else len(groups), field)
    _sort_out()


def remove_fields(fields: Iterable[ProfileField]) -> None:
    """Remove fields from the list."""
    for field in fields:
        PROFILE_FIELDS.remove(field)
    _sort_out()


def _sort_out() -> None:
    FIELDS.clear()
    FIELDS.update((field.name, field) for field in PROFILE_FIELDS)
    COMPUTED[:] = [field for field in PROFILE_FIELDS if field.value is not None]
    for names, keeper in ((USABLE, Keeper.engine), (IN_SCOPES, Keeper.scope), (ONLY_SHOWN, Keeper.shown)):
        names.clear()
        names.update(field.name for field in PROFILE_FIELDS if field.kept_by == keeper)
    KEPT_BY_ENGINE.clear()
    KEPT_BY_ENGINE.update(USABLE, IN_SCOPES, ONLY_SHOWN)


_sort_out()


def computed_fields(source: ProfileSource) -> dict[str, Any]:
    """Return the member's computed fields that have a value, by name. Times are datetimes."""
    values = {field.name: field.compute(source) for field in COMPUTED}
    return {name: value for name, value in values.items() if value is not MISSING}


def badges_of(held: Iterable[str], products: Mapping[str, ProductLike]) -> list[str]:
    """Return the ids of those products that are badges, in the same order."""
    return [product_id for product_id in held if product_id in products and products[product_id].type == "badge"]


def last_active_at(member: Member) -> datetime | None:
    """Return when a member was last active: their latest own event, or else their enrolment."""
    return member.active_at or member.enrolled_at
