"""Who would have listened to an event: campaigns that are paused or in draft; and whether anything listens at all."""

from typing import Any

from plaudit.core.cause import campaign_cause, cause_fields
from plaudit.core.decision import Refusal
from plaudit.documents.campaign import Campaign
from plaudit.storage.programmes import Programme

from .decide_again import Again
from .explain import conditions_in_words

Json = dict[str, Any]

REASONS = {"paused": Refusal.campaign_paused, "draft": Refusal.campaign_in_draft}


def out_of_action(programme: Programme, trigger: str, again: Again | None) -> list[Json]:
    """Return the paused and draft campaigns that a trigger would have met, with their conditions, in words."""
    found: list[Json] = []
    for campaign_id, campaign in programme.campaigns.items():
        if campaign.status not in REASONS:
            continue
        for tree, where in _trees(programme, campaign_id, campaign, trigger):
            one: Json = {
                **cause_fields(campaign_cause(campaign_id)),
                "trigger": trigger,
                "fired": False,
                "name": campaign.name,
            }
            one |= {"reason": REASONS[campaign.status], "status": campaign.status, **where}
            found.append(one | {"conditions": conditions_in_words(tree, [], [], again), "effects": []})
    return found


def _trees(programme: Programme, campaign_id: str, campaign: Campaign, trigger: str) -> list[tuple[Any, Json]]:
    """The conditions under which a campaign listens to a trigger, and where they stand."""
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


def is_listened_to(programme: Programme, trigger: str) -> bool:
    """Whether any campaign or mechanic listens to a trigger."""
    program = programme.compiled
    listening = (
        program.listeners,
        program.mechanic_listeners,
    )
    return any(trigger in mapping for mapping in listening)
