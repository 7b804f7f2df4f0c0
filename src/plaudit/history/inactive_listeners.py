"""Finds the paused and draft campaigns that would have listened to an event, for its explanation."""

from typing import Any

from plaudit.core.cause import campaign_cause, cause_fields
from plaudit.core.decision import Refusal
from plaudit.documents.campaign import Campaign
from plaudit.storage.programmes import Programme

from .explain import conditions_in_words
from .redecision import Redecision

Json = dict[str, Any]

REASONS = {"paused": Refusal.campaign_paused, "draft": Refusal.campaign_in_draft}


def inactive_listeners(programme: Programme, trigger: str, redecision: Redecision | None) -> list[Json]:
    """Return explanations of the paused and draft campaigns that listen to a trigger, with their conditions."""
    explanations: list[Json] = []
    for campaign_id, campaign in programme.campaigns.items():
        if campaign.status not in REASONS:
            continue
        for tree, place in _trees(programme, campaign_id, campaign, trigger):
            explanation: Json = {
                **cause_fields(campaign_cause(campaign_id)),
                "trigger": trigger,
                "fired": False,
                "name": campaign.name,
                "reason": REASONS[campaign.status],
                "status": campaign.status,
                **place,
                "conditions": conditions_in_words(tree, [], [], redecision),
                "effects": [],
            }
            explanations.append(explanation)
    return explanations


def _trees(programme: Programme, campaign_id: str, campaign: Campaign, trigger: str) -> list[tuple[Any, Json]]:
    """Return the conditions with which a campaign listens to a trigger, each with its step or rule."""
    if campaign.steps:
        return [
            (trigger_spec.conditions, {"step": {"number": number, "name": step.name}})
            for number, step in enumerate(campaign.steps)
            for trigger_spec in step.triggers
            if trigger_spec.type == trigger
        ]
    if campaign.simplified_mode:
        return [(trigger_spec.conditions, {}) for trigger_spec in campaign.triggers if trigger_spec.type == trigger]
    return [
        (rule.conditions, {"ruleId": rule_id})
        for rule_id, rule in programme.rules.items()
        if rule.campaign_id == campaign_id and rule.enabled and rule.trigger_type == trigger
    ]


def has_listeners(programme: Programme, trigger: str) -> bool:
    """Return whether an active campaign or a mechanic listens to a trigger."""
    program = programme.compiled
    return trigger in program.listeners or trigger in program.mechanic_listeners
