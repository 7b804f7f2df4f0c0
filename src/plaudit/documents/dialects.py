"""The spellings that clients may use, turned into the one that is kept. Only this file and `api/` know them.

The documents write the same thing in several ways: a trigger's event as `type` or `eventType`, an effect's settings in
`config`, in `params` or beside its type, points as `add_points` or `award_points`.
"""

from collections.abc import Mapping
from typing import Any, cast

from plaudit.core.effects.registry import EFFECTS
from plaudit.core.triggers import OUTSIDE_NAMES

_USER_ENROLLED = "user_enrolled"  # an old name: nobody is told by it

_CAMPAIGN_EFFECT = "config"
_RULE_EFFECT = "params"


def trigger_key(key: str) -> str:
    """Return the canonical name of a trigger."""
    return "user.enrolled" if key == _USER_ENROLLED else OUTSIDE_NAMES.get(key, key)


# The parts of a campaign that are documents of mechanics, which add them, and where their effects are.
CAMPAIGN_PARTS: dict[str, str] = {}


def read_campaign(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign with its triggers and effects in canonical spelling."""
    kept = dict(raw)
    if isinstance(raw.get("triggers"), list):
        kept["triggers"] = [_read_trigger(trigger) for trigger in raw["triggers"]]
    if isinstance(raw.get("effects"), list):
        kept["effects"] = [_read_effect(effect) for effect in raw["effects"]]
    if isinstance(raw.get("steps"), list):
        kept["steps"] = [_read_step(step) for step in raw["steps"]]
    for part, name in CAMPAIGN_PARTS.items():
        if isinstance(raw.get(part), dict):
            kept[part] = read_parts(dict(raw[part]), name)
    return kept


def read_parts(kept: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a document with the effects of each item of its list `name` as they are kept."""
    if isinstance(kept.get(name), list):
        kept[name] = [
            read_campaign(cast("dict[str, Any]", value)) if isinstance(value, dict) else value for value in kept[name]
        ]
    return kept


def _read_step(raw: Any) -> Any:
    """Return a step with its one trigger as a list, with its conditions in it; the rest as in a campaign."""
    if not isinstance(raw, dict):
        return raw
    kept = dict(cast("dict[str, Any]", raw))
    single = kept.pop("trigger", None) if "triggers" not in kept else None
    if single is not None:
        trigger: Any = {"type": single} if isinstance(single, str) else single
        if "conditions" in kept and isinstance(trigger, dict):
            trigger = {**cast("dict[str, Any]", trigger), "conditions": kept.pop("conditions")}
        kept["triggers"] = [trigger]
    return read_campaign(kept)


def write_campaign(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign as the reference's campaigns page shows it."""
    triggers: list[Any] = [
        {"eventType": trigger["type"], "conditions": trigger.get("conditions") or []} for trigger in kept["triggers"]
    ]
    return {**kept, "triggers": triggers}


def read_rule(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a rule with its trigger and effects in canonical spelling."""
    kept = dict(raw)
    for spelling in ("eventType", "type"):
        if spelling in kept and "triggerType" not in kept:
            kept["triggerType"] = kept.pop(spelling)
    if isinstance(kept.get("triggerType"), str):
        kept["triggerType"] = trigger_key(kept["triggerType"])
    if isinstance(raw.get("effects"), list):
        kept["effects"] = [_read_effect(effect) for effect in raw["effects"]]
    return kept


def write_rule(kept: dict[str, Any]) -> dict[str, Any]:
    """Return a rule as the reference's rules page shows it."""
    effects = [_write_rule_effect(effect) for effect in kept["effects"]]
    return {**kept, "effects": effects, "conditions": kept.get("conditions") or []}


def _write_rule_effect(kept: Mapping[str, Any]) -> dict[str, Any]:
    effect_type = EFFECTS.get(kept["type"])
    name = kept["type"] if effect_type is None else effect_type.rule_name or effect_type.name
    others = {field: value for field, value in kept.items() if field != _CAMPAIGN_EFFECT}
    return {**others, "type": name, _RULE_EFFECT: kept[_CAMPAIGN_EFFECT]}


def _read_trigger(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    kept = dict(cast("dict[str, Any]", raw))
    for spelling in ("eventType", "triggerType", "trigger"):
        if spelling in kept and "type" not in kept:
            kept["type"] = kept.pop(spelling)
    if isinstance(kept.get("type"), str):
        kept["type"] = trigger_key(kept["type"])
    return kept


def _read_effect(raw: Any) -> Any:
    """Return an effect with its settings from `config`, `params` or beside its type, under their canonical names."""
    if not isinstance(raw, dict):
        return raw
    given = dict(cast("dict[str, Any]", raw))
    kind = given.pop("type", None)
    audience = {"segments": given.pop("segments")} if "segments" in given else {}
    settings: Any = {}
    for spelling in ("config", "params"):
        if spelling in given:
            settings = given.pop(spelling)
    if not isinstance(settings, dict):
        return {"type": kind, "config": settings, **audience}
    known = EFFECTS.get(kind) if isinstance(kind, str) else None
    merged: dict[str, Any] = {**given, **cast("dict[str, Any]", settings)}
    if known is not None:
        kind = known.name
        for spelling, name in known.field_aliases.items():
            if spelling in merged and name not in merged:
                merged[name] = merged.pop(spelling)
    return {"type": kind, "config": merged, **audience}
