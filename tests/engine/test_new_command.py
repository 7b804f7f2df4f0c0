"""A command is one module: one that is registered at run time is decided, loaded for, passed on and explained as its row says."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec import Struct, structs

from plaudit.core.cause import Cause
from plaudit.core.commands.command_type import CommandType, Strangers, trace_command
from plaudit.core.commands.registry import COMMANDS, CommandModule
from plaudit.core.decide_one import decide_one
from plaudit.core.decision import Refusal
from plaudit.engine import load
from plaudit.engine.processed import outcome_from
from plaudit.history.explain import explained
from tests.support.factories import NOON, event, member, program

STAMPED = Cause("stamped")


class StampOrder(Struct, frozen=True, rename="camel"):
    how_many: int = 1


def apply(context, order):
    if order.how_many > 10:
        context.write_profile({"stamps": -1})
        return trace_command(context, Refusal.amount_out_of_range, STAMPED)
    context.write_profile({"stamps": context.member.attributes.get("stamps", 0) + order.how_many})
    context.emit("user.updated", {"fields": ["stamps"]}, STAMPED)
    return trace_command(context, None, STAMPED)


@pytest.fixture
def stamp(request):
    row = CommandType(kind="stamp", order=StampOrder, apply=apply, cause=STAMPED, effect="stamp")
    row = structs.replace(row, **getattr(request, "param", {}))
    module = cast("CommandModule", SimpleNamespace(COMMAND=row))
    COMMANDS.register(module)
    yield row
    COMMANDS.unregister(module)
    assert "stamp" not in COMMANDS
    assert "stamped" not in COMMANDS.effects


def command(**data):
    return structs.replace(event(trigger="stamp", **data), kind="stamp")


def decided(of, **data):
    return decide_one(program(), of, command(**data))


@pytest.mark.usefixtures("stamp")
def test_it_is_decided_with_its_order():
    assert decided(member(enrolled_at=NOON), howMany=3).member.attributes == {"stamps": 3}


@pytest.mark.usefixtures("stamp")
def test_it_is_refused_as_a_whole():
    decision = decided(member(enrolled_at=NOON), howMany=11)
    assert (decision.refusal, decision.member.attributes) == (Refusal.amount_out_of_range, {})


@pytest.mark.parametrize("stamp", [{"strangers": Strangers.are_refused}], indirect=True)
@pytest.mark.usefixtures("stamp")
def test_it_says_what_becomes_of_strangers():
    assert decided(member()).refusal == Refusal.unknown_user


@pytest.mark.parametrize(
    ("stamp", "refusal", "is_passed_on"),
    [({}, Refusal.member_merged, True), ({"if_merged": Refusal.already_merged}, Refusal.already_merged, False)],
    indirect=["stamp"],
)
@pytest.mark.usefixtures("stamp")
def test_it_says_what_becomes_of_it_after_a_merge(refusal, is_passed_on):
    decision = decided(member(enrolled_at=NOON, merged_into="bob"))
    assert (decision.refusal, [event.user_id for event in decision.follow_ups]) == (refusal, ["bob"] * is_passed_on)


@pytest.mark.parametrize(("stamp", "active_at"), [({}, None), ({"is_own": True}, NOON)], indirect=["stamp"])
@pytest.mark.usefixtures("stamp")
def test_it_says_whether_members_do_it_themselves(active_at):
    assert decided(member(enrolled_at=NOON)).member.active_at == active_at


def test_a_batch_loads_what_it_needs(stamp):
    assert load._needs([], {"stamp"}) == load.all_parts()
    COMMANDS.add(structs.replace(stamp, needs=("balances",)))
    assert load._needs([], {"stamp"}) == {"balances"}


@pytest.mark.usefixtures("stamp")
def test_it_is_committed_and_explained(staged, fresh_database):
    async def play():
        async with staged(fresh_database) as stage:
            await stage.append(structs.replace(stage.arrival(trigger="stamp", howMany=2), kind="stamp"))
            await stage.drain()
            (row,) = await stage.fetch("SELECT trigger, outcome FROM events WHERE org_id = $1", stage.org_id)
            programme = await stage.programmes.current(stage.org_id)
            (explanation,) = explained(programme, row["trigger"], outcome_from(row["outcome"]))
            assert explanation["effects"] == [{"type": "stamp", "done": True, "reason": None, "outcome": None}]

    asyncio.run(play())
