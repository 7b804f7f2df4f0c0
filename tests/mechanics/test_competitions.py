"""Competitions: what counts, how places are ordered, and draws that anybody can do again."""

from collections import Counter
from hashlib import sha256
from hmac import new
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit.core.event import PROFILE
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.mechanics.competitions.commands import PRIZE
from plaudit.mechanics.competitions.draw import Ticket, draw, seed_hash
from plaudit.mechanics.competitions.leagues import outcome_of_place
from plaudit.mechanics.competitions.state import standings_of
from plaudit.mechanics.competitions.undoing import Excess, as_logged, from_log
from plaudit.reads.leaderboards import Leaderboard
from tests.support.existing import existing
from tests.support.factories import NOON, ORG, campaign, document, program
from tests.support.life import Life

SEASON = {"startDate": "2026-01-01T00:00:00Z", "endDate": "2026-02-01T00:00:00Z"}


def life(**competition) -> Life:
    pay = campaign(trigger="earn", effects=[{"type": "add_points", "config": {"amount": "amount"}}])
    made = document("competition", "cup", **(SEASON | competition))
    return Life(program(pay, made))


def score(ann: Life) -> int:
    found = standings_of(ann.member).get("cup")
    return 0 if found is None else found.score


POINTS = {"score": {"metric": "points"}}
GOALS = {
    "score": {"trigger": "goal", "field": "value", "conditions": [{"field": "value", "operator": ">", "value": 0}]}
}

SCORES = [
    ("what is earned in the period", POINTS, [("2026-01-01 00:00", "earn", 10), ("2026-01-31 23:59", "earn", 5)], 15),
    ("not what is earned before or after", POINTS, [("2025-12-31 23:59", "earn", 10), ("2026-02-01 00:00", "earn", 5)], 0),
    ("a late event of the period", POINTS, [("2026-02-02", "earn", 10), ("2026-01-31", "earn", 5)], 5),
    ("the sum of a field", GOALS, [("2026-01-02", "goal", 2), ("2026-01-03", "goal", 0.5), ("2026-01-03", "goal", -1)], 2_500_000),
    ("how many there were", {"score": {"trigger": "goal"}}, [("2026-01-02", "goal", 2), ("2026-01-03", "goal", 2)], 2_000_000),
    ("the excluded do not take part", POINTS | {"excludedUserIds": ["ann"]}, [("2026-01-02", "earn", 2)], 0),
]  # fmt: skip


@pytest.mark.parametrize(("competition", "events", "wanted"), [c[1:] for c in SCORES], ids=[c[0] for c in SCORES])
def test_scores(competition, events, wanted):
    ann = life(**competition)
    for at, trigger, amount in events:
        ann.do(at, trigger, amount=amount, value=amount)
    assert score(ann) == wanted


def test_spending_does_not_cost_a_place_and_the_scope_follows_the_profile():
    ann = life(**POINTS, scopeField="club")
    ann.do("2026-01-01", "earn", amount=10)
    ann.do("2026-01-02", "debit", "transaction", metric="points", amount=-10)
    ann.do("2026-01-03", "profile", PROFILE, attributes={"club": "Reds"})
    ann.do("2026-01-04", "earn", amount=1)
    assert (score(ann), standings_of(ann.member)["cup"].scope) == (11, "Reds")


ROWS = st.lists(st.tuples(st.integers(0, 20), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(ROWS, st.sampled_from([None, "a"]))
@settings(max_examples=100, deadline=None)
def test_a_rank_is_what_a_full_sort_says(changes, scope):
    from datetime import timedelta

    board, now = Leaderboard(ORG, "cup", scope), {}
    for position, (user, points, seconds) in enumerate(changes):
        user_id = f"user_{user}"
        member_id = member_id_of(ORG, user_id)
        own = "a" if (user + points) % 2 else "b"
        at = NOON + timedelta(seconds=seconds)
        now[user_id] = (-points, at, member_id, own)
        board._update([{
            "bucket": bucket_of(member_id), "now": position, "member_id": member_id, "user_id": user_id,
            "score": points, "reached_at": at, "scope": own, "round": "",
        }])  # fmt: skip
    wanted = sorted((row[:3], user_id) for user_id, row in now.items() if scope is None or row[3] == scope)
    places = board.top(1, 100)
    assert [place.user_id for place in places] == [user_id for _, user_id in wanted]
    for rank, (row, user_id) in enumerate(wanted, start=1):
        place = existing(board.rank(user_id))
        assert (place.rank, place.score, place.reached_at) == (rank, -row[0], row[1])
    assert len(board) == len(wanted)


def test_a_draw_can_be_done_again_by_anybody():
    """With nothing but the published rule, as somebody who does not trust us would."""
    seed = bytes(range(32))
    tickets = [Ticket(UUID(int=n), f"user_{n}", n % 5 + 1) for n in range(50)]
    entries = [(t.user_id, t.entries) for t in sorted(tickets, key=lambda t: t.user_id)]
    again = []
    for n in range(3):
        box = [user for user, number in entries for _ in range(number)]
        drawn = box[int.from_bytes(new(seed, str(n).encode(), sha256).digest(), "big") % len(box)]
        again.append(drawn)
        entries = [entry for entry in entries if entry[0] != drawn]
    assert [ticket.user_id for ticket in draw(seed, tickets[::-1], 3)] == again
    assert seed_hash(seed) == sha256(seed).hexdigest()


def test_a_draw_is_fair_and_nobody_wins_twice():
    tickets = [Ticket(UUID(int=1), "one", 1), Ticket(UUID(int=2), "three", 3)]
    firsts = Counter(draw(n.to_bytes(4, "big"), tickets, 1)[0].user_id for n in range(4_000))
    assert 2_850 < firsts["three"] < 3_150
    assert sorted(ticket.user_id for ticket in draw(b"x", tickets, 5)) == ["one", "three"]


def test_a_score_of_nothing_loses_no_tie():
    ann = Life(program(document("competition", "cup", score={"trigger": "goal", "field": "n"})))
    ann.do("2026-01-05", "goal", n=5)
    ann.do("2026-01-06", "goal", n=0)
    assert standings_of(ann.member)["cup"].reached_at == ann.at("2026-01-05")


@pytest.mark.parametrize(
    ("scope", "rank", "division"),
    [
        ("silver", 1, "gold"), ("silver", 4, "gold"), ("silver", 5, "bronze"), ("bronze", 5, None),
        ("gold", 1, None), ("gold", 2, None), ("gold", 3, "silver"), ("gold", 5, "silver"),
    ],
)  # fmt: skip
def test_who_goes_up_and_who_goes_down(scope, rank, division):
    competition = program(document("competition", "cup", score={"trigger": "goal"}, leagues={
        "divisions": ["bronze", "silver", "gold"], "promote": 4, "relegate": 3})).mechanics["competition"]["cup"]  # fmt: skip
    place = {"user_id": "ann", "scope": scope, "rank": rank, "members": 5, "score": 1}
    found = outcome_of_place(competition, competition.league, place)
    assert (None if found is None else found["division"]) == division


LEAGUE = {"score": {"trigger": "goal"}, "leagues": {"divisions": ["bronze", "silver"], "promote": 1, "relegate": 1}}


def test_a_league_begins_anew_each_week_and_remembers_the_one_before():
    ann = Life(program(document("competition", "cup", **LEAGUE)))
    for at in ("2026-01-05", "2026-01-11 23:59", "2026-01-12"):  # a Monday, the Sunday, the next Monday
        ann.do(at, "goal")
    ann.do("2026-01-10", "goal")  # late, in the week before
    ann.do("2026-01-01", "goal")  # too late for any
    standing = standings_of(ann.member)["cup"]
    assert (standing.round, standing.score, standing.previous_round, standing.previous_score) == (
        "2026-W03", 1_000_000, "2026-W02", 3_000_000,
    )  # fmt: skip
    assert standing.scope == "bronze"


def test_the_end_of_a_round_is_told_and_pays_its_prize():
    told = [
        campaign(name, name, effects=[{"type": "notify", "message": f"{name} {{{{ rank }}}}"}])
        for name in ("competition.promoted", "competition.relegated", "competition.ended")
    ]
    prizes = [{"fromRank": 1, "toRank": 3, "effects": [{"type": "add_points", "amount": 50}]}]
    ann = Life(program(document("competition", "cup", **LEAGUE, prizes=prizes), *told))
    ann.do("2026-01-05", "goal")
    place = {"competitionId": "cup", "round": "2026-W02"}
    messages = []
    for day, more in (("12", {"division": "silver", "rank": 1, "band": 0}), ("19", {"division": "bronze", "rank": 9})):
        decision = ann.do(f"2026-01-{day}", PRIZE, PRIZE, **place, **more)
        messages.append([notification.message for notification in decision.notifications])
    assert messages == [["competition.promoted 1", "competition.ended 1"], ["competition.relegated 9"]]
    assert (ann.balance(), standings_of(ann.member)["cup"].scope) == (50, "bronze")


def test_an_order_that_undoes_says_only_what_there_is():
    excess = {"cup": Excess(0, 5), "draw": Excess(2, 0)}
    logged = as_logged(excess)
    assert logged == {"entries": {"draw": 2}, "scores": {"cup": 5}}
    assert from_log(logged) == excess
