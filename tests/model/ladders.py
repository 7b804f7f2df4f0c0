"""Rungs by what was earned within a window (guide: Ladders). What was earned is a list; a score is a sum over it."""

from datetime import date, datetime, timedelta
from typing import Any

from . import points
from .amounts import Json
from .calendar import day_of, days_on, midnight, same_day_of, same_time

BELOW = -1


def of(world: Any, member: Json, ladder_id: str) -> Json:
    ladder = world.document("ladder", ladder_id)
    new = {"rung": rung_for(world, ladder, 0), "kept": None, "ends": None, "grace": None, "reached": set()}
    return member["ladders"].setdefault(ladder_id, new)


def rung_for(world: Any, ladder: Json, score: int) -> int:
    metric = world.metric(ladder.get("metric", "points"))
    return max(
        [n for n, rung in enumerate(ladder["rungs"]) if points.set_bound(metric | rung, "threshold") <= score],
        default=BELOW,
    )


def year_of(world: Any, member: Json, ladder: Json, day: date) -> int:
    """Which year a day is in: of the calendar, or of the membership (by the calendar year in which it began)."""
    if ladder["window"]["type"] == "calendar_year":
        return day.year
    joined = day_of(member["joined"], world.zone)
    return day.year if same_day_of(day.year, joined) <= day else day.year - 1


def year_ends(world: Any, member: Json, ladder: Json, day: date) -> datetime:
    year = year_of(world, member, ladder, day) + 1
    if ladder["window"]["type"] == "calendar_year":
        return midnight(date(year, 1, 1), world.zone)
    return midnight(same_day_of(year, day_of(member["joined"], world.zone)), world.zone)


def earned(world: Any, member: Json, ladder: Json) -> list[tuple[date, int]]:
    """What was earned, with the day on which it counts."""
    metric_id = ladder.get("metric", "points")
    return [
        (day_of(entry["at"], world.zone), entry["amount"]) for entry in member["earned"] if entry["metric"] == metric_id
    ]


def score(world: Any, member: Json, ladder: Json, at: datetime) -> int:
    """What was earned within the window that an instant is in."""
    window, today = ladder.get("window", {"type": "all_time"}), day_of(at, world.zone)
    found = earned(world, member, ladder)
    match window["type"]:
        case "all_time":
            return sum(amount for _, amount in found)
        case "rolling":
            return sum(amount for day, amount in found if days_on(today, -window["days"]) < day <= today)
    year = year_of(world, member, ladder, today)
    return sum(amount for day, amount in found if year_of(world, member, ladder, day) == year)


def count(world: Any, member: Json, metric_id: str, amount: int, at: datetime) -> None:
    """Up at once, by what was earned in the present window, or, what counts there, the one before; down at once, too,

    if the rung rested on what is taken back.
    """
    for ladder_id, ladder in world.of("ladder"):
        if ladder.get("metric", "points") != metric_id or ladder.get("status", "active") != "active":
            continue
        state = of(world, member, ladder_id)
        if amount > 0:
            climb(world, member, ladder_id, ladder, state)
        else:
            step_down(world, member, ladder_id, ladder, state, {"metric": metric_id, "amount": -amount, "at": at})


def climb(world: Any, member: Json, ladder_id: str, ladder: Json, state: Json) -> None:
    rung = rung_for(world, ladder, max(scores(world, member, ladder, world.present(member))))
    if rung <= state["rung"]:
        if state["ends"] is None:
            keep(world, member, ladder, state)
        return
    before, state["rung"] = state["rung"], rung
    keep(world, member, ladder, state)
    tell(world, ladder_id, ladder, before, rung)
    for number in range(before + 1, rung + 1):
        if ladder["rungs"][number].get("effectsOnce", True) and number in state["reached"]:
            continue
        for effect in ladder["rungs"][number].get("effects", []):
            world.carry_out(member, effect, world.event["data"], f"ladder.{ladder_id}")
    state["reached"] |= set(range(before + 1, rung + 1))


def scores(world: Any, member: Json, ladder: Json, at: datetime) -> list[int]:
    """What was earned in the window that an instant is in, and for years in the one before."""
    if ladder.get("window", {"type": "all_time"})["type"] in ("all_time", "rolling"):
        return [score(world, member, ladder, at)]
    year = year_of(world, member, ladder, day_of(at, world.zone))
    found = [(year_of(world, member, ladder, day), amount) for day, amount in earned(world, member, ladder)]
    return [sum(amount for number, amount in found if number == wanted) for wanted in (year, year - 1)]


def step_down(world: Any, member: Json, ladder_id: str, ladder: Json, state: Json, taken: Json) -> None:
    """To the highest rung that the rest holds in the windows for which the rung was kept."""
    rest = rung_for(world, ladder, best(world, member, ladder, state))
    member["earned"].append(taken)  # as it was before
    rested = rung_for(world, ladder, best(world, member, ladder, state))
    member["earned"].remove(taken)
    if state["rung"] not in state["reached"] or rested < state["rung"]:
        return
    lower = max(rest, rung_for(world, ladder, 0))
    if lower < state["rung"]:
        before, state["rung"] = state["rung"], lower
        tell(world, ladder_id, ladder, before, lower)


def best(world: Any, member: Json, ladder: Json, state: Json) -> int:
    """The most that was earned in any window that the rung is kept for: since it was reached or kept, with the grace."""
    now, window = world.present(member), ladder.get("window", {"type": "all_time"})
    in_grace = [score_to_keep(world, member, ladder, state)] if state["grace"] else []
    if window["type"] != "rolling":
        ended = state["grace"] - timedelta(seconds=1) if state["grace"] else now
        return max(in_grace + scores(world, member, ladder, ended))
    day, today = state["kept"] or day_of(now, world.zone), day_of(now, world.zone)
    days = [days_on(day, n) for n in range((today - day).days + 1)]
    return max(in_grace + [score(world, member, ladder, midnight(day, world.zone)) for day in days])


def keep(world: Any, member: Json, ladder: Json, state: Json) -> None:
    """The rung is looked at again at the end of the year, or `days` days after it was reached or kept."""
    window = ladder.get("window", {"type": "all_time"})
    day, state["grace"] = day_of(world.now, world.zone), None
    state["kept"] = day
    match window["type"]:
        case "all_time":
            state["ends"] = None
        case "rolling":
            state["ends"] = midnight(days_on(day, window["days"]), world.zone)
        case _:
            state["ends"] = year_ends(world, member, ladder, day)


def due(member: Json) -> list[datetime]:
    return [state["ends"] for state in member["ladders"].values() if state["ends"] is not None]


def fall_due(world: Any, member: Json, ladder_id: str) -> None:
    """The end of a window, or of the grace after one: the rung is kept, or lost."""
    ladder, state = world.document("ladder", ladder_id), of(world, member, ladder_id)
    if state["ends"] is None or state["ends"] > world.now:
        return
    rung = rung_for(world, ladder, score_to_keep(world, member, ladder, state))
    if rung >= state["rung"]:
        keep(world, member, ladder, state)
    elif ladder.get("graceDays") and state["grace"] is None:
        state["grace"] = world.now
        state["ends"] = same_time(world.now, ladder["graceDays"], world.zone)
    else:
        before = state["rung"]
        state["rung"] = max(rung, before - 1) if ladder.get("softLanding") else rung
        keep(world, member, ladder, state)
        tell(world, ladder_id, ladder, before, state["rung"])


def score_to_keep(world: Any, member: Json, ladder: Json, state: Json) -> int:
    """What was earned in the window that has ended, and what is earned in the grace after it."""
    window, ended = ladder["window"], state["grace"] or world.now
    last = days_on(day_of(ended, world.zone), -1)
    found = earned(world, member, ladder)
    if window["type"] == "rolling":
        first = days_on(last, 1 - window["days"])
        return sum(amount for day, amount in found if first < day <= day_of(world.now, world.zone))
    year = year_of(world, member, ladder, last)
    inside = sum(amount for day, amount in found if year_of(world, member, ladder, day) == year)
    since = sum(amount for day, amount in found if day > last) if state["grace"] else 0
    return inside + since


def tell(world: Any, ladder_id: str, ladder: Json, before: int, after: int) -> None:
    named = [None if number == BELOW else ladder["rungs"][number]["rungId"] for number in (before, after)]
    if before != after:
        data = {"ladderId": ladder_id, "oldRung": named[0], "newRung": named[1]}
        world.follow("ladder.rung_changed", data, f"ladder.{ladder_id}")


def state(world: Any, member: Json, ladder_id: str) -> Json:
    ladder = world.document("ladder", ladder_id)
    found = of(world, member, ladder_id)
    return {
        "rung": found["rung"],
        "score": score(world, member, ladder, world.now),
        "reached": sorted(found["reached"]),
    }
