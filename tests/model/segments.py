"""Who is in which group (guide: Segments). What events come to is counted over the list of all that there were."""

from datetime import datetime
from fractions import Fraction
from typing import Any

from .amounts import Json, compared, exact, meets
from .calendar import day_of, days_on, midnight

TURNS = 4  # "A segment and a campaign that feed each other are cut after a few turns"


def is_in(world: Any, member: Json, segment_id: str) -> bool:
    segment = world.document("segment", segment_id)
    by_hand = member["by_hand"].get(segment_id)
    if segment.get("status", "active") != "active":
        return False
    if by_hand is not None:
        return by_hand
    if segment.get("type", "dynamic") == "static":
        return member["user"] in segment.get("userIds", [])
    return all(holds(world, member, value) for value in segment.get("include", [])) and not any(
        holds(world, member, value) for value in segment.get("exclude", [])
    )


def holds(world: Any, member: Json, criterion: Json) -> bool:
    found = world.look(member)(criterion["field"]) if "field" in criterion else tallied(world, member, criterion)
    return compared(found, criterion["operator"], criterion["value"])


def tallied(world: Any, member: Json, criterion: Json) -> Any:
    """How many, the sum of a field, or the days since the last; within local days, today included."""
    (kind,) = {"count", "sum", "daysSince"} & set(criterion)
    wanted = criterion[kind]
    today = day_of(world.present(member), world.zone)
    events = [
        (day_of(event["at"], world.zone), event["data"])
        for event in member["events"]
        if event["trigger"] == wanted["trigger"] and meets(wanted.get("conditions"), event["data"].get)
    ]
    if kind == "daysSince":
        return (today - max(day for day, _ in events)).days if events else None
    if wanted.get("withinDays"):
        events = [(day, data) for day, data in events if days_on(today, -wanted["withinDays"]) < day <= today]
    if kind == "count":
        return len(events)
    return sum((exact(data[wanted["field"]]) for _, data in events if wanted["field"] in data), Fraction(0))


def judge(world: Any, member: Json) -> None:
    """Judge all segments of a member."""
    for segment_id, _ in sorted(world.of("segment")):
        inside = is_in(world, member, segment_id)
        if inside == (segment_id in member["segments"]):
            continue
        world.turns[segment_id] = world.turns.get(segment_id, 0) + 1
        if world.turns[segment_id] > TURNS:
            continue
        if inside:
            member["segments"][segment_id] = world.now
        else:
            del member["segments"][segment_id]
        world.follow(
            "segment.entered" if inside else "segment.left", {"segmentId": segment_id}, f"segment.{segment_id}"
        )


def due(world: Any, member: Json) -> list[datetime]:
    """The local midnights at which time alone may change what events come to."""
    found: set[datetime] = set()
    for _, segment in world.of("segment"):
        for criterion in [*segment.get("include", []), *segment.get("exclude", [])]:
            if "field" in criterion:
                continue
            (kind,) = {"count", "sum", "daysSince"} & set(criterion)
            wanted = criterion[kind]
            days = {
                day_of(event["at"], world.zone) for event in member["events"] if event["trigger"] == wanted["trigger"]
            }
            value = int(criterion["value"])
            after = (
                [value, value + 1]
                if kind == "daysSince"
                else [wanted["withinDays"]]
                if wanted.get("withinDays")
                else []
            )
            found |= {midnight(days_on(day, more), world.zone) for day in days for more in after}
    return [at for at in found if at > member["looked"]]
