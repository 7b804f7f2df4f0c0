"""Histories made up at random: what happens to a few members, in the order in which it is reported."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from .amounts import Json

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
USERS = ["ann", "bob", "cy"]
# Minutes between one thing and the next: often none or few, now and then days, and over the ends of months and summer time.
GAPS = st.sampled_from([0, 1, 60, 60 * 7, 60 * 13, 60 * 24, 60 * 24, 60 * 30, 60 * 24 * 3, 60 * 24 * 7, 60 * 24 * 12])
DAILY = st.sampled_from(
    [
        0,
        60 * 3,
        60 * 12,
        60 * 23,
        60 * 24,
        60 * 24,
        60 * 24,
        60 * 24,
        60 * 25,
        60 * 24,
        60 * 48,
        60 * 72,
        60 * 24 * 5,
        60 * 24 * 14,
    ]
)
AMOUNTS = st.sampled_from([1, 10, 25, 40, 60, 100, 120, 0.5, 33.33])
WHOLE = st.sampled_from([1, 10, 25, 40, 60, 100, 120])


def action(trigger: str, **data: Any) -> Json:
    return {"do": "action", "trigger": trigger, "data": data}


EARN = st.builds(lambda amount: action("earn", amount=amount), AMOUNTS)
SPEND = st.builds(lambda amount: action("spend", amount=amount), AMOUNTS)
BY_HAND = st.builds(
    lambda amount, sign, days: {"do": "transaction", "metric": "points", "amount": amount * sign, "days": days if sign > 0 else None},
    WHOLE, st.sampled_from([1, -1]), st.sampled_from([None, None, 2, 9]),
)  # fmt: skip
REVERSE = st.builds(
    lambda number, amount, days: {"do": "reverse", "metric": "points", "number": number, "amount": amount, "days": days},
    st.integers(0, 12), st.sampled_from([None, None, None, 10, 30]), st.sampled_from([None, None, None, 6]),
)  # fmt: skip
TRANSFER = st.builds(lambda amount: {"do": "transfer", "metric": "points", "amount": amount}, WHOLE)
HOLD = st.builds(
    lambda hold_id, action, amount, days: {
        "do": "hold", "metric": "points", "holdId": hold_id, "action": action, "amount": amount, "days": days
    },
    st.sampled_from(["h", "i"]), st.sampled_from(["place", "place", "capture", "release"]), WHOLE, st.sampled_from([0.5, 3, 9]),
)  # fmt: skip
IMPORT = st.builds(
    lambda amount, pending: {"do": "import", "metric": "points", "amount": amount, "pending": pending},
    WHOLE, st.sampled_from([None, 3, 8]),
)  # fmt: skip
WAIT = st.just({"do": "wait"})


@st.composite
def histories(
    draw: Any,
    things: list[tuple[int, Any]],
    *,
    gaps: Any = GAPS,
    most: int = 18,
    begin: datetime = BEGIN,
    at_home: bool = False,
) -> list[Json]:
    """What happens, one after the other, each thing as often as its weight says; what is relative is made absolute."""
    kinds = st.sampled_from([kind for weight, kind in things for _ in range(weight)])
    at, found = begin + timedelta(minutes=draw(st.integers(0, 60 * 24 * 30))), []
    if at_home:  # a member's days are those of the profile's zone
        zone = draw(st.sampled_from(["Asia/Tokyo", "Pacific/Honolulu", "Europe/London"]))
        found.append(placed({"do": "profile", "attributes": {"timezone": zone}}, "ann", at))
    for kind in draw(st.lists(kinds, min_size=4, max_size=most)):
        at += timedelta(minutes=draw(gaps))
        found.append(placed(draw(kind), draw(st.sampled_from(["ann", "ann", "ann", "bob", "cy"])), at))
    found.append({"do": "wait", "at": (at + timedelta(days=40)).isoformat()})
    return found


def placed(thing: Json, user: str, at: datetime) -> Json:
    """A thing that happens to a user at a time."""
    what = {**thing, "at": at.isoformat()}
    if what["do"] not in ("wait", "save"):
        what["user"] = user
    if what["do"] == "transfer":
        what["to"] = next(name for name in USERS if name != user)
    pending = what.pop("pending", None)
    if pending is not None:
        what["availableAt"] = (at + timedelta(days=pending)).isoformat()
    days = what.pop("days", None)
    if days is not None:
        what["until" if what["do"] == "hold" else "expiresAt"] = (at + timedelta(days=days)).isoformat()
    if what["do"] == "hold" and what["action"] == "release":
        del what["amount"]
    ahead = what.pop("days ahead", None)
    if ahead is not None and what["action"] in ("use_freeze", "absence"):
        what["day"] = (at + timedelta(days=ahead)).date().isoformat()
        if what["action"] == "absence":
            what["until"] = (at + timedelta(days=ahead + 2)).date().isoformat()
    return what


# ------------------------------------------------------------------------------------------ challenges and streaks

DOES = st.builds(
    lambda trigger, amount, game: action(trigger, amount=amount, game=game),
    st.sampled_from(["visit", "visit", "buy", "play"]), st.sampled_from([5, 20, 60, 0.1]), st.sampled_from(["go", "chess", "whist"]),
)  # fmt: skip
JOIN = st.builds(lambda n: {"do": "enrol", "campaignId": f"camp_{n}"}, st.integers(0, 1))
STREAK = st.builds(
    lambda does, n, more: {"do": "streak", "streakId": f"streak_{n}", "action": does, "days ahead": more},
    st.sampled_from(["check_in", "check_in", "buy_freeze", "grant_freeze", "use_freeze", "repair", "absence"]), st.integers(0, 1), st.integers(0, 3),
)  # fmt: skip
XP = st.builds(lambda amount: {"do": "transaction", "metric": "xp", "amount": amount}, st.sampled_from([30, 50, 100]))


# ----------------------------------------------------------------------------------- ladders, segments, competitions

WINTER = datetime(2025, 11, 20, tzinfo=UTC)
LONG = st.sampled_from(
    [0, 60, 60 * 13, 60 * 24, 60 * 24, 60 * 24 * 2, 60 * 24 * 4, 60 * 24 * 9, 60 * 24 * 20, 60 * 24 * 90, 60 * 24 * 250]
)
SAVE = st.builds(
    lambda status: {"do": "save", "kind": "competition", "id": "cup", "raw": {"score": {"metric": "points"}, "status": status}},
    st.sampled_from(["active", "active", "draft"]),
)  # fmt: skip
BUY = st.builds(lambda amount: action("buy", amount=amount), WHOLE)
VISIT = st.just(action("visit"))
BY_HAND_IN = st.builds(
    lambda member: {"do": "segment", "segmentId": "seg_0", "member": member}, st.sampled_from([True, False, None])
)


# ------------------------------------------------------------------------------------------------------- late events

DELAYS = st.sampled_from([0, 0, 0, 0, 2, 13, 26, 24 * 3, 24 * 6])


@st.composite
def late_histories(draw: Any, *, most: int = 12) -> list[Json]:
    """Actions of one member in the order of their times, some of which arrive hours or days later."""
    at, found = BEGIN + timedelta(minutes=draw(st.integers(0, 60 * 24 * 30))), []
    for does in draw(st.lists(DOES, min_size=3, max_size=most)):
        at += timedelta(minutes=draw(DAILY) + 1)
        found.append(placed(does, "ann", at) | {"arrives": (at + timedelta(hours=draw(DELAYS))).isoformat()})
    end = (at + timedelta(days=40)).isoformat()
    return [*found, {"do": "wait", "at": end, "arrives": end}]
