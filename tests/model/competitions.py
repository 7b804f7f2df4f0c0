"""Who is ahead (guide: Competitions). What was scored is a list; a score is the sum of what it has of the time."""

from collections.abc import Iterable
from datetime import datetime
from fractions import Fraction
from hashlib import sha256
from hmac import digest
from typing import Any

from .amounts import Json, exact, meets
from .calendar import period_of


def count(world: Any, member: Json, metric_id: str, book: Any, number: int, amount: int, at: datetime) -> None:
    """What is earned of a metric; a reversal (which has what it takes back `before` it) counts when and where that did."""
    before, transaction = [], book.transactions[number]
    while transaction["reverses"] is not None:
        transaction = book.transactions[transaction["reverses"]]
        if transaction["reverses"] is None or transaction["at"] >= at:  # else it was still pending
            before.append((metric_id, transaction["number"]))
    for competition_id, competition in world.of("competition"):
        if (competition.get("score") or {}).get("metric") != metric_id:
            continue
        counted = {value["of"] for value in member["scores"].get(competition_id, {"list": []})["list"]}
        if (counted | member["would_count"].get(competition_id, set())).issuperset(before):
            add(
                world,
                member,
                competition_id,
                competition,
                Fraction(amount),
                at,
                (metric_id, number),
                known=bool(before),
            )


def would_count(world: Any, member: Json, metric_id: str, numbers: Iterable[int]) -> None:
    """Of these credits nothing is left as they would be released: what is given back later counts where they would have."""
    for competition_id, competition in world.of("competition"):
        scored = (competition.get("score") or {}).get("metric")
        if (
            scored == metric_id
            and is_open(competition, world.now)
            and member["user"] not in competition.get("excludedUserIds", [])
        ):
            member["would_count"].setdefault(competition_id, set()).update((metric_id, number) for number in numbers)


def meet(world: Any, member: Json, event: Json) -> None:
    """Events of a trigger: how many, or the sum of a field."""
    for competition_id, competition in world.of("competition"):
        score = competition.get("score") or {}
        if score.get("trigger") != event["trigger"] or not meets(score.get("conditions"), world.look(member, event)):
            continue
        if score.get("field") is None:
            add(world, member, competition_id, competition, Fraction(1), world.now)
        elif score["field"] in event["data"]:
            add(world, member, competition_id, competition, exact(event["data"][score["field"]]), world.now)


def is_open(competition: Json, at: datetime) -> bool:
    start, end = competition.get("startDate"), competition.get("endDate")
    return (
        competition.get("status", "active") == "active"
        and (not start or datetime.fromisoformat(start) <= at)
        and (not end or at < datetime.fromisoformat(end))
    )


def add(
    world: Any, member: Json, competition_id: str, competition: Json, amount: Fraction, at: datetime, of: Any = None,
    *, known: bool = False,
) -> None:  # fmt: skip
    """A score counts while the competition is open; what is over stays, and what was before it never counted.

    It is for those in its segments, as they are then (`known`: what is taken back has counted).
    """
    if not (is_open(competition, world.now) and is_open(competition, at)):
        return
    if member["user"] in competition.get("excludedUserIds", []):
        return
    if not known and not world.admits(member, competition.get("segments")):
        return
    scores = member["scores"].setdefault(competition_id, {"list": [], "division": None})
    leagues = competition.get("leagues")
    if leagues:
        scores["division"] = scores["division"] or leagues["divisions"][0]
        played = {score["round"] for score in scores["list"]}
        this = period_of(at, leagues["period"], world.zone)
        if played and this not in sorted(played)[-2:] and this < max(played):
            return  # a late score counts in the round before at most
    else:
        this = ""
    scores["list"].append({"amount": amount, "at": at, "reached": world.now, "round": this, "of": of})
    if competition.get("scopeField"):
        scores["division"] = str(member["attributes"].get(competition["scopeField"]) or "")


def standing(scores: Json, this: str) -> tuple[Fraction, datetime] | None:
    """The score of a round, and when it was reached: a score of 0 does not reach it again."""
    items = [score for score in scores["list"] if score["round"] == this]
    if not items:
        return None
    moved = [entry["reached"] for entry in items[1:] if entry["amount"]]
    return sum((entry["amount"] for entry in items), Fraction(0)), max([items[0]["reached"], *moved])


def board(world: Any, competition_id: str, this: str) -> dict[str, list[Json]]:
    """The places of each part of the board: of equal scores the one that was reached first is ahead."""
    found: dict[str, list[Json]] = {}
    for member in world.members.values():
        scores = member["scores"].get(competition_id)
        place = standing(scores, this) if scores else None
        if place is not None:
            entry = {"user": member["user"], "score": place[0], "reached": place[1], "id": world.id_of(member["user"])}
            found.setdefault(scores["division"] or "", []).append(entry)
    return {
        part: sorted(places, key=lambda row: (-row["score"], row["reached"], row["id"]))
        for part, places in found.items()
    }


def moves(world: Any, competition_id: str, this: str) -> list[tuple[str, int, str | None]]:
    """Who goes where after a round: (user, rank, division or None)."""
    leagues = world.document("competition", competition_id)["leagues"]
    divisions, promote, relegate = leagues["divisions"], leagues.get("promote", 10), leagues.get("relegate", 10)
    found = []
    for part, places in board(world, competition_id, this).items():
        number = divisions.index(part)
        is_top = number == len(divisions) - 1
        up = [] if is_top else places[:promote]
        others = [place for place in places if place not in up and place is not places[0]]
        down = others[len(others) - min(relegate, len(others)) :] if number > 0 else []
        for rank, place in enumerate(places, 1):
            to = divisions[number + 1] if place in up else divisions[number - 1] if place in down else None
            found.append((place["user"], rank, to))
    return found


def draw(seed: bytes, entries: dict[str, int], winners: int) -> list[str]:
    """Every entry is a line in a box; the n-th winner holds the line of that number, and their lines leave the box."""
    box = [user for user in sorted(entries, key=lambda user: user.encode()) for _ in range(entries[user])]
    found: list[str] = []
    while box and len(found) < winners:
        number = int.from_bytes(digest(seed, str(len(found)).encode(), "sha256"), "big") % len(box)
        found.append(box[number])
        box = [user for user in box if user != found[-1]]
    return found


def entries_digest(entries: dict[str, int]) -> str:
    users = sorted(entries, key=lambda user: user.encode())
    return sha256("".join(f"{user}\t{entries[user]}\n" for user in users).encode()).hexdigest()
