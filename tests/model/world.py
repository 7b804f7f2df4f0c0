"""The model: what should be true of a few members after a history, by the guides.

A history is a list of what happens, in the order in which it is reported; `at` is when it happened. What falls due by
itself happens at its own instant, and before whatever happens in that instant (guide: Points that live).
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from . import by_hand, challenges, competitions, ladders, points, segments, streaks
from .amounts import Json, exact, formula, shown
from .calendar import day_of, first_of_next_period, midnight, period_of

BEFORE = datetime(1970, 1, 1, tzinfo=UTC)


class World:
    """`id_of` says which id a user has: of equals on a board, the smaller is ahead."""

    def __init__(self, documents: list[tuple[str, str, Json]], id_of: Callable[[str], Any] = str) -> None:
        self.kinds: dict[str, dict[str, Json]] = {}
        for kind, name, raw in documents:
            self.kinds.setdefault(kind, {})[name] = raw
        self.id_of = id_of
        self.members: dict[str, Json] = {}
        self.now = self.clock = BEFORE
        self.event: Json = {}
        self.queue: list[Json] = []
        self.turns: dict[str, int] = {}
        self.rounds_settled: dict[str, set[str]] = {}
        settings = dict(self.of("settings")).get("settings", {})
        self.zone = settings.get("timeZone", "UTC")
        self.auto_enrol = settings.get("autoEnrol", True)

    # The programme.

    def of(self, kind: str) -> list[tuple[str, Json]]:
        return list(self.kinds.get(kind, {}).items())

    def document(self, kind: str, id: str) -> Json:
        return self.kinds[kind][id]

    def metric(self, metric_id: str) -> Json:
        return self.kinds["metric"].get(metric_id, {})

    def settled(self, competition_id: str) -> set[str]:
        return self.rounds_settled.setdefault(competition_id, set())

    def member(self, user: str) -> Json:
        new: Json = {
            "user": user, "joined": None, "present": BEFORE, "looked": BEFORE, "attributes": {}, "books": {}, "events": [],
            "earned": [], "waiting": {}, "campaigns": {}, "streaks": {}, "ladders": {}, "segments": {}, "by_hand": {}, "scores": {}, "would_count": {}, "entries": {},
        }  # fmt: skip
        return self.members.setdefault(user, new)

    def present(self, member: Json) -> datetime:
        """The latest that is known to have happened: a late event is not the end of time."""
        return max(self.now, member["present"])

    # What happens.

    def happen(self, what: Json) -> str | None:
        """Let something happen, after what fell due before it, and then what has fallen due by now. Return why not."""
        at = datetime.fromisoformat(what["at"])
        self._settle_rounds(max(self.clock, at))
        self.clock = max(self.clock, at)
        users = [user for user in (what.get("user"), what.get("to")) if user]
        if what["do"] == "save":
            self.pass_time(at)
            self.kinds.setdefault(what["kind"], {})[what["id"]] = what["raw"]
        if what["do"] == "reverse":
            self.pass_time(at, only=what["user"])
            transaction = self._transaction(what)
            if transaction is None:
                self.pass_time(self.clock)
                return "transaction_missing"
            users += [transaction["transfer"][0]] if transaction.get("transfer") else []
        for user in users:
            self.pass_time(at, only=user)
        before = {} if what["do"] == "action" else deepcopy({user: self.members.get(user) for user in users})
        self.now = at
        why = self._decide(what, users) if users else None
        if why is not None:  # whole or not at all
            for user, member in before.items():
                if member is None:
                    del self.members[user]
                else:
                    self.members[user] = member | {"present": max(member["present"], at)}
            self.queue.clear()
        self.pass_time(self.clock)
        return why

    def _decide(self, what: Json, users: list[str]) -> str | None:
        for user in users:
            why = self._join(self.member(user), what)
            if why is not None:
                return why
            self.member(user)["present"] = self.present(self.member(user))
        member, why = self.member(users[0]), None
        self.event = {"trigger": what["do"], "data": what, "causes": ()}
        self.turns = {}
        match what["do"]:
            case "action":
                self.event = {"trigger": what["trigger"], "data": what.get("data", {}), "causes": ()}
                self._meet(member)
            case "transaction":
                why = by_hand.transaction(self, member, what)
            case "import":
                why = by_hand.bring_in(self, member, what)
            case "hold":
                why = by_hand.hold(self, member, what)
            case "transfer":
                why = by_hand.transfer(self, member, self.member(users[1]), what)
            case "reverse":
                why = self._reverse(what)
            case "streak":
                why = streaks.by_hand(self, member, what)
            case "enrol":
                joining = challenges.of(member, what["campaignId"])
                joining["joined"] = joining["joined"] or self.now
            case "profile":
                member["attributes"] = {**member["attributes"], **what["attributes"]}
                self.follow("user.updated", {}, "profile")
            case "segment":
                member["by_hand"][what["segmentId"]] = what["member"]
        if why is None:
            for user in users:
                self._look_at_what_followed(self.member(user))
        return why

    def _join(self, member: Json, what: Json) -> str | None:
        """A member who has not joined is enrolled by the event, unless the organisation has settled otherwise."""
        if member["joined"] is not None:
            return None
        if (what["do"] == "action" or member["user"] == what.get("to")) and not self.auto_enrol:
            return "unknown_user"
        member["joined"] = self.now
        self.event = {"trigger": what["do"] if what["do"] == "import" else "", "data": {}, "causes": ()}
        self.turns = {}
        self.follow("user.enrolled", {"userId": member["user"]}, "enrolment")
        self._look_at_what_followed(member)
        return None

    def _transaction(self, what: Json) -> Json | None:
        """The transaction of a member and metric that a reversal names, by its number."""
        book = self.member(what["user"])["books"].get(what["metric"])
        found = book.transactions if book else []
        return found[what["number"] % len(found)] if found else None

    def _reverse(self, what: Json) -> str | None:
        """A transfer is taken back from both sides, or not at all."""
        original, member = self._transaction(what), self.member(what["user"])
        assert original is not None
        take = min(what.get("amount") or abs(original["amount"]), abs(original["amount"]))
        if not take:
            return "amount"
        expires = datetime.fromisoformat(what["expiresAt"]) if what.get("expiresAt") else None
        other = original.get("transfer")
        why = points.reverse(self, member, what["metric"], original["number"], take, whole=bool(other), expires=expires)
        if why is None and other:
            there = self.member(other[0])
            why = points.reverse(self, there, what["metric"], other[1], take, whole=True, expires=expires)
        return why

    def pay(self, member: Json, price: Json, cause: str) -> str | None:
        metric_id = price.get("metric", "points")
        amount = int(exact(price["amount"]) * 10 ** self.metric(metric_id).get("decimals", 0))
        return points.debit(self, member, metric_id, amount, cause, reason="Price")

    # What follows, within the same decision.

    def follow(self, trigger: str, data: Json, cause: str) -> None:
        if self.event["trigger"] == "import":  # "quiet: nothing is set off by it"
            return
        self.queue.append({"trigger": trigger, "data": data, "causes": (*self.event["causes"], cause)})

    def _look_at_what_followed(self, member: Json) -> None:
        while True:
            while self.queue:
                self.event = self.queue.pop(0)
                self._meet(member)
            segments.judge(self, member)
            if not self.queue:
                return

    def _meet(self, member: Json) -> None:
        """Segments and competitions count the event, then streaks, then the campaigns that listen to it."""
        event = self.event
        member["events"].append({"at": self.now, "trigger": event["trigger"], "data": event["data"]})
        competitions.meet(self, member, event)
        streaks.meet(self, member, event)
        challenges.meet(self, member, event)

    def carry_out(self, member: Json, effect: Json, data: Json, cause: str) -> str | None:
        """An effect: what it is told stands in its `config`."""
        config = effect["config"]
        match effect["type"]:
            case "add_points" | "add_metric":
                metric_id = config.get("metric", "points")
                amount = formula(config["amount"], data)
                if amount is None or not amount:
                    return None
                if amount > 0:
                    return points.earn(self, member, metric_id, amount, cause)
                return points.debit(self, member, metric_id, points.smallest(self.metric(metric_id), -amount), cause)
            case "emit":
                self.follow(config["trigger"], config.get("data", {}), cause)
            case "check_in":
                streaks.check_in(self, member, config["streakId"])
            case "grant_freeze":
                order = {
                    "action": "grant_freeze",
                    "streakId": config["streakId"],
                    "quantity": config.get("quantity", 1),
                }
                return streaks.by_hand(self, member, order)
            case "add_entries":
                competition = self.document("competition", config["competitionId"])
                excluded = member["user"] in competition.get("excludedUserIds", [])
                if competitions.is_open(competition, self.now) and not excluded:
                    entries = member["entries"]
                    entries[config["competitionId"]] = entries.get(config["competitionId"], 0) + config.get(
                        "entries", 1
                    )
            case "add_to_segment" | "remove_from_segment":
                member["by_hand"][config["segmentId"]] = effect["type"] == "add_to_segment"
                segments.judge(self, member)
            case "enrol":
                joining = challenges.of(member, config["campaignId"])
                joining["joined"] = joining["joined"] or self.now
        return None

    # Conditions.

    def admits(self, member: Json, audience: Json | None) -> bool:
        wanted = audience or {}
        inside = set(member["segments"])
        return (not wanted.get("include") or bool(inside & set(wanted["include"]))) and not inside & set(
            wanted.get("exclude", [])
        )

    def look(self, member: Json, event: Json | None = None) -> Callable[[str], Any]:
        """What a field is: of the event's data, or of the member."""

        def found(name: str) -> Any:
            if event is not None and name in event["data"]:
                return event["data"][name]
            match name.split("."):
                case ["points" | "xp" | "coins"]:
                    book, metric = member["books"].get(name), self.metric(name)
                    return shown(book.balance, metric) if book else metric.get("default", 0)
                case ["streaks", streak_id, part]:
                    return streaks.state(self, member, streak_id)[part] if streak_id in member["streaks"] else None
                case ["campaigns", campaign_id, "completions"]:
                    done = member["campaigns"].get(campaign_id)
                    return len(done["fired"]) if done else None
                case ["ladders", ladder_id, "rung"]:
                    rung = ladders.of(self, member, ladder_id)["rung"]
                    return None if rung < 0 else self.document("ladder", ladder_id)["rungs"][rung]["rungId"]
                case ["user", attribute]:
                    return member["attributes"].get(attribute)
            return None

        return found

    # Time passes.

    def pass_time(self, until: datetime, only: str | None = None) -> None:
        for user, member in list(self.members.items()):
            while only in (None, user) and member["joined"]:
                due = min(self._due(member), default=None)
                if due is None or due > until:
                    break
                self.now = due
                self._fall_due(member)
                member["looked"] = max(member["looked"], due)
        self.now = until

    def _due(self, member: Json) -> list[datetime]:
        self.now = member["looked"]
        books = [at for book in member["books"].values() for at in book.due()] + [at for _, at in member["waiting"]]
        return [*books, *streaks.due(self, member), *ladders.due(member), *segments.due(self, member)]

    def _fall_due(self, member: Json) -> None:
        """Of each metric the ends of holds, releases and expiries; then streaks, then ladders, then segments."""
        self.event = {"trigger": "", "data": {}, "causes": ()}
        self.turns = {}
        for metric_id in sorted(member["books"]):
            points.fall_due(self, member, metric_id)
        for streak_id in sorted(member["streaks"]):
            streaks.tell(self, member, streak_id)
        for ladder_id in sorted(member["ladders"]):
            ladders.fall_due(self, member, ladder_id)
        self._look_at_what_followed(member)

    def _settle_rounds(self, until: datetime) -> None:
        """Let time pass; whenever a round of a league is over, settle it."""
        while (over := self._next_end(until)) is not None:
            self.clock, competition_id, names = over
            self.pass_time(self.clock)
            for this in sorted(names):
                self._settle(competition_id, this)

    def _next_end(self, until: datetime) -> tuple[datetime, str, set[str]] | None:
        """The next instant at which rounds may be over: when, of which competition, and those that are."""
        found = []
        for competition_id, competition in self.of("competition"):
            if not competition.get("leagues"):
                continue
            period = competition["leagues"]["period"]
            present = period_of(self.clock, period, self.zone)
            scores = [row["scores"][competition_id] for row in self.members.values() if competition_id in row["scores"]]
            unsettled = {value["round"] for score in scores for value in score["list"]} - self.settled(competition_id)
            over = {this for this in unsettled if this < present}
            due = [at for member in self.members.values() if member["joined"] for at in self._due(member)]
            if over:
                found.append((self.clock, competition_id, over))
            elif unsettled or due:
                busy = day_of(self.clock if unsettled else max(self.clock, min(due)), self.zone)
                found.append((midnight(first_of_next_period(busy, period), self.zone), competition_id, set()))
        return min(
            (candidate for candidate in found if candidate[0] <= until),
            default=None,
            key=lambda candidate: candidate[:2],
        )

    def _settle(self, competition_id: str, this: str) -> None:
        """A round of a league is over: who goes up, who goes down, who has won."""
        competition = self.document("competition", competition_id)
        self.settled(competition_id).add(this)
        for user, rank, division in competitions.moves(self, competition_id, this):
            member = self.members[user]
            self.event, self.turns = {"trigger": "", "data": {}, "causes": ()}, {}
            if division is not None:
                member["scores"][competition_id]["division"] = division
            for prize in competition.get("prizes", []):
                if prize["fromRank"] <= rank <= prize["toRank"]:
                    for effect in prize["effects"]:
                        self.carry_out(member, effect, {}, f"competition.{competition_id}")
                    break
            self._look_at_what_followed(member)


def spread(book: Any) -> list[tuple[Any, Any, int]]:
    """What there is of a metric, by expiry and release. Debt stands against what never expires."""
    found: dict[tuple[Any, Any], int] = {(None, None): -book.owed}
    for lot in book.lots.values():
        key = lot["expires"], lot["pending_until"]
        found[key] = found.get(key, 0) + sum(layer[1] for layer in lot["layers"])
    return sorted(((*key, amount) for key, amount in found.items() if amount), key=str)


def state(world: World, user: str) -> Json:
    """All that is to be seen of a member."""
    member = world.member(user)
    world.now = world.clock
    books = {
        metric_id: {
            "balance": book.balance, "available": book.available, "pending": book.pending, "held": book.held,
            "lifetime": book.lifetime, "lots": spread(book), "holds": {name: hold["amount"] for name, hold in book.holds.items()},
            "transactions": [(entry["why"], entry["amount"], entry["at"]) for entry in book.transactions],
        }
        for metric_id, book in sorted(member["books"].items())
    }  # fmt: skip
    return {
        "joined": member["joined"],
        "books": books,
        "streaks": {streak: streaks.state(world, member, streak) for streak in sorted(member["streaks"])},
        "campaigns": {
            key: challenges.state(world, member, key, raw)
            for key, raw in world.of("campaign")
            if key in member["campaigns"]
        },
        "ladders": {ladder: ladders.state(world, member, ladder) for ladder in sorted(member["ladders"])},
        "segments": dict(sorted(member["segments"].items())),
        "scores": {
            value: {"division": scores["division"] or "", "rounds": _rounds(scores)}
            for value, scores in sorted(member["scores"].items())
        },
        "entries": member["entries"],
    }


def _rounds(scores: Json) -> list[Any]:
    """The score of the present round and of the one before, and when each was reached."""
    latest = sorted({score["round"] for score in scores["list"]})[-2:]
    return [competitions.standing(scores, value) for value in reversed(latest)]
