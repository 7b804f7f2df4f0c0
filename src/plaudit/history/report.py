"""The report of a simulation: daily costs, members gained and lost, what ran out, and sample members with reasons."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from plaudit.core.cause import Cause, campaign_cause, cause_fields
from plaudit.core.decision import Refusal
from plaudit.core.metrics import to_number
from plaudit.core.program import Program
from plaudit.storage.programmes import Programme

from .explain import explained
from .simulate import SAMPLES_MAX, CampaignOutput, CampaignTotals, ChangedEvent, Simulation

Json = dict[str, Any]


def report(programme: Programme, found: Simulation, campaign_id: str) -> Json:
    """Return one campaign's results: actual, simulated, and the difference."""
    cause = campaign_cause(campaign_id)
    was, would = found.was.get(cause, CampaignTotals()), found.would.get(cause, CampaignTotals())
    gained, lost = would.members - was.members, was.members - would.members
    return {
        **_sides(programme, found, cause),
        "events": found.events,
        "members": found.members,
        "programme": _totals(programme.compiled, found),
        "sample": _samples(programme, found, gained, lost),
    }


def _sides(programme: Programme, found: Simulation, cause: Cause) -> Json:
    """Return a cause's results: actual, simulated, and the difference."""
    was, would = found.was.get(cause, CampaignTotals()), found.would.get(cause, CampaignTotals())
    return {
        **cause_fields(cause),
        "actual": _totals_view(programme.compiled, was),
        "simulated": _totals_view(programme.compiled, would),
        "difference": {
            "metrics": {
                metric: _amount(programme.compiled, metric, would.metrics[metric] - was.metrics[metric])
                for metric in sorted(was.metrics.keys() | would.metrics.keys())
            },
            "membersGained": len(would.members - was.members),
            "membersLost": len(was.members - would.members),
            "coupons": would.coupons - was.coupons,
            "products": would.products - was.products,
        },
    }


def programme_report(programme: Programme, found: Simulation) -> Json:
    """Return all campaigns and other causes whose results differ."""
    changed: list[Json] = []
    for cause in sorted(found.was.keys() | found.would.keys(), key=lambda cause: (cause.text, cause.kind)):
        row = _sides(programme, found, cause)
        if row["actual"] != row["simulated"]:
            changed.append(row)
    return {
        "events": found.events,
        "members": found.members,
        "programme": _totals(programme.compiled, found),
        "campaigns": changed,
        "sample": _samples(programme, found, set(), set()),
    }


def _totals_view(program: Program, tally: CampaignTotals) -> Json:
    return {
        "fired": tally.fired,
        "members": len(tally.members),
        "metrics": {name: _amount(program, name, amount) for name, amount in sorted(tally.metrics.items())},
        "days": {
            day: {name: _amount(program, name, amount) for name, amount in sorted(metrics.items())}
            for day, metrics in sorted(tally.days.items())
        },
        "coupons": tally.coupons,
        "products": tally.products,
        "capsHit": dict(_caps_hit(tally)),
        "refusals": dict(sorted(tally.refusals.items())),
    }


def _totals(program: Program, found: Simulation) -> Json:
    """Return the actual and simulated totals of all campaigns: one change can affect others."""
    sums: dict[str, dict[str, int]] = {"actual": {}, "simulated": {}}
    for name, tallies in (("actual", found.was), ("simulated", found.would)):
        for tally in tallies.values():
            for metric, amount in tally.metrics.items():
                sums[name][metric] = sums[name].get(metric, 0) + amount
    return {
        name: {key: _amount(program, key, amount) for key, amount in sorted(metrics.items())}
        for name, metrics in sums.items()
    }


def _samples(programme: Programme, found: Simulation, gained: set[UUID], lost: set[UUID]) -> list[Json]:
    """Return some events with different results: of members gained and lost first, one per member."""
    by_member: dict[UUID, ChangedEvent] = {}
    for case in found.cases:
        by_member.setdefault(case.arrival.member_id, case)
    order = sorted(by_member, key=lambda id_: (id_ not in gained, id_ not in lost))
    return [_case(programme, by_member[id_], _kind(id_, gained, lost)) for id_ in order[:SAMPLES_MAX]]


def _kind(member_id: UUID, gained: set[UUID], lost: set[UUID]) -> str:
    return "gained" if member_id in gained else "lost" if member_id in lost else "changed"


def _case(programme: Programme, case: ChangedEvent, kind: str) -> Json:
    trigger = case.arrival.trigger
    named = cause_fields(case.cause)
    reasons = {
        name: [row for row in explained(judge, trigger, outcome) if row["cause"] == named["cause"]]
        for name, judge, outcome in (
            ("actual", case.judged_by or programme, case.outcome_before),
            ("simulated", programme, case.outcome_after),
        )
    }
    event = case.arrival.event()
    return {
        "userId": case.arrival.user_id,
        "change": kind,
        **named,
        "event": {"trigger": trigger, "occurredAt": event.occurred_at, "data": event.data},
        "actual": _given(programme.compiled, case.before) | {"reasons": reasons["actual"]},
        "simulated": _given(programme.compiled, case.after) | {"reasons": reasons["simulated"]},
    }


def _given(program: Program, given: CampaignOutput) -> Json:
    metrics: Mapping[str, int] = given.metrics
    return {
        "metrics": {name: _amount(program, name, amount) for name, amount in sorted(metrics.items())},
        "coupons": given.coupons,
        "products": given.products,
    }


def _amount(program: Program, metric: str, amount: int) -> Any:
    return to_number(amount, program.metrics[metric].decimals if metric in program.metrics else 0)


SCARCITY_REFUSALS = (
    Refusal.limit_overall_reached,
    Refusal.stock_empty,
    Refusal.pool_empty,
    Refusal.earning_cap_reached,
)


def _caps_hit(tally: CampaignTotals) -> Mapping[str, int]:
    """Return how often something had run out or was capped."""
    return {
        refusal.value: tally.refusals[refusal.value] for refusal in SCARCITY_REFUSALS if tally.refusals[refusal.value]
    }
