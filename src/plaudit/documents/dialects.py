"""Translates the spellings that clients may use to the stored one. Only this module and `api/` know them.

The documented API writes the same thing in several ways: a trigger's event as `type` or `eventType`; an effect's settings in
`config`, in `params` or next to its type; points as `add_points` or `award_points`.
"""

from collections.abc import Mapping
from typing import Any, cast

from plaudit.core.effects.registry import EFFECTS
from plaudit.core.triggers import OUTSIDE_NAMES

_USER_ENROLLED = "user_enrolled"  # an old name, which is accepted but never sent

_CAMPAIGN_EFFECT = "config"
_RULE_EFFECT = "params"


def trigger_key(key: str) -> str:
    """Return the canonical name of a trigger."""
    return "user.enrolled" if key == _USER_ENROLLED else OUTSIDE_NAMES.get(key, key)


# The campaign parts that mechanics add, with the list of each whose items have effects.
CAMPAIGN_PARTS: dict[str, str] = {}


def read_campaign(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign with the stored spelling of its triggers and effects."""
    stored = dict(raw)
    if isinstance(raw.get("triggers"), list):
        stored["triggers"] = [_read_trigger(trigger) for trigger in raw["triggers"]]
    if isinstance(raw.get("effects"), list):
        stored["effects"] = [_read_effect(effect) for effect in raw["effects"]]
    if isinstance(raw.get("steps"), list):
        stored["steps"] = [_read_step(step) for step in raw["steps"]]
    for part, name in CAMPAIGN_PARTS.items():
        if isinstance(raw.get(part), dict):
            stored[part] = read_parts(dict(raw[part]), name)
    return stored


def read_parts(stored: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a document with the stored spelling of the effects of each item of its list `name`. Change it in place."""
    if isinstance(stored.get(name), list):
        stored[name] = [
            read_campaign(cast("dict[str, Any]", value)) if isinstance(value, dict) else value for value in stored[name]
        ]
    return stored


def _read_step(raw: Any) -> Any:
    """Return a step in the stored spelling. A single trigger becomes a list, and receives the step's conditions."""
    if not isinstance(raw, dict):
        return raw
    stored = dict(cast("dict[str, Any]", raw))
    single = stored.pop("trigger", None) if "triggers" not in stored else None
    if single is not None:
        trigger: Any = {"type": single} if isinstance(single, str) else single
        if "conditions" in stored and isinstance(trigger, dict):
            trigger = {**cast("dict[str, Any]", trigger), "conditions": stored.pop("conditions")}
        stored["triggers"] = [trigger]
    return read_campaign(stored)


def write_campaign(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign in the spelling of the documented API's page on campaigns."""
    triggers: list[Any] = [
        {"eventType": trigger["type"], "conditions": trigger.get("conditions") or []} for trigger in stored["triggers"]
    ]
    return {**stored, "triggers": triggers}


def read_rule(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a rule with the stored spelling of its trigger and effects."""
    stored = dict(raw)
    for spelling in ("eventType", "type"):
        if spelling in stored and "triggerType" not in stored:
            stored["triggerType"] = stored.pop(spelling)
    if isinstance(stored.get("triggerType"), str):
        stored["triggerType"] = trigger_key(stored["triggerType"])
    if isinstance(raw.get("effects"), list):
        stored["effects"] = [_read_effect(effect) for effect in raw["effects"]]
    return stored


def write_rule(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a rule in the spelling of the documented API's page on rules."""
    effects = [_write_rule_effect(effect) for effect in stored["effects"]]
    return {**stored, "effects": effects, "conditions": stored.get("conditions") or []}


def _write_rule_effect(stored: Mapping[str, Any]) -> dict[str, Any]:
    effect_type = EFFECTS.get(stored["type"])
    name = stored["type"] if effect_type is None else effect_type.rule_name or effect_type.name
    others = {field: value for field, value in stored.items() if field != _CAMPAIGN_EFFECT}
    return {**others, "type": name, _RULE_EFFECT: stored[_CAMPAIGN_EFFECT]}


def _read_trigger(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    stored = dict(cast("dict[str, Any]", raw))
    for spelling in ("eventType", "triggerType", "trigger"):
        if spelling in stored and "type" not in stored:
            stored["type"] = stored.pop(spelling)
    if isinstance(stored.get("type"), str):
        stored["type"] = trigger_key(stored["type"])
    return stored


def _read_effect(raw: Any) -> Any:
    """Return an effect with all its settings in `config`, taken from `config`, `params` or next to the type."""
    if not isinstance(raw, dict):
        return raw
    others = dict(cast("dict[str, Any]", raw))
    type_name = others.pop("type", None)
    audience = {"segments": others.pop("segments")} if "segments" in others else {}
    settings: Any = {}
    for spelling in ("config", "params"):
        if spelling in others:
            settings = others.pop(spelling)
    if not isinstance(settings, dict):
        return {"type": type_name, "config": settings, **audience}
    effect_type = EFFECTS.get(type_name) if isinstance(type_name, str) else None
    merged: dict[str, Any] = {**others, **cast("dict[str, Any]", settings)}
    if effect_type is not None:
        type_name = effect_type.name
        for spelling, name in effect_type.field_aliases.items():
            if spelling in merged and name not in merged:
                merged[name] = merged.pop(spelling)
    return {"type": type_name, "config": merged, **audience}
