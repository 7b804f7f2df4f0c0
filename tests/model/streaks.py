"""How many days, weeks or months in a row (guide: Streaks).

A streak is a list of what happened to it: check-ins, freezes given and used. How it stands follows from a walk through
that list in the order of time, from the beginning, each time that it is asked.
"""

from datetime import date, datetime, timedelta
from typing import Any

from .amounts import Json, meets
from .calendar import day_of, midnight, same_time


def turn_of(day: date, cadence: str) -> int:
    """A number for the day, week or month that a day is in."""
    match cadence:
        case "weekly":
            return (day - date(2001, 1, 1)).days // 7  # a Monday
        case "monthly":
            return day.year * 12 + day.month - 1
    return day.toordinal()


def first_day(turn: int, cadence: str) -> date:
    match cadence:
        case "weekly":
            return date(2001, 1, 1) + timedelta(days=7 * turn)
        case "monthly":
            return date(turn // 12, turn % 12 + 1, 1)
    return date.fromordinal(turn)


class Walk:
    """A walk through all that happened to a streak, up to an instant."""

    def __init__(self, streak: Json, zone: str, things: list[Json], until: datetime) -> None:
        freezes = streak.get("freezes") or {}
        self.cadence, self.zone = streak.get("cadence", "daily"), zone
        self.grace = timedelta(hours=streak.get("graceHours", 0))
        self.threshold = streak.get("threshold", 1)
        self.maximum = freezes.get("maximum", 2) if streak.get("freezes") else 0
        self.automatic = freezes.get("automatic", True)
        self.milestones = sorted(milestone["length"] for milestone in streak.get("milestones", []))
        self.freezes = freezes.get("atStart", 0)
        self.counts: dict[int, int] = {}
        self.counted: set[int] = set()
        self.frozen: set[int] = set()
        self.spared = {
            turn
            for pause in streak.get("pauses", [])
            for turn in range(self.turn(pause["start"]), self.turn(pause["end"]) + 1)
        }
        self.repaired: set[int] = set()
        self.lapsed_at: datetime | None = None
        self.repair_days = (streak.get("repair") or {}).get("days", 0)
        self.alive = False
        self.log: list[Json] = []
        for thing in sorted(things, key=lambda row: row["at"]):
            self.lapse(thing["at"])
            getattr(self, thing["what"])(thing)
        self.lapse(until)

    def turn(self, day: str | date) -> int:
        return turn_of(day if isinstance(day, date) else date.fromisoformat(day), self.cadence)

    # What happens to it.

    def turn_at(self, at: datetime) -> int:
        """The day that something counts for; "until graceHours after its end a missing day can still be made up for"."""
        turn, before = (self.turn(day_of(instant, self.zone)) for instant in (at, at - self.grace))
        return before if self.counted and before == self.missing() < turn else turn

    def check_in(self, thing: Json) -> None:
        turn = self.turn_at(thing["at"])
        if turn in self.counted:
            return
        self.counts[turn] = self.counts.get(turn, 0) + 1
        if self.counts[turn] < self.threshold:
            return
        self.counted.add(turn)
        if turn in self.frozen:  # "a freeze that turns out not to have been needed comes back"
            self.frozen.remove(turn)
            self.freezes = min(self.freezes + 1, self.maximum)
        self.alive = self.end(self.missing()) > thing["at"]
        self.log.append({"what": "extended", "at": thing["at"], "length": self.current})
        run = self.runs()[-1]
        for length in self.milestones:
            if length <= len(run):  # "each once in a run"
                self.log.append({"what": "milestone", "at": thing["at"], "length": length, "run": run})

    def grant(self, thing: Json) -> None:
        self.freezes = min(self.freezes + thing["quantity"], self.maximum)

    def use(self, thing: Json) -> None:
        self.freezes -= 1
        self.frozen.add(self.turn(thing["day"]))

    def repair(self, thing: Json) -> None:
        self.repaired |= set(self.missed(thing["at"]))
        self.lapsed_at = None
        self.alive = self.end(self.missing()) > thing["at"]

    def absence(self, thing: Json) -> None:
        self.spared |= set(range(self.turn(thing["day"]), self.turn(thing["until"]) + 1))

    def lapse(self, at: datetime) -> None:
        """A day that ends without counting breaks the streak at that very instant, unless a freeze is there to be used."""
        while self.alive and self.end(self.missing()) <= at:
            missing = self.missing()
            if self.automatic and self.freezes:
                self.freezes -= 1
                self.frozen.add(missing)
                self.log.append({"what": "frozen", "at": self.end(missing), "turn": missing})
            else:
                length = self.current
                self.alive, self.lapsed_at = False, self.end(missing)
                self.log.append({"what": "broken", "at": self.end(missing), "length": length})

    # How it stands.

    def is_bridged(self, turn: int) -> bool:
        return turn in self.frozen or turn in self.repaired or turn in self.spared

    def missing(self) -> int:
        """The next day that must count if the run is to go on."""
        turn = max(self.counted) + 1
        while self.is_bridged(turn):
            turn += 1
        return turn

    def missed(self, at: datetime) -> list[int]:
        """The days that broke the latest run, or the one before it if another has begun since."""
        if self.alive and len(self.runs()) > 1:
            first, end = self.runs()[-2][-1] + 1, self.runs()[-1][0]
        elif self.alive:
            return []
        else:
            first, end = max(self.counted) + 1, self.turn(day_of(at, self.zone))
        return [turn for turn in range(first, end) if not self.is_bridged(turn)]

    def end(self, turn: int) -> datetime:
        return midnight(first_day(turn + 1, self.cadence), self.zone) + self.grace

    def runs(self) -> list[list[int]]:
        """The days that count, in runs: what is bridged keeps a run together, and does not make it longer."""
        found: list[list[int]] = []
        for turn in sorted(self.counted):
            if found and all(self.is_bridged(between) for between in range(found[-1][-1] + 1, turn)):
                found[-1].append(turn)
            else:
                found.append([turn])
        return found

    @property
    def current(self) -> int:
        return len(self.runs()[-1]) if self.alive else 0

    @property
    def longest(self) -> int:
        return max(map(len, self.runs()), default=0)


def walk(world: Any, member: Json, streak_id: str, until: datetime | None = None) -> Walk:
    things = member["streaks"].get(streak_id, {"things": []})["things"]
    zone = member["attributes"].get("timezone") or world.zone
    return Walk(world.document("streak", streak_id), zone, things, until or world.now)


def of(member: Json, streak_id: str) -> Json:
    """What has happened to a member's streak; `told` is what has followed from it."""
    return member["streaks"].setdefault(streak_id, {"things": [], "told": []})


def meet(world: Any, member: Json, event: Json) -> None:
    for streak_id, streak in world.of("streak"):
        hit = [message for message in streak.get("triggers", []) if message["type"] == event["trigger"]]
        if any(meets(value.get("conditions"), world.look(member, event)) for value in hit):
            check_in(world, member, streak_id)


def check_in(world: Any, member: Json, streak_id: str) -> None:
    of(member, streak_id)["things"].append({"what": "check_in", "at": world.now})
    tell(world, member, streak_id)


def tell(world: Any, member: Json, streak_id: str) -> None:
    """Let follow what is new: extensions, misses, milestones."""
    told = of(member, streak_id)["told"]
    cause = f"streak.{streak_id}"
    for entry in walk(world, member, streak_id, world.present(member)).log:
        if is_told(entry, told):
            continue
        told.append(entry)
        if entry["what"] == "milestone":
            streak = world.document("streak", streak_id)
            for milestone in streak["milestones"]:
                if milestone["length"] == entry["length"]:
                    for effect in milestone["effects"]:
                        world.carry_out(member, effect, world.event["data"], cause)
            world.follow("streak.milestone", {"streakId": streak_id, "length": entry["length"]}, cause)
        else:
            data = {"streakId": streak_id} | {name: entry[name] for name in ("length",) if name in entry}
            world.follow(f"streak.{entry['what']}", data, cause)


def is_told(entry: Json, told: list[Json]) -> bool:
    """A milestone is reached once in a run, also when two runs have become one since."""
    if entry["what"] != "milestone":
        return entry in told
    return any(
        row["what"] == "milestone" and row["length"] >= entry["length"] and set(row["run"]) & set(entry["run"])
        for row in told
    )


def due(world: Any, member: Json) -> list[datetime]:
    found = []
    for streak_id in member["streaks"]:
        present = walk(world, member, streak_id)
        if present.alive:
            found.append(present.end(present.missing()))
    return found


def by_hand(world: Any, member: Json, what: Json) -> str | None:
    """`buy_freeze`, `grant_freeze`, `use_freeze`, `repair`, `absence`, `check_in` by a call."""
    streak_id, streak = what["streakId"], world.document("streak", what["streakId"])
    present, price = walk(world, member, streak_id), None
    match what["action"]:
        case "check_in":
            check_in(world, member, streak_id)
            return None
        case "buy_freeze" | "grant_freeze":
            price = (streak.get("freezes") or {}).get("price") if what["action"] == "buy_freeze" else None
            if what["action"] == "buy_freeze" and price is None:
                return "freeze_not_for_sale"
            if present.freezes >= present.maximum:
                return "freezes_at_maximum"
            thing = {"what": "grant", "quantity": what.get("quantity", 1)}
        case "repair":
            price = (streak.get("repair") or {}).get("price")
            if present.lapsed_at is None or not present.counted or not present.missed(world.now):
                return "streak_not_broken"
            if world.now >= same_time(present.lapsed_at, present.repair_days, present.zone):
                return "repair_too_late"
            thing = {"what": "repair"}
        case "use_freeze":
            turn = present.turn(what["day"])
            if not present.freezes:
                return "no_freeze_left"
            if turn < present.turn_at(world.now) or turn in present.frozen | present.counted:
                return "day_not_freezable"
            thing = {"what": "use", "day": what["day"]}
        case _:
            if present.turn(what["day"]) < present.turn_at(world.now):
                return "absence_in_the_past"
            thing = {"what": "absence", "day": what["day"], "until": what["until"]}
    if price is not None:
        why = world.pay(member, price, f"streak.{streak_id}")
        if why is not None:
            return why
    of(member, streak_id)["things"].append({**thing, "at": world.now})
    if what["action"] == "repair":
        world.follow("streak.repaired", {"streakId": streak_id}, f"streak.{streak_id}")
    return None


def state(world: Any, member: Json, streak_id: str) -> Json:
    present = walk(world, member, streak_id)
    return {"current": present.current, "longest": present.longest, "alive": present.alive, "freezes": present.freezes}
