"""Metrics: points and other amounts that members earn. `points`, `xp` and `coins` always exist."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from plaudit.core.metrics import AMOUNT_MAX, misfit
from plaudit.core.periods import Period
from plaudit.errors import FieldError

from .base import Document, DocumentKind, Instant, Media, Name
from .conditions import check_conditions

Bound = Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)] | Annotated[float, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]


Days = Annotated[int, Meta(ge=1, le=36_500)]


class ExpirySpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """When earned amounts expire: at the end of the day `days` days later (`rolling`), or at the end of a calendar period.

    `extendedByActivity`: earning or spending renews all rolling expiries. `remindDays`: how many days before an expiry
    `metric.expiring` fires.
    """

    type: Literal["never", "rolling", "end_of_month", "end_of_quarter", "end_of_year"]
    days: Days | None = None
    extended_by_activity: bool = False
    remind_days: Days | None = None


class EarningCap(Struct, kw_only=True, forbid_unknown_fields=True):
    """The maximum that a member can earn in a calendar period."""

    period: Period
    amount: Bound


class MultiplierSpec(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A multiplier of earnings by `factor`: between two dates, on some `weekdays`, and if `conditions` are met.

    `weekdays`: ISO numbers, from 1 for Monday to 7 for Sunday.
    """

    name: Name
    factor: Annotated[int, Meta(ge=0, le=1000)] | Annotated[float, Meta(ge=0, le=1000)]
    start_date: Instant | None = None
    end_date: Instant | None = None
    weekdays: list[Annotated[int, Meta(ge=1, le=7)]] = field(default_factory=list[int])
    conditions: list[Any] | dict[str, Any] | None = None


class Metric(Document, kw_only=True):
    """An amount that members earn and spend, such as points.

    `decimals`: number of decimal places, 0 to 6. `minimum: null`: the balance may become negative without limit.
    `pendingDays`: days until earned amounts can be spent. `onReversal`: if the reversed amount is already spent, the
    balance stops at the minimum (`zero`) or goes below it (`debt`).
    """

    status: Literal["active"] = "active"
    decimals: Annotated[int, Meta(ge=0, le=6)] = 0
    default: Bound = 0
    minimum: Bound | None = 0
    maximum: Bound | None = None
    media: Media | None = None
    expiry: ExpirySpec | None = None
    pending_days: Annotated[int, Meta(ge=0, le=3_650)] = 0
    earning_caps: Annotated[list[EarningCap], Meta(max_length=10)] = field(default_factory=list[EarningCap])
    multipliers: Annotated[list[MultiplierSpec], Meta(max_length=50)] = field(default_factory=list[MultiplierSpec])
    stacking: Literal["highest", "multiply", "add"] = "highest"
    on_reversal: Literal["zero", "debt"] = "zero"


def _check(metric: Metric) -> Sequence[FieldError]:
    wrong: list[FieldError] = []
    low, high = metric.minimum, metric.maximum
    bounds: list[tuple[str, float | None]] = [("default", metric.default), ("minimum", low), ("maximum", high)]
    bounds += [(f"earningCaps[{i}].amount", cap.amount) for i, cap in enumerate(metric.earning_caps)]
    for name, bound in bounds:
        message = None if bound is None else misfit(bound, metric.decimals)
        if message is not None:
            wrong.append(FieldError(name, message))
    if low is not None and high is not None and low > high:
        wrong.append(FieldError("maximum", "must not be below minimum"))
    if (low is not None and metric.default < low) or (high is not None and metric.default > high):
        wrong.append(FieldError("default", "must be between minimum and maximum"))
    expiry = metric.expiry
    if expiry is not None and (expiry.type == "rolling") != (expiry.days is not None):
        wrong.append(FieldError("expiry.days", "is required for a rolling expiry, and not allowed otherwise"))
    if expiry is not None and expiry.extended_by_activity and expiry.type != "rolling":
        wrong.append(FieldError("expiry.extendedByActivity", "is only allowed for a rolling expiry"))
    for i, cap in enumerate(metric.earning_caps):
        if cap.amount < 0:
            wrong.append(FieldError(f"earningCaps[{i}].amount", f"must be 0 or more (got {cap.amount})"))
    for i, multiplier in enumerate(metric.multipliers):
        wrong += check_conditions(multiplier.conditions, f"multipliers[{i}].conditions")
    return wrong


KIND = DocumentKind(
    name="metric",
    title="Metric",
    collection="metrics",
    id_field="metricId",
    id_prefix="met_",
    type=Metric,
    fixed=("decimals", "default"),  # stored balances depend on them
    check=_check,
)

STANDARD = {"points": "Points", "xp": "XP", "coins": "Coins"}
