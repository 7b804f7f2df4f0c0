"""Campaigns, with steps and without (guide: Challenges).

What has counted for a campaign is a list of rounds; a round is a list of what counted for each step. How far a step is
follows from its list, from the beginning, each time that it is asked.
"""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from . import recurrence
from .amounts import Json, exact, meets
from .calendar import period_of

DEEPEST = 16


def of(member: Json, campaign_id: str) -> Json:
    """What a member has done in a campaign. `fired` are its completions; `rounds` what counted, the last one present."""
    new: Json = {"joined": None, "fired": [], "rounds": [[]], "occurrence": None}
    return member["campaigns"].setdefault(campaign_id, new)


def meet(world: Any, member: Json, event: Json) -> None:
    """Let all campaigns meet an event: the higher priority first, then the older."""
    taken: set[str] = set()
    for campaign_id, campaign in sorted(world.of("campaign"), key=lambda value: -value[1].get("priority", 5)):
        if campaign.get("status", "active") != "active":
            continue
        if campaign.get("steps"):
            counts = _meet_steps(world, member, event, campaign_id, campaign, taken)
        else:
            counts = _hit(world, member, event, campaign["triggers"]) and _may(
                world, member, event, campaign_id, campaign, taken
            )
            if counts:
                _happen(world, member, event, campaign_id, campaign["effects"])
                _complete(world, member, campaign_id)
        if counts and campaign.get("exclusiveGroup"):
            taken.add(campaign["exclusiveGroup"])


def _hit(world: Any, member: Json, event: Json, triggers: list[Json]) -> bool:
    """However many of the triggers hold, it is one event."""
    return any(
        trigger["type"] == event["trigger"] and meets(trigger.get("conditions"), world.look(member, event))
        for trigger in triggers
    )


def _may(world: Any, member: Json, event: Json, campaign_id: str, campaign: Json, taken: set[str]) -> bool:
    at, done = world.now, of(member, campaign_id)
    if campaign.get("startDate") and at < datetime.fromisoformat(campaign["startDate"]):
        return False
    if campaign.get("endDate") and at >= datetime.fromisoformat(campaign["endDate"]):
        return False
    if campaign.get("recurrence") and recurrence.occurrence(campaign, at, world.zone) is None:
        return False
    if not world.admits(member, campaign.get("segments")):
        return False
    if campaign_id in event["causes"] or len(event["causes"]) > DEEPEST:
        return False
    if campaign.get("exclusiveGroup") in taken:
        return False
    if campaign.get("enrolment") == "required" and (done["joined"] is None or at < done["joined"]):
        return False
    limit = campaign.get("limit") or {}
    if limit.get("perUser") and len(done["fired"]) >= limit["perUser"]:
        return False
    if limit.get("perPeriod"):
        period = limit["perPeriod"]["period"]
        same = [
            value
            for value in done["fired"]
            if period_of(value, period, world.zone) == period_of(at, period, world.zone)
        ]
        if len(same) >= limit["perPeriod"]["count"]:
            return False
    cooldown = timedelta(seconds=campaign.get("cooldown") or 0)
    return not (cooldown and done["fired"] and at < max(done["fired"]) + cooldown)


def _meet_steps(world: Any, member: Json, event: Json, campaign_id: str, campaign: Json, taken: set[str]) -> bool:
    """An event counts once for a step, for one step of a sequential campaign, and for one round of any."""
    counted = False
    sequential = campaign.get("order", "sequential") == "sequential"
    for number, step in enumerate(campaign["steps"]):
        completed_before = len(of(member, campaign_id)["fired"])
        if not _hit(world, member, event, step["triggers"]) or not _may(
            world, member, event, campaign_id, campaign, taken
        ):
            continue
        if not _count(world, member, event, campaign_id, campaign, number):
            continue
        counted = True
        if sequential or len(of(member, campaign_id)["fired"]) > completed_before:
            break
    return counted


def _count(world: Any, member: Json, event: Json, campaign_id: str, campaign: Json, number: int) -> bool:
    """Count an event towards a step; if the step is done with it, its effects happen. Return whether it counted."""
    done, step = of(member, campaign_id), campaign["steps"][number]
    present, occurrence = done["rounds"][-1], done["occurrence"]
    if campaign.get("recurrence"):  # each occurrence has its own progress
        occurrence = recurrence.occurrence(campaign, world.now, world.zone)
        if done["occurrence"] is not None and occurrence < done["occurrence"]:
            return False
        present = present if occurrence == done["occurrence"] else []
    if is_complete(campaign, present, world.zone) or is_done(step, present, number, world.zone):
        return False
    value = value_of(step, event["data"])
    if value is None:
        return False
    item = {"at": world.now, "step": number, "value": value}
    sequential = campaign.get("order", "sequential") == "sequential"
    early = sequential and opened_at(campaign, present, number, world.zone) is None
    if not early and not is_news(step, present, item, world.zone):
        return False
    if occurrence != done["occurrence"]:
        done["occurrence"] = occurrence
        done["rounds"].append(present)
    present.append({**item, "early": True} if early else item)
    if early:
        return False
    if is_done(step, present, number, world.zone):
        _step_done(world, member, event, campaign_id, campaign, number)
    return True


def _step_done(world: Any, member: Json, event: Json, campaign_id: str, campaign: Json, number: int) -> None:
    step, done = campaign["steps"][number], of(member, campaign_id)
    _happen(world, member, event, campaign_id, step.get("effects", []))
    world.follow("step.completed", {"campaignId": campaign_id, "step": number, "name": step["name"]}, campaign_id)
    if is_complete(campaign, done["rounds"][-1], world.zone):
        _happen(world, member, event, campaign_id, campaign.get("effects", []))
        if campaign.get("repeatable"):
            done["rounds"].append([])
        _complete(world, member, campaign_id)
        return
    if campaign.get("order", "sequential") == "sequential":
        _count_early(world, member, event, campaign_id, campaign, number + 1)


def _count_early(world: Any, member: Json, event: Json, campaign_id: str, campaign: Json, number: int) -> None:
    """What happened after the step before was done counts, though it was reported before."""
    present, step = of(member, campaign_id)["rounds"][-1], campaign["steps"][number]
    opened = opened_at(campaign, present, number, world.zone)
    assert opened is not None
    early = [occurrence for occurrence in present if occurrence["step"] == number and occurrence.get("early")]
    for occurrence in early:
        present.remove(occurrence)
    for occurrence in sorted(early, key=lambda occurrence: occurrence["at"]):
        item = {"at": occurrence["at"], "step": number, "value": occurrence["value"]}
        if occurrence["at"] > opened and is_news(step, present, item, world.zone):
            present.append(item)
            if is_done(step, present, number, world.zone):
                _step_done(world, member, event, campaign_id, campaign, number)
                return


# -------------------------------------------------------------------------- how far a step is, from what has counted


def value_of(step: Json, data: Json) -> Any:
    goal = step.get("goal") or {}
    if goal.get("type", "count") == "count":
        return Fraction(1)
    found = data.get(goal["field"])
    if found is None:
        return None
    return exact(found) if goal["type"] == "sum" else str(found)


def counting(step: Json, present: list[Json], number: int, zone: str, last: datetime | None = None) -> list[Json]:
    """What counts of a step, within its window: a calendar period, or so long back from whichever comes last."""
    items = [occurrence for occurrence in present if occurrence["step"] == number and not occurrence.get("early")]
    window = (step.get("goal") or {}).get("window")
    if not window or not items:
        return items
    latest = last or max(entry["at"] for entry in items)
    if window.get("period"):
        return [
            entry
            for entry in items
            if period_of(entry["at"], window["period"], zone) == period_of(latest, window["period"], zone)
        ]
    length = timedelta(days=window.get("days") or 0, seconds=window.get("seconds") or 0)
    return [entry for entry in items if latest - length < entry["at"] <= latest]


def reached(step: Json, items: list[Json]) -> Fraction:
    if (step.get("goal") or {}).get("type") == "distinct":
        return Fraction(len({entry["value"] for entry in items}))
    return sum((entry["value"] for entry in items), Fraction(0))


def is_done(step: Json, present: list[Json], number: int, zone: str) -> bool:
    """Whether the goal is reached. Of a rolling window by whichever of the events is the last of it."""
    target = exact((step.get("goal") or {}).get("target", 1))
    if not is_rolling(step):
        return reached(step, counting(step, present, number, zone)) >= target
    ends = [occurrence["at"] for occurrence in present if occurrence["step"] == number and not occurrence.get("early")]
    return any(reached(step, counting(step, present, number, zone, last)) >= target for last in ends)


def is_rolling(step: Json) -> bool:
    window = (step.get("goal") or {}).get("window") or {}
    return bool(window.get("days") or window.get("seconds"))


def done_at(campaign: Json, present: list[Json], number: int, zone: str) -> datetime | None:
    step = campaign["steps"][number]
    if not is_done(step, present, number, zone):
        return None
    return max(
        occurrence["at"] for occurrence in present if occurrence["step"] == number and not occurrence.get("early")
    )


def opened_at(campaign: Json, present: list[Json], number: int, zone: str) -> datetime | None:
    """When a step of a sequential campaign was opened: when those before it were done."""
    if number == 0:
        return datetime.min.replace(tzinfo=UTC)
    times = [done_at(campaign, present, step_index, zone) for step_index in range(number)]
    return None if None in times else times[-1]


def is_complete(campaign: Json, present: list[Json], zone: str) -> bool:
    steps = campaign["steps"]
    done = sum(is_done(step, present, number, zone) for number, step in enumerate(steps))
    return done >= (campaign.get("required") or len(steps))


def is_news(step: Json, present: list[Json], item: Json, zone: str) -> bool:
    """Whether it counts: not for a calendar window that is over, nor one value twice for distinct ones."""
    if is_rolling(step):
        return True
    with_it = counting(step, [*present, item], item["step"], zone)
    if item not in with_it:
        return False
    seen = {row["value"] for row in with_it if row is not item}
    return (step.get("goal") or {}).get("type") != "distinct" or item["value"] not in seen


# ------------------------------------------------------------------------------------------------------ what follows


def _happen(world: Any, member: Json, event: Json, campaign_id: str, effects: list[Json]) -> None:
    for effect in effects:
        if world.admits(member, effect.get("segments")):
            world.carry_out(member, effect, event["data"], campaign_id)


def _complete(world: Any, member: Json, campaign_id: str) -> None:
    done = of(member, campaign_id)
    done["fired"].append(world.now)
    world.follow("campaign.completed", {"campaignId": campaign_id, "completions": len(done["fired"])}, campaign_id)


def state(world: Any, member: Json, campaign_id: str, campaign: Json) -> Json:
    """What is to be seen: how often it was completed, and how far the present round is."""
    done = of(member, campaign_id)
    present = done["rounds"][-1]
    steps = [
        {"done": is_done(step, present, number, world.zone),
         "value": reached(step, counting(step, present, number, world.zone))}
        for number, step in enumerate(campaign.get("steps", []))
    ]  # fmt: skip
    return {"completions": len(done["fired"]), "steps": steps}
