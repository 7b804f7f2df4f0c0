"""The report of a simulation: daily costs, members gained and lost, scarcity, and sample members with reasons."""

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


def report(programme: Programme, simulation: Simulation, campaign_id: str) -> Json:
    """Return the report on one campaign."""
    cause = campaign_cause(campaign_id)
    actual = simulation.actual.get(cause, CampaignTotals())
    simulated = simulation.simulated.get(cause, CampaignTotals())
    gained, lost = simulated.members - actual.members, actual.members - simulated.members
    return {
        **_sides(programme, simulation, cause),
        "events": simulation.events,
        "members": simulation.members,
        "programme": _totals(programme.compiled, simulation),
        "sample": _samples(programme, simulation, gained, lost),
    }


def _sides(programme: Programme, simulation: Simulation, cause: Cause) -> Json:
    """Return a cause's actual and simulated results, and the difference."""
    actual = simulation.actual.get(cause, CampaignTotals())
    simulated = simulation.simulated.get(cause, CampaignTotals())
    return {
        **cause_fields(cause),
        "actual": _totals_view(programme.compiled, actual),
        "simulated": _totals_view(programme.compiled, simulated),
        "difference": {
            "metrics": {
                metric: _amount(programme.compiled, metric, simulated.metrics[metric] - actual.metrics[metric])
                for metric in sorted(actual.metrics.keys() | simulated.metrics.keys())
            },
            "membersGained": len(simulated.members - actual.members),
            "membersLost": len(actual.members - simulated.members),
            "coupons": simulated.coupons - actual.coupons,
            "products": simulated.products - actual.products,
        },
    }


def programme_report(programme: Programme, simulation: Simulation) -> Json:
    """Return the report on a whole programme, with all campaigns and other causes whose results differ."""
    changed: list[Json] = []
    causes = simulation.actual.keys() | simulation.simulated.keys()
    for cause in sorted(causes, key=lambda cause: (cause.text, cause.kind)):
        row = _sides(programme, simulation, cause)
        if row["actual"] != row["simulated"]:
            changed.append(row)
    return {
        "events": simulation.events,
        "members": simulation.members,
        "programme": _totals(programme.compiled, simulation),
        "campaigns": changed,
        "sample": _samples(programme, simulation, set(), set()),
    }


def _totals_view(program: Program, totals: CampaignTotals) -> Json:
    return {
        "fired": totals.fired,
        "members": len(totals.members),
        "metrics": {name: _amount(program, name, amount) for name, amount in sorted(totals.metrics.items())},
        "days": {
            day: {name: _amount(program, name, amount) for name, amount in sorted(metrics.items())}
            for day, metrics in sorted(totals.days.items())
        },
        "coupons": totals.coupons,
        "products": totals.products,
        "capsHit": dict(_caps_hit(totals)),
        "refusals": dict(sorted(totals.refusals.items())),
    }


def _totals(program: Program, simulation: Simulation) -> Json:
    """Return the actual and simulated totals of all causes, because a change of one can affect the others."""
    sums: dict[str, dict[str, int]] = {"actual": {}, "simulated": {}}
    for name, by_cause in (("actual", simulation.actual), ("simulated", simulation.simulated)):
        for totals in by_cause.values():
            for metric, amount in totals.metrics.items():
                sums[name][metric] = sums[name].get(metric, 0) + amount
    return {
        name: {key: _amount(program, key, amount) for key, amount in sorted(metrics.items())}
        for name, metrics in sums.items()
    }


def _samples(programme: Programme, simulation: Simulation, gained: set[UUID], lost: set[UUID]) -> list[Json]:
    """Return samples of events with different results, one per member: gained members first, then lost ones."""
    by_member: dict[UUID, ChangedEvent] = {}
    for case in simulation.cases:
        by_member.setdefault(case.arrival.member_id, case)
    order = sorted(by_member, key=lambda id_: (id_ not in gained, id_ not in lost))
    return [_case(programme, by_member[id_], _kind(id_, gained, lost)) for id_ in order[:SAMPLES_MAX]]


def _kind(member_id: UUID, gained: set[UUID], lost: set[UUID]) -> str:
    return "gained" if member_id in gained else "lost" if member_id in lost else "changed"


def _case(programme: Programme, case: ChangedEvent, kind: str) -> Json:
    trigger = case.arrival.trigger
    fields = cause_fields(case.cause)
    reasons = {
        name: [row for row in explained(deciding_programme, trigger, outcome) if row["cause"] == fields["cause"]]
        for name, deciding_programme, outcome in (
            ("actual", case.decided_by or programme, case.outcome_before),
            ("simulated", programme, case.outcome_after),
        )
    }
    event = case.arrival.event()
    return {
        "userId": case.arrival.user_id,
        "change": kind,
        **fields,
        "event": {"trigger": trigger, "occurredAt": event.occurred_at, "data": event.data},
        "actual": _output_view(programme.compiled, case.before) | {"reasons": reasons["actual"]},
        "simulated": _output_view(programme.compiled, case.after) | {"reasons": reasons["simulated"]},
    }


def _output_view(program: Program, output: CampaignOutput) -> Json:
    return {
        "metrics": {name: _amount(program, name, amount) for name, amount in sorted(output.metrics.items())},
        "coupons": output.coupons,
        "products": output.products,
    }


def _amount(program: Program, metric: str, amount: int) -> Any:
    return to_number(amount, program.metrics[metric].decimals if metric in program.metrics else 0)


SCARCITY_REFUSALS = (
    Refusal.limit_overall_reached,
    Refusal.stock_empty,
    Refusal.pool_empty,
    Refusal.earning_cap_reached,
)


def _caps_hit(totals: CampaignTotals) -> Mapping[str, int]:
    """Return how often something had run out or was capped, by refusal."""
    return {
        refusal.value: totals.refusals[refusal.value] for refusal in SCARCITY_REFUSALS if totals.refusals[refusal.value]
    }
