"""The model finds each of these faults when its fix is taken out of the core, and agrees with the core as it is.

A row is a programme, a history, and what to replace in the core to have the fault back.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from plaudit.core import campaigns, goals, metrics, sequences
from plaudit.core.cause import MANUAL
from plaudit.core.commands import import_member, reversal, transaction
from plaudit.core.commands import receipt as receipts
from plaudit.core.commands.command_type import on_metric
from plaudit.core.commands.registry import COMMANDS
from plaudit.core.context import EffectPlace
from plaudit.core.decision import Refusal
from plaudit.core.effects import amounts as effect_amounts
from plaudit.core.ledger import earned, lots, matching, post
from plaudit.mechanics.competitions import scores
from plaudit.mechanics.ladders import rules as ladder_rules
from plaudit.mechanics.segments import rules as segment_rules
from plaudit.mechanics.streaks import rules

from . import core
from .comparing import Different, compare, compare_in_any_order
from .programmes import campaign, config, settings

BEGIN = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
FAULTS: dict[str, Any] = {}


def fault(name: str, documents: list[Any], history: list[Any]):
    """Register a row: the function under it takes `monkeypatch` and brings the fault back."""

    def register(broken: Any) -> Any:
        FAULTS[name] = ([settings("UTC"), *documents], history, broken)
        return broken

    return register


def on(day: float, do: str, user: str = "ann", **more: Any) -> Any:
    """What happens so many days after the beginning. Times among the fields are days as well."""
    for name in ("until", "expiresAt", "availableAt"):
        if name in more:
            more[name] = (BEGIN + timedelta(days=more[name])).isoformat()
    who = {} if do in ("wait", "save") else {"user": user}
    return {"do": do, "at": (BEGIN + timedelta(days=day)).isoformat(), **who, **more}


def act(day: float, trigger: str, user: str = "ann", **data: Any) -> Any:
    return on(day, "action", user, trigger=trigger, data=data)


def reverse(day: float, number: int, user: str = "ann", **more: Any) -> Any:
    return on(day, "reverse", user, metric="points", number=number, **more)


def points(**raw: Any) -> list[Any]:
    return [
        ("metric", "points", raw),
        ("metric", "xp", {}),
        ("campaign", "camp_earn", campaign("earn", config(amount="amount"))),
        ("campaign", "camp_spend", campaign("spend", config(amount="-amount"))),
    ]


def challenge(*steps: Any, **raw: Any) -> list[Any]:
    pay = {"effects": [config(metric="xp", amount=1)]}
    return [("metric", "xp", {}), ("campaign", "camp", {**pay, "steps": list(steps), **raw})]


def step(target: int = 1, *triggers: str, **goal: Any) -> Any:
    return {
        "name": "s",
        "triggers": [{"type": trigger} for trigger in triggers or ("buy",)],
        "goal": {"target": target, **goal},
    }


ROLLING = {"expiry": {"type": "rolling", "days": 20}}


# --------------------------------------------------------------------------------------------- two matches in one event


@fault("two triggers count one event twice", challenge(step(2, "buy", "buy")), [act(0, "buy")])
def _(monkeypatch):
    monkeypatch.setattr(campaigns, "_counted_before", lambda *_: None)


@fault("one event counts for two steps in a row", challenge(step(), step()), [act(0, "buy")])
def _(monkeypatch):
    was = campaigns._counted_before

    def counted_before(context, listener):
        context.matches.closed.clear()
        return was(context, listener)

    monkeypatch.setattr(campaigns, "_counted_before", counted_before)


@fault(
    "one event counts in two rounds",
    challenge(step(), step(), order="any", required=1, repeatable=True),
    [act(0, "buy")],
)
def _(monkeypatch):
    test_one_step = FAULTS["one event counts for two steps in a row"][2]
    test_one_step(monkeypatch)


# --------------------------------------------------------------------------------- releases, holds, what has been earned


@fault(
    "released points do not pay off debt",
    points(pendingDays=3, minimum=None),
    [act(0, "earn", amount=50), act(1, "spend", amount=20), on(5, "wait")],
)
def _(monkeypatch):
    monkeypatch.setattr(lots, "pay_off", lambda book: (book, ()))


@fault(
    "a hold does not keep its lots",
    points(**ROLLING),
    [
        act(0, "earn", amount=50),
        on(1, "hold", metric="points", holdId="h", action="place", amount=30, until=25),
        on(24, "wait"),
    ],
)
def _(monkeypatch):
    monkeypatch.setattr(lots, "_held_by_lot", lambda _: {})


@fault(
    "what comes back is earned twice",
    points(),
    [act(0, "earn", amount=50), act(1, "spend", amount=20), reverse(2, 1)],
)
def _(monkeypatch):
    monkeypatch.setattr(post, "_earned_by", lambda _, transaction, __: (max(transaction.amount, 0), True))


@fault(
    "what others sent counts as earned",
    points(),
    [act(0, "earn", amount=50), on(1, "transfer", metric="points", amount=20, to="bob")],
)
def _(monkeypatch):
    monkeypatch.setattr(earned, "RECEIPT", "nothing")


# ------------------------------------------------------------------------------------------------------------ reversals

EXPIRED = [act(0, "earn", amount=50), act(10, "earn", amount=30), on(22, "wait"), reverse(23, 0)]


@fault("what has expired is taken a second time", points(**ROLLING), EXPIRED)
def _(monkeypatch):
    monkeypatch.setattr(core, "expired_of", lambda *_: 0)


@fault(
    "what paid off debt on its release is taken for expired",
    points(pendingDays=3, minimum=None),
    [act(0, "earn", amount=50), act(1, "spend", amount=20), on(5, "wait"), reverse(6, 0)],
)
def _(monkeypatch):
    def expired_of(row, rows):
        cause = {row["transaction_id"] for row in rows if row["cause"].text == "expiry.points"}
        return sum(
            match.amount
            for match in matching.matched(rows)
            if match.credit == row["transaction_id"] and match.debit in cause
        )

    monkeypatch.setattr(core, "expired_of", expired_of)


@fault(
    "a lot gets back more than it paid, in parts",
    points(**ROLLING),
    [
        act(0, "earn", amount=60), act(5, "earn", amount=40), act(6, "spend", amount=100),
        reverse(7, 2, amount=40), reverse(8, 2, amount=40),
    ],
)  # fmt: skip
def _(monkeypatch):
    monkeypatch.setattr(core, "parts_left", lambda row, _: matching.details_of(row).parts)


@fault(
    "of two credits of a day the other is taken for the one that was reversed",
    points(**ROLLING),
    [
        act(0, "earn", amount=50), act(0, "earn", amount=50), act(10, "earn", amount=90), reverse(11, 1),
        on(22, "wait"), reverse(23, 0),
    ],
)  # fmt: skip
def _(monkeypatch):
    was = matching._take
    monkeypatch.setattr(matching, "_take", lambda layers, part, _: was(layers, part, None))


@fault(
    "what came back and then expired is taken a second time",
    points(**ROLLING),
    [
        act(0, "earn", amount=50), act(1, "spend", amount=50), reverse(2, 1), act(10, "earn", amount=90), on(22, "wait"),
        reverse(23, 0),
    ],
)  # fmt: skip
def _(monkeypatch):
    monkeypatch.setattr(matching, "_put_back", lambda *_: 0)


@fault(
    "what comes back to a lot that never was any more does not expire",
    points(),
    [
        on(0, "transaction", metric="points", amount=30, expiresAt=2),
        on(1, "transaction", metric="points", amount=-30),
        reverse(1.5, 1),
    ],
)
def _(monkeypatch):
    in_lots = lambda metric, balance: metric.keeps_lots or (balance.book is not None and bool(balance.book.lots))  # noqa: E731
    monkeypatch.setattr(reversal, "in_lots", in_lots)
    monkeypatch.setattr(receipts, "in_lots", in_lots)


@fault(
    "a credit from before there were lots is taken out of others",
    points(),
    [act(0, "earn", amount=10), on(1, "transaction", metric="points", amount=10, expiresAt=9), reverse(2, 0)],
)
def _(monkeypatch):
    was = lots.take_from_lots
    monkeypatch.setattr(lots, "take_from_lots", lambda book, _, amount: was(book, (), amount))


@fault(
    "what is sent loses its expiry at one who keeps no lots",
    points(),
    [
        on(0, "transaction", metric="points", amount=30, expiresAt=5),
        on(1, "transfer", metric="points", amount=30, to="bob"),
    ],
)
def _(monkeypatch):
    def receipt(context, order, metric):
        before, place = receipts.balance_of(context, metric), EffectPlace(MANUAL, 0, 0)
        return receipts.append_transaction(context, place, metric, order.amount, before.book, None, order.reason)

    command = structs.replace(receipts.COMMAND, apply=on_metric(receipt))
    monkeypatch.setitem(COMMANDS, command.kind, command)


@fault(
    "what is put off is put off to another's expiry",
    points(expiry={"type": "rolling", "days": 6, "extendedByActivity": True}),
    [on(0, "transaction", metric="points", amount=30, expiresAt=15), act(1, "earn", amount=20), on(10, "wait")],
)
def _(monkeypatch):
    def expiry_of(context, metric, book):
        return next((lot.expires_at for lot in book.lots), post._rolling(context, metric.expiry.days))

    monkeypatch.setattr(post, "expiry_of", expiry_of)


# -------------------------------------------------------------------------------------- ladders, competitions, segments


def club(window: Any, **more: Any) -> Any:
    rungs = [{"rungId": f"r{n}", "name": "R", "threshold": 100 * n} for n in range(3)]
    return ("ladder", "club", {"window": window, "rungs": rungs, **more})


def league(**more: Any) -> Any:
    leagues = {"divisions": ["low", "high"], "period": "week", "promote": 1, "relegate": 1, **more}
    return ("competition", "cup", {"score": {"trigger": "goal"}, "leagues": leagues})


def origin_with(**wrong: Any) -> Any:
    """What a reversal takes back, with something wrong about it."""
    was = reversal.ReversalOrder.origin
    return property(lambda self: structs.replace(was.__get__(self), **wrong))


@fault(
    "a reversal counts when it is made, and not when its original did",
    [*points(), club({"type": "rolling", "days": 30})],
    [act(0, "earn", amount=70), act(40, "earn", amount=100), reverse(45, 0)],
)
def _(monkeypatch):
    monkeypatch.setattr(reversal.ReversalOrder, "origin", origin_with(counted_at=None))


@fault(
    "the reversal of what is pending lowers scores that it never raised",
    [*points(pendingDays=10), ("competition", "cup", {"score": {"metric": "points"}})],
    [act(0, "earn", amount=70), act(12, "earn", amount=30), reverse(13, 1)],
)
def _(monkeypatch):
    monkeypatch.setattr(reversal.ReversalOrder, "origin", origin_with(counted_at=BEGIN))


@fault(
    "what a member started with is taken from a score when it is reversed",
    [*points(default=50), ("competition", "cup", {"score": {"metric": "points"}})],
    [act(0, "earn", amount=70), reverse(1, 0)],
)
def _(monkeypatch):
    monkeypatch.setattr(reversal.ReversalOrder, "origin", origin_with(scored=True))


@fault(
    "what is available at once counts as pending for ever",
    [*points(pendingDays=3), club({"type": "all_time"})],
    [on(0, "transaction", metric="points", amount=120, expiresAt=20)],
)
def _(monkeypatch):
    was = transaction.append_transaction

    def write(context, *arguments, **more):
        return was(context, *arguments, **{"available_at": context.now + timedelta(days=3), **more})

    monkeypatch.setattr(transaction, "append_transaction", write)


CUP = ("competition", "cup", {"score": {"metric": "points"}})


@fault(
    "what was imported counts when it is released",
    [*points(pendingDays=10), CUP],
    [act(0, "earn", amount=70), on(0, "import", metric="points", amount=100, availableAt=10), on(11, "wait")],
)
def _(monkeypatch):
    monkeypatch.setattr(import_member.lots, "counting", lambda book, *_: book)


@fault(
    "a reversal that takes another's pending points costs scores twice",
    [*points(pendingDays=10), CUP],
    [
        act(0, "earn", amount=70),
        act(11, "spend", amount=70),
        act(12, "earn", amount=30),
        reverse(13, 0),
        on(23, "wait"),
    ],
)
def _(monkeypatch):
    monkeypatch.setattr(lots, "counting", lambda book, *_: book)


@fault(
    "a pending credit that was reversed, and is not after all, never counts",
    [*points(pendingDays=10), CUP],
    [act(0, "earn", amount=70), reverse(1, 0), reverse(2, 1), on(11, "wait")],
)
def _(monkeypatch):
    was = lots.apply
    monkeypatch.setattr(lots, "apply", lambda book, parts, *_: was(book, parts))
    monkeypatch.setattr(lots, "counting", lambda book, *_: book)


@fault(
    "points that are pending again can be spent at once",
    points(pendingDays=10),
    [act(0, "earn", amount=70), reverse(1, 0), reverse(2, 1)],
)
def _(monkeypatch):
    was = lots.apply
    monkeypatch.setattr(lots, "apply", lambda book, parts, *_: was(book, parts))


@fault(
    "the reversal of what was imported is taken from a score",
    [*points(), CUP],
    [act(0, "earn", amount=70), on(1, "import", metric="points", amount=50), reverse(2, 1)],
)
def _(monkeypatch):
    monkeypatch.setattr(reversal.ReversalOrder, "origin", origin_with(scored=True))


ANYWHERE = origin_with(counted_in=None)


@fault(
    "a competition that was made after a purchase counts its reversal",
    points(),
    [act(0, "earn", amount=70), on(1, "save", kind="competition", id="cup", raw=CUP[2]), reverse(2, 0)],
)
def _(monkeypatch):
    monkeypatch.setattr(reversal.ReversalOrder, "origin", ANYWHERE)


@fault(
    "a competition counts the reversal of what a member did who was not in its segment",
    [
        *points(),
        ("segment", "some", {"include": [{"field": "points", "operator": ">=", "value": 100}]}),
        ("competition", "cup", {"score": {"metric": "points"}, "segments": {"include": ["some"]}}),
    ],
    [act(0, "earn", amount=120), act(1, "earn", amount=30), reverse(2, 0, amount=40)],
)
def _(monkeypatch):
    monkeypatch.setattr(reversal.ReversalOrder, "origin", ANYWHERE)


GOALS = [act(0, "goal", user) for user in ("ann", "ann", "bob")]
SECOND_ROUND = [act(8, "goal", user) for user in ("ann", "ann", "bob")]


@fault(
    "nobody among the first of the top division is relegated",
    [league(promote=2)],
    [*GOALS, *SECOND_ROUND, on(15, "wait")],
)
def _(monkeypatch):
    was = core.outcome_of_place

    def outcome_of_place(competition, league, place):
        return None if place["rank"] <= league.promote and place["scope"] == "high" else was(competition, league, place)

    monkeypatch.setattr(core, "outcome_of_place", outcome_of_place)


@fault(
    "a score of 0 loses a tie",
    [("metric", "points", {}), ("competition", "cup", {"score": {"trigger": "goal", "field": "worth"}})],
    [act(0, "goal", worth=1), act(1, "goal", worth=0)],
)
def _(monkeypatch):
    monkeypatch.setattr(scores, "_reached_at", lambda before, now, _: max(before, now))


@fault(
    "what is earned in a grace as long as the window does not count with it",
    [*points(), club({"type": "rolling", "days": 10}, graceDays=10)],
    [act(0, "earn", amount=100), act(6, "earn", amount=40), act(15, "earn", amount=60), on(22, "wait")],
)
def _(monkeypatch):
    def score_to_keep(context, ladder, state):
        zone = context.program.settings.time_zone
        return ladder_rules.score(ladder, state, context.now, zone, context.member.enrolled_at)

    monkeypatch.setattr(ladder_rules, "_score_to_keep", score_to_keep)


@fault(
    "a rung stays though what it rested on was taken back",
    [*points(), club({"type": "rolling", "days": 10})],
    [act(0, "earn", amount=100), reverse(1, 0)],
)
def _(monkeypatch):
    monkeypatch.setattr(
        ladder_rules, "_step_down", lambda context, ladder, _, after: ladder_rules._store(context, ladder, after)
    )


TWICE = {"count": {"trigger": "buy"}}


@fault(
    "two criteria that look at one count count each event twice",
    [
        ("metric", "points", {}),
        (
            "segment",
            "some",
            {"include": [{**TWICE, "operator": ">=", "value": 2}, {**TWICE, "operator": "<", "value": 5}]},
        ),
    ],
    [act(0, "buy")],
)
def _(monkeypatch):
    was = segment_rules._counted
    monkeypatch.setattr(
        segment_rules, "_counted", lambda d, state, key, tally, amount: was(d, state, key, tally, 2 * amount)
    )


@fault(
    "what is multiplied is rounded twice",
    points(multipliers=[{"name": "m", "factor": 1.5}]),
    [act(0, "earn", amount=1.5)],
)
def _(monkeypatch):
    was = post.amount_of

    def amount_of(context, metric, number, decimals):
        return was(context, metric, metrics.to_scaled(number, decimals), 0)

    monkeypatch.setattr(effect_amounts, "amount_of", amount_of)


# --------------------------------------------------------------------------------------------------------- late events


def late(day: float, arrives: float, trigger: str, **data: Any) -> Any:
    """An action that is reported so many days after the beginning."""
    return act(day, trigger, **data) | {"arrives": (BEGIN + timedelta(days=arrives)).isoformat()}


DAILY = [
    ("metric", "xp", {}),
    ("streak", "daily", {"triggers": [{"type": "visit"}], "freezes": {"maximum": 1, "atStart": 1}}),
]


@fault(
    "a freeze that a late action gives back is not used for what was missed since",
    DAILY,
    [act(0, "visit"), act(2, "visit"), act(4, "visit"), late(1, 4.2, "visit")],
)
def _(monkeypatch):
    was = rules.missed

    def missed(state, *arguments):
        found = was(state, *arguments)
        over = [turn for turn in found.frozen if turn < state.spans[-1][1] and turn not in state.frozen]
        kept = tuple(turn for turn in found.frozen if turn not in over)
        return structs.replace(found, frozen=kept, freezes=found.freezes + len(over))

    monkeypatch.setattr(rules, "missed", missed)


@fault(
    "a late event does not fill the window that it belongs to",
    challenge(step(3, window={"days": 3})),
    [act(0, "buy"), act(1, "buy"), act(9, "buy"), late(2, 10, "buy")],
)
def _(monkeypatch):
    was = goals._latest_and_completed

    def best(goal, length, items, _):
        return was(goal, length, items, items[-1][0])

    monkeypatch.setattr(goals, "_latest_and_completed", best)


@fault(
    "what was done after a late credit does not put its expiry off",
    points(expiry={"type": "rolling", "days": 6, "extendedByActivity": True}),
    [
        act(0, "earn", amount=10),
        act(5, "earn", amount=20),
        act(10, "earn", amount=30),
        late(4, 10.5, "earn", amount=5),
        on(12, "wait"),
    ],
)
def _(monkeypatch):
    monkeypatch.setattr(lots, "lasting", lambda _book, day, _days: day)
    monkeypatch.setattr(post, "expiry_of", lambda context, metric, _: post._rolling(context, metric.expiry.days))


@fault(
    "a step is not done earlier, though a late event shows it",
    challenge(step(2, "visit"), step(1, "buy")),
    [act(0, "visit"), act(2, "buy"), act(3, "visit"), late(1, 4, "visit")],
)
def _(monkeypatch):
    monkeypatch.setattr(sequences, "recount", lambda *_: None)


@fault(
    "a step that remembers others than those that count forgets that it was open earlier",
    challenge(step(50, "visit", type="sum", field="amount"), step(2, "visit", window={"days": 3})),
    [
        *(act(n / 9, "visit", amount=20 if n == 4 else 5) for n in (1, 2, 3, 4, 5, 6, 8, 9)),
        late(7 / 9, 1.5, "visit", amount=5),
    ],
)
def _(monkeypatch):
    was = sequences.recount

    def recount(goal, step, counted, opened, zone):
        return (
            None
            if goal.rolling and len(step.early) >= sequences.REMEMBERED_MAX
            else was(goal, step, counted, opened, zone)
        )

    monkeypatch.setattr(sequences, "recount", recount)


@fault(
    "two triggers remember one event twice",
    challenge(step(2, "visit"), step(3, "buy", "buy")),
    [act(0, "visit"), act(2, "buy"), act(3, "buy"), late(1, 4, "visit")],
)
def _(monkeypatch):
    def counted_before(context, listener):
        return Refusal.event_counted if listener.campaign.campaign_id in context.matches.closed else None

    monkeypatch.setattr(campaigns, "_counted_before", counted_before)


# ------------------------------------------------------------------------------------------------------------------ all


@pytest.mark.parametrize("name", FAULTS)
def test_the_model_finds_the_fault_when_its_fix_is_removed(name, monkeypatch):
    documents, history, broken = FAULTS[name]
    compared = compare_in_any_order if any("arrives" in what for what in history) else compare
    compared(documents, history)
    broken(monkeypatch)
    with pytest.raises(Different):
        compared(documents, history)
