"""Compiles documents to a Program once per change, so that nothing is parsed, looked up or rounded per event."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from plaudit.core import program as core
from plaudit.core.conditions import compile_conditions
from plaudit.core.effects.notify import compile_notification
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.fields import getter_of
from plaudit.core.goals import SUM_DECIMALS, Goal
from plaudit.core.metrics import Cap, Expiry, Metric, Multiplier, to_scaled
from plaudit.core.periods import Period, within_calendar
from plaudit.core.recurrence import Recurrence
from plaudit.core.rrule import read_rule
from plaudit.errors import FieldError, invalid_fields
from plaudit.mechanics.base import CompiledDocuments
from plaudit.mechanics.registry import MECHANICS

from .campaign import Campaign, GoalSpec, parts_of
from .code_pool import CodePool
from .compile_effects import audience_of, compile_effect
from .compile_messages import outbound_of, texts_of
from .metric import ExpirySpec, MultiplierSpec
from .metric import Metric as MetricDocument
from .product import Product
from .reward import Reward
from .reward_types import REWARD_TYPES
from .rule import Rule
from .settings import SETTINGS_ID, Settings


class CompileInput(Struct, frozen=True):
    """A stored document. Inputs are passed in the order in which the documents were created."""

    kind: str
    id: str
    document: Any


def compile_program(org_id: UUID, version: int, documents: Iterable[CompileInput]) -> core.Program:
    """Return the compiled programme of one organisation. Its documents were validated when they were saved."""
    by_kind: dict[str, dict[str, Any]] = defaultdict(dict)
    for stored in documents:
        by_kind[stored.kind][stored.id] = stored.document
    metrics = {key: _metric(key, document) for key, document in by_kind["metric"].items()}
    pool_of_product = {pool.product_id: name for name, pool in _active_pools(by_kind["code_pool"])}
    settings = _settings(by_kind["settings"].get(SETTINGS_ID))
    pushes = any(value.push is not None for value in by_kind["settings"].values())
    listeners = _listeners(by_kind["campaign"], by_kind["rule"], metrics, settings.time_zone)
    compiled: dict[str, CompiledDocuments] = {}
    mechanics: dict[str, Mapping[str, Any]] = {}
    for kind, mechanic in MECHANICS.items():
        compiled[kind] = mechanic.compile(by_kind, metrics, mechanics)
        mechanics[kind] = compiled[kind].by_id
    return core.Program(
        org_id=org_id,
        version=version,
        settings=settings,
        metrics=metrics,
        products={
            key: _product(key, product, pool_of_product.get(key), metrics)
            for key, product in by_kind["product"].items()
        },
        rewards={key: _reward(key, reward, metrics) for key, reward in by_kind["reward"].items()},
        pools={key: _pool(key, pool) for key, pool in by_kind["code_pool"].items()},
        listeners=listeners,
        mechanics=mechanics,
        mechanic_listeners=_in_order(documents.listeners for documents in reversed(compiled.values())),
        earning_listeners=_in_order(documents.earning for documents in compiled.values()),
        part_listeners=_in_order(documents.parts for documents in compiled.values()),
        templates={key: texts_of(template) for key, template in by_kind["template"].items()},
        outbound=outbound_of(by_kind["webhook"].values(), by_kind["trigger"], push=pushes),
        needs=_needs(
            listeners,
            _mechanic_effects(compiled),
            has_products=bool(by_kind["product"]),
            mechanic_needs=[documents.needs for documents in compiled.values()],
        ),
    )


def _settings(settings: Settings | None) -> core.Settings:
    if settings is None:
        return core.Settings()
    return core.Settings(auto_enrol=settings.auto_enrol, time_zone=settings.time_zone)


def _metric(metric_id: str, metric: MetricDocument) -> Metric:
    def scaled(bound: float | None) -> int | None:
        return None if bound is None else int(Decimal(str(bound)).scaleb(metric.decimals))

    return Metric(
        metric_id=metric_id,
        name=metric.name,
        decimals=metric.decimals,
        default=scaled(metric.default) or 0,
        minimum=scaled(metric.minimum),
        maximum=scaled(metric.maximum),
        expiry=_expiry(metric.expiry),
        pending_days=metric.pending_days,
        caps=tuple(Cap(earning_cap.period, scaled(earning_cap.amount) or 0) for earning_cap in metric.earning_caps),
        multipliers=tuple(_multiplier(multiplier) for multiplier in metric.multipliers),
        stacking=metric.stacking,
        into_debt=metric.on_reversal == "debt",
    )


_EXPIRY_PERIODS = {"end_of_month": Period.month, "end_of_quarter": Period.quarter, "end_of_year": Period.year}


def _expiry(expiry: ExpirySpec | None) -> Expiry | None:
    if expiry is None or expiry.type == "never":
        return None
    return Expiry(
        days=expiry.days,
        period=_EXPIRY_PERIODS.get(expiry.type),
        extended_by_activity=expiry.extended_by_activity,
        remind_days=expiry.remind_days,
    )


def _multiplier(multiplier_spec: MultiplierSpec) -> Multiplier:
    return Multiplier(
        name=multiplier_spec.name,
        factor=Decimal(str(multiplier_spec.factor)),
        starts_at=within_calendar(multiplier_spec.start_date),
        ends_at=within_calendar(multiplier_spec.end_date),
        weekdays=frozenset(multiplier_spec.weekdays),
        condition=None if not multiplier_spec.conditions else compile_conditions(multiplier_spec.conditions)[0],
    )


def _active_pools(pools: Mapping[str, CodePool]) -> list[tuple[str, CodePool]]:
    """Return the active pools, newest first, so that the oldest pool of a product comes last and replaces the others."""
    return [(pool_id, pool) for pool_id, pool in reversed(list(pools.items())) if pool.status == "active"]


def _product(product_id: str, product: Product, pool_id: str | None, metrics: Mapping[str, Metric]) -> core.Product:
    costs = (("points", product.points_cost), ("coins", product.coins_cost), ("xp", product.xp_cost))
    return core.Product(
        product_id=product_id,
        name=product.name,
        type=product.type,
        active=product.status == "active",
        stock=product.allocated_stock,
        pool_id=pool_id,
        costs=tuple((name, cost * 10 ** metrics[name].decimals) for name, cost in costs if cost and name in metrics),
        starts_at=within_calendar(product.start_date),
        ends_at=within_calendar(product.end_date),
        limit_per_member=product.limit_per_user,
        audience=audience_of(product.segments),
    )


def _pool(pool_id: str, pool: CodePool) -> core.Pool:
    return core.Pool(pool_id=pool_id, active=pool.status == "active", expires_at=within_calendar(pool.expires_at))


def _reward(reward_id: str, reward: Reward, metrics: Mapping[str, Metric]) -> core.Reward:
    return core.Reward(
        reward_id=reward_id,
        name=reward.name,
        type=reward.reward_type,
        active=reward.status == "active",
        effect=REWARD_TYPES[reward.reward_type].effect(reward_id, reward.name, reward.config, metrics),
    )


def _campaign(campaign_id: str, campaign: Campaign, metrics: Mapping[str, Metric], time_zone: str) -> core.Campaign:
    limit = campaign.limit
    period = limit.per_period if limit else None
    steps = tuple(
        core.Step(
            name=step.name,
            goal=_goal(step.goal),
            effects=tuple(compile_effect(spec, metrics) for spec in step.effects),
            notification=None if step.notification is None else compile_notification(step.notification),
        )
        for step in campaign.steps
    )
    bounds = (
        campaign.start_date, campaign.end_date, campaign.recurrence, campaign.segments, campaign.exclusive_group,
        campaign.limit, campaign.cooldown,
    )  # fmt: skip
    return core.Campaign(
        campaign_id=campaign_id,
        name=campaign.name,
        steps=steps,
        sequential=campaign.order == "sequential",
        required=campaign.required or len(steps),
        effects=tuple(compile_effect(spec, metrics) for spec in campaign.effects) if steps else (),
        repeatable=campaign.repeatable,
        requires_enrolment=campaign.enrolment == "required",
        recurrence=_recurrence(campaign, time_zone),
        audience=audience_of(campaign.segments),
        starts_at=within_calendar(campaign.start_date),
        ends_at=within_calendar(campaign.end_date),
        exclusive_group=campaign.exclusive_group,
        limit_per_member=limit.per_user if limit else None,
        limit_per_period=core.PeriodLimit(period.period, period.count) if period else None,
        limit_overall=limit.overall if limit else None,
        cooldown=timedelta(seconds=campaign.cooldown or 0),
        notification=None if campaign.notification is None else compile_notification(campaign.notification),
        ungated=campaign.simplified_mode and campaign.enrolment == "open" and not any(bounds),
    )


def _recurrence(campaign: Campaign, time_zone: str) -> Recurrence | None:
    starts_at = within_calendar(campaign.start_date)
    if campaign.recurrence is None or starts_at is None:
        return None
    try:
        read_rule(campaign.recurrence.rule)
    except ValueError as error:  # saved by an earlier version, which accepted more rules
        wrong = FieldError("recurrence.rule", f"must be an RFC 5545 recurrence rule: {error}")
        raise invalid_fields([wrong]) from None
    return Recurrence(campaign.recurrence.rule, starts_at, campaign.recurrence.duration_seconds, time_zone)


def _goal(goal: GoalSpec) -> Goal:
    window = goal.window
    rolling = None
    if window is not None and window.period is None:
        rolling = timedelta(days=window.days or 0, seconds=window.seconds or 0)
    return Goal(
        type=goal.type,
        target=to_scaled(goal.target, SUM_DECIMALS if goal.type == "sum" else 0) or 1,
        get=None if goal.field is None else getter_of(goal.field)[0],
        rolling=rolling,
        calendar=window.period if window is not None else None,
    )


def _listeners(
    campaigns: Mapping[str, Campaign], rules: Mapping[str, Rule], metrics: Mapping[str, Metric], time_zone: str
) -> dict[str, tuple[core.Listener, ...]]:
    """Return the listeners by trigger, ordered by the campaign's priority, then the rule's priority, then age."""
    ranked_by_trigger: dict[str, list[tuple[int, int, core.Listener]]] = defaultdict(list)
    compiled_campaigns = {
        campaign_id: _campaign(campaign_id, campaign, metrics, time_zone)
        for campaign_id, campaign in campaigns.items()
        if campaign.listens
    }
    for campaign_id, compiled in compiled_campaigns.items():
        campaign = campaigns[campaign_id]
        effects = tuple(compile_effect(spec, metrics) for spec in campaign.effects)
        part_listeners = [part.listener for part, _ in parts_of(campaign) if part.listener is not None]
        for listener_of in part_listeners:  # the campaign's triggers are the part's, which then runs the effects
            trigger_type, condition = listener_of(campaign_id)
            listener = core.Listener(campaign=compiled, step=0, number=0, condition=condition, effects=effects)
            ranked_by_trigger[trigger_type].append((campaign.priority, 0, listener))
        if part_listeners:
            continue
        for number, trigger in enumerate(campaign.triggers):
            condition, _ = compile_conditions(trigger.conditions)
            listener = core.Listener(campaign=compiled, step=0, number=number, condition=condition, effects=effects)
            ranked_by_trigger[trigger.type].append((campaign.priority, 0, listener))
        for step, spec in enumerate(campaign.steps):
            for number, trigger in enumerate(spec.triggers):
                condition, _ = compile_conditions(trigger.conditions)
                listener = core.Listener(campaign=compiled, step=step, number=number, condition=condition)
                ranked_by_trigger[trigger.type].append((campaign.priority, -step, listener))
    steps: dict[str, int] = defaultdict(int)
    for rule_id, rule in rules.items():
        step = steps[rule.campaign_id]
        steps[rule.campaign_id] += 1  # disabled rules count too, so that every step keeps its number
        if not rule.enabled or rule.campaign_id not in compiled_campaigns:
            continue
        condition, _ = compile_conditions(rule.conditions)
        listener = core.Listener(
            campaign=compiled_campaigns[rule.campaign_id],
            step=step,
            number=0,
            condition=condition,
            effects=tuple(compile_effect(spec, metrics) for spec in rule.effects),
            rule_id=rule_id,
            stops_processing=rule.stop_processing,
        )
        ranked_by_trigger[rule.trigger_type].append((campaigns[rule.campaign_id].priority, rule.priority, listener))
    return {
        trigger: _with_alone([listener for *_, listener in sorted(ranked, key=lambda item: (-item[0], -item[1]))])
        for trigger, ranked in ranked_by_trigger.items()
    }


def _with_alone(listeners: Sequence[core.Listener]) -> tuple[core.Listener, ...]:
    """Return a trigger's listeners, marked as `alone` if their campaign has no other listener to the trigger."""
    counts = Counter(listener.campaign.campaign_id for listener in listeners)
    return tuple(structs.replace(listener, alone=counts[listener.campaign.campaign_id] == 1) for listener in listeners)


def _in_order(
    of_mechanics: Iterable[Mapping[str, Sequence[core.MechanicListener]]],
) -> dict[str, tuple[core.MechanicListener, ...]]:
    """Return the listeners of all mechanics by key (a trigger, a metric or a part), in the order of the mechanics."""
    by_key: dict[str, list[core.MechanicListener]] = defaultdict(list)
    for listeners_by_key in of_mechanics:
        for key, listeners in listeners_by_key.items():
            by_key[key] += listeners
    return {key: tuple(listeners) for key, listeners in by_key.items()}


def _mechanic_effects(compiled: Mapping[str, CompiledDocuments]) -> Iterator[core.Effect]:
    for kind, documents in compiled.items():
        for document in documents.by_id.values():
            yield from MECHANICS[kind].effects_of(document)


def _needs(
    listeners: Mapping[str, tuple[core.Listener, ...]],
    mechanic_effects: Iterable[core.Effect],
    *,
    has_products: bool,
    mechanic_needs: Iterable[frozenset[str]],
) -> frozenset[str]:
    """Return the parts of a member that effects or mechanics can read or change, so that batches do not load the others."""
    all_listeners = [listener for of_trigger in listeners.values() for listener in of_trigger]
    effects = [effect for listener in all_listeners for effect in (*listener.effects, *listener.campaign.effects)]
    effects += [effect for listener in all_listeners for step in listener.campaign.steps for effect in step.effects]
    effects += mechanic_effects
    types = {effect.type for effect in effects}
    needs = {part for name in types for part in EFFECTS[name].needs}
    # Conditions and criteria can read badges.
    needs |= {"holdings"} if has_products else set()
    return frozenset(needs).union(*mechanic_needs)
