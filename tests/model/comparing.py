"""A history through the model and through the core, compared after every step."""

from typing import Any

from . import core, world
from .amounts import Json

Documents = list[tuple[str, str, Json]]


class Different(AssertionError):
    """The model and the core do not agree; says where, and after which history."""


def compare(documents: Documents, history: list[Json]) -> None:
    """Raise Different at the first step after which the two do not agree."""
    ours, theirs = world.World(documents, core.id_of), core.Core(documents)
    for number, what in enumerate(history):
        wanted, found = ours.happen(what), theirs.happen(what)
        differences = [("refusal", wanted, found)] if (wanted is None) != (found is None) else []
        users = set(ours.members) | set(theirs.members)
        if number < len(history) - 1:  # of the others, only time has passed
            users &= {what.get("user"), what.get("to"), "ann"}
        for user in sorted(users):
            differences += unlike(user, touched(world.state(ours, user)), touched(core.state(theirs, user)))
        if differences:
            raise Different(described(documents, history[: number + 1], differences))


def compare_in_any_order(documents: Documents, history: list[Json]) -> None:
    """Raise Different where events that are reported late do not come to what they come to in the order of their times.

    The guides say what may be different (the tables in "Late events"): the programmes have nothing of the kind, and
    of the rest only what is the same in any order is looked at.
    """
    reported = sorted(history, key=lambda what: what.get("arrives", what["at"]))
    theirs = core.Core(documents)
    for number, what in enumerate(reported):
        theirs.happen(what)
        ours = world.World(documents, core.id_of)  # from the beginning, with all that is known by now
        for known in sorted(reported[: number + 1], key=lambda row: row["at"]):
            ours.happen(known)
        ours.clock = max(ours.clock, theirs.clock)
        ours.pass_time(ours.clock)
        differences = unlike("ann", in_any_order(world.state(ours, "ann")), in_any_order(core.state(theirs, "ann")))
        if differences:
            raise Different(described(documents, reported[: number + 1], differences))


def in_any_order(state: Json) -> Json:
    """What does not depend on the order in which events are reported."""
    state = touched(state)
    return {
        "books": {
            name: {part: book[part] for part in ("balance", "available", "pending", "lifetime", "lots")}
            for name, book in state["books"].items()
        },
        "streaks": state["streaks"],
        "campaigns": {
            name: {"completions": campaign["completions"], "done": [step["done"] for step in campaign["steps"]]}
            for name, campaign in state["campaigns"].items() if campaign["completions"] or any(step["done"] for step in campaign["steps"])
        },
        "ladders": {name: standing["score"] for name, standing in state["ladders"].items() if standing["score"]},
        "segments": sorted(state["segments"]),
        "scores": {name: score for name, score in state["scores"].items() if score["rounds"]},
    }  # fmt: skip


def touched(state: Json) -> Json:
    """A state without what has only been looked at: that is as if it were not there."""
    kept = {
        "books": lambda book: book["transactions"] or book["held"],
        "campaigns": lambda campaign: (
            campaign["completions"] or any(step["value"] or step["done"] for step in campaign["steps"])
        ),
        "ladders": lambda standing: standing["score"] or standing["reached"],
    }
    return state | {
        part: {name: value for name, value in state[part].items() if keeps(value)} for part, keeps in kept.items()
    }


def unlike(at: str, wanted: Any, found: Any) -> list[tuple[str, Any, Any]]:
    """Where two states differ, by path."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            difference
            for name in sorted(set(wanted) | set(found), key=str)
            for difference in unlike(f"{at}.{name}", wanted.get(name), found.get(name))
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            difference
            for n, pair in enumerate(zip(wanted, found, strict=True))
            for difference in unlike(f"{at}[{n}]", *pair)
        ]
    return [] if wanted == found else [(at, wanted, found)]


def described(documents: Documents, history: list[Json], differences: list[tuple[str, Any, Any]]) -> str:
    lines = ["programme:", *(f"  {kind} {name}: {raw}" for kind, name, raw in documents)]
    lines += ["history:", *(f"  {what}" for what in history)]
    lines += ["the model, and the core:", *(f"  {at}: {wanted}  |  {value}" for at, wanted, value in differences)]
    return "\n" + "\n".join(lines)
