"""A mechanic is a folder: one that is registered at run time goes all the way, and touches nothing else."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from plaudit.api.admin.document_operations import crud
from plaudit.api.http.openapi import describe
from plaudit.core.commands.import_member import data_of as imported
from plaudit.core.commands.rollback import Rollback, data_of, rolled_back_from
from plaudit.core.decide import run_due_timers
from plaudit.core.decide_one import decide_one
from plaudit.core.effects.registry import EFFECTS
from plaudit.core.event import IMPORT, ROLLBACK, Event
from plaudit.core.ids import derived_id
from plaudit.core.mechanic_rules import documents_that_counted
from plaudit.core.profile_fields import FIELDS
from plaudit.core.refusals import all_refusals, meaning_of
from plaudit.core.triggers import ENGINE_TRIGGERS
from plaudit.documents.export_lines import header_of
from plaudit.documents.import_record import read_member
from plaudit.documents.kinds import KINDS
from plaudit.documents.profile import ProfileValidator
from plaudit.engine.processed import outcome_from
from plaudit.errors import Invalid
from plaudit.history.explain import explained
from plaudit.history.verify import verify
from plaudit.mechanics.registry import MECHANICS
from plaudit.reads.member_lines import member_lines
from plaudit.storage.documents import validate
from tests.mechanics.toy.mechanic import MECHANIC
from tests.mechanics.toy.rules import CardState, ToyRefusal
from tests.support.factories import NOON, ORG, campaign, document, event, member, program
from tests.support.http import ok

ROOT = Path(__file__).parents[2]
PAY = [{"type": "add_points", "config": {"amount": 7}}]


@pytest.fixture(autouse=True)
def toy():
    before = [*FIELDS], [*EFFECTS], [*ENGINE_TRIGGERS], [*KINDS], all_refusals()
    MECHANICS.register(MECHANIC)
    yield
    MECHANICS.unregister(MECHANIC)
    assert before == ([*FIELDS], [*EFFECTS], [*ENGINE_TRIGGERS], [*KINDS], all_refusals())


def card(**raw):
    return document("toy", "card", **{"trigger": "purchase", "size": 2, "effects": PAY, **raw})


def state_of(decision):
    return decision.member.states["toy"]["card"]


def order(member, kind="toy", **data):
    return Event(
        event_id=derived_id(ORG, "order"), member_id=member.member_id, user_id=member.user_id, kind=kind,
        trigger=f"{kind}.order", occurred_at=NOON, data=data,
    )  # fmt: skip


def test_its_documents_are_checked():
    with pytest.raises(Invalid) as problem:
        validate(KINDS["toy"], {"name": "Card", "trigger": "buy", "size": 0})
    assert [error.field for error in problem.value.fields] == ["size"]


def test_it_decides_and_what_it_leads_to_is_met():
    compiled = program(card(), campaign("thanks", trigger="toy.full"))
    first = decide_one(compiled, member(), event(1))
    assert (state_of(first).stamps, first.trace[0].cause.text) == (1, "toy.card")
    second = decide_one(compiled, first.member, event(2))
    assert (state_of(second), second.member.balances["points"].amount) == (CardState(0, 1), 17)


def test_its_effect_its_command_its_refusal_and_its_timer():
    stamping = campaign("gift", trigger="gift", effects=[{"type": "stamp_toy", "config": {"toyId": "card"}}])
    compiled = program(card(), stamping)
    stamped = decide_one(compiled, member(), event(1, trigger="gift"))
    assert state_of(stamped) == CardState(1, 0, NOON + timedelta(days=30))
    emptied = decide_one(compiled, stamped.member, order(stamped.member, toyId="card"))
    assert state_of(emptied) == CardState()
    refused = decide_one(compiled, stamped.member, order(stamped.member, toyId="none"))
    assert refused.refusal == ToyRefusal.toy_missing
    ((_, due),) = run_due_timers(compiled, stamped.member, NOON + timedelta(days=31))
    assert state_of(due) == CardState()


def test_it_counts_what_is_earned():
    compiled = program(card(metric="points"), campaign("pay", trigger="earn", effects=PAY))
    earned = decide_one(compiled, member(), event(1, trigger="earn"))
    assert state_of(earned).stamps == 1
    assert state_of(decide_one(compiled, earned.member, event(2, trigger="look"))).stamps == 1


def test_it_says_what_it_has_counted():
    compiled = program(card(metric="points"))
    later = NOON + timedelta(days=1)
    assert documents_that_counted(compiled, [], "points", "ann", later, NOON) == {"card"}
    assert documents_that_counted(compiled, [], "points", "ann", NOON, later) == frozenset()
    assert documents_that_counted(compiled, [], "xp", "ann", later, NOON) == frozenset()


def test_its_states_follow_a_change_of_its_document():
    ann = decide_one(program(card(size=5)), member(), event(1)).member
    for number in (2, 3):
        ann = decide_one(program(card(size=5)), ann, event(number)).member
    assert ann.states["toy"]["card"].stamps == 3
    after = decide_one(program(card(size=2)), ann, event(4, trigger="look"))
    assert (state_of(after).stamps, ann.states["toy"]["card"].stamps) == (1, 3)


def test_an_import_brings_it_and_a_rollback_undoes_it():
    compiled = program(card(size=5))
    _, brought = read_member({"userId": "ann", "toys": {"card": 3}}, ProfileValidator(), compiled.metrics)
    data = imported(brought)
    assert data == {"stamps": {"card": 3}}
    there = decide_one(compiled, member(), order(member(), IMPORT, **data)).member
    assert there.states["toy"]["card"].stamps == 3
    undone = decide_one(compiled, there, order(there, ROLLBACK, **data_of(Rollback(parts={"toy": {"card": 2}}))))
    assert (state_of(undone).stamps, rolled_back_from(undone.trace[-1].progress).numbers) == (1, {"cards": 1})


def test_conditions_and_profiles_see_it():
    compiled = program(
        card(),
        campaign("once", trigger="check", conditions=[{"field": "toys.card.full", "operator": "equals", "value": 1}]),
        campaign("all", trigger="check", conditions=[{"field": "user.fullCards", "operator": ">=", "value": 1}]),
    )
    ann = member()
    for n in (1, 2):
        ann = decide_one(compiled, ann, event(n)).member
    assert [trace.refusal for trace in decide_one(compiled, ann, event(3, trigger="check")).trace] == [None, None]


def test_the_description_the_reference_and_exports_know_it():
    described = describe(crud(KINDS["toy"]), "http://x")
    assert "/v1/toys/{toyId}" in described["paths"]
    assert (meaning_of("toy_missing"), "toy_missing" in all_refusals()) == ("The card does not exist.", True)
    assert b"toys" in header_of("members").split(b",")


def test_a_server_commits_explains_exports_and_verifies_it(staged, fresh_database):
    async def play():
        async with staged(fresh_database) as stage:
            await stage.write("toy", "card", name="Card", trigger="purchase", size=1, effects=PAY)
            await stage.append(stage.arrival())
            await stage.drain()
            (row,) = await stage.fetch("SELECT state FROM progress WHERE kind = 'toy'")
            assert msgspec.json.decode(row["state"], type=CardState) == CardState(0, 1)
            (row,) = await stage.fetch("SELECT trigger, outcome, member_id FROM events WHERE org_id = $1", stage.org_id)
            programme = await stage.programmes.current(stage.org_id)
            (explanation,) = msgspec.to_builtins(
                explained(programme, row["trigger"], outcome_from(row["outcome"])), enc_hook=str
            )
            assert (explanation["toyId"], explanation["toy"]) == ("card", {"stamps": 0})
            async with stage.pool.acquire() as connection:
                (line,) = await member_lines(connection, stage.org_id, [row["member_id"]])
                assert cast("Any", line).toys == {"card": {"full": 1}}
                assert all(invariant.holds for invariant in await verify(connection))

    asyncio.run(play())


def test_a_server_shows_it_in_profiles_lists_explanations_and_its_description(own_server, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent / 'toy' / 'site'}:{ROOT}")
    server = own_server().start()
    with server.client_of("Toys") as shop:
        card = {"toyId": "card", "name": "Card", "trigger": "visit", "size": 2, "effects": PAY}
        ok(shop.post("/v1/toys", json=card), 201)
        for _ in range(3):
            action = {"userId": "ann", "action": "visit"}
            ok(shop.post("/api/audience/internal/actions", json=action, headers={"Prefer": "wait=10"}))
        profile = ok(shop.get("/v1/profiles/ann"))
        assert (profile["toys"], profile["fullCards"]) == ({"card": {"stamps": 1, "full": 1}}, 1)
        with server.member_of(shop, "ann") as ann:
            own = ok(ann.get("/api/loyalty/me/toys"))
        assert own["toys"] == [{"toyId": "card", "name": "Card", "stamps": 1, "full": 1}]
        event_id = ok(shop.get("/v1/events", params={"userId": "ann", "limit": 1}))["events"][0]["eventId"]
        (explained,) = ok(shop.get(f"/v1/events/{event_id}/explain"))["campaigns"]
        assert (explained["kind"], explained["toyId"], explained["toy"]) == ("toy", "card", {"stamps": 1})
        described = shop.get("/openapi.json").json()
        schemas = described["components"]["schemas"]
        assert schemas["Profile"]["properties"]["toys"]["additionalProperties"] == {
            "$ref": "#/components/schemas/CardView"
        }
        assert schemas["CardView"]["properties"].keys() == {"stamps", "full"}
        assert "cards" in schemas["Undone"]["properties"]
        assert {"/v1/toys/{toyId}", "/api/loyalty/me/toys"} <= described["paths"].keys()
