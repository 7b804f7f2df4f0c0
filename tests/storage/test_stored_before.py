"""A document that was stored before checks became stricter can be paused, copied and restocked, and still be put right."""

import asyncio
import json

import pytest

from plaudit import clock
from plaudit.documents.kinds import KINDS
from plaudit.documents.programme_file import to_file
from plaudit.errors import Invalid
from plaudit.history.invariants import NOT_COMPARABLE
from plaudit.history.replay import replay
from plaudit.history.verify import verify
from plaudit.storage import documents, programme_changes
from plaudit.storage.documents import Change

NESTED = "len(map([1..3], len(map([1..3], 1)))) > 0"
IN_TIME = {"mode": "time-bound", "startDate": "2026-01-01T00:00:00Z", "endDate": "2099-01-01T00:00:00Z"}
RECURRING = {"mode": "recurring", "startDate": "2026-01-01T00:00:00Z", "recurrence": {"rule": "FREQ=DAILY"}}
# The field, what an earlier version took there, another wrong value, a right one, and why it is out of force, if it is.
BROKEN = {
    "a formula": (
        IN_TIME, "triggers", [{"type": "purchase", "conditions": {"expression": NESTED}}],
        [{"type": "purchase", "conditions": {"expression": "("}}], [{"type": "purchase"}],
        "conditions.expression is not a valid formula",
    ),
    "a recurrence": (
        RECURRING, "recurrence", {"rule": "FREQ=SECONDLY", "durationSeconds": None}, {"rule": "FREQ=NEVER"},
        {"rule": "FREQ=WEEKLY"}, "recurrence.rule must be an RFC 5545 recurrence rule: FREQ must be one of",
    ),
    "an end": (
        IN_TIME, "endDate", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", None,
    ),
}  # fmt: skip


def change_of(stage, kind, id):
    return Change(org_id=stage.org_id, kind=KINDS[kind], id=id, by="test", at=clock.now())


async def store(stage, kind, id, field, value):
    """As an earlier version would have taken it."""
    for table in ("documents", "document_versions"):
        await stage.fetch(
            f"UPDATE {table} SET doc = jsonb_set(doc, ARRAY[$4], $5::jsonb)"
            " WHERE org_id = $1 AND kind = $2 AND id = $3",
            stage.org_id, kind, id, field, json.dumps(value),
        )  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_and_stays_as_it_is_refuses_no_other_change(staged, fresh_database, name):
    fields, field, broken, worse, right, reason = BROKEN[name]

    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            await stage.pay(**fields)
            await store(stage, "campaign", "camp_1", field, broken)
            change = change_of(stage, "campaign", "camp_1")
            for status in ("paused", "archived", "active"):
                stored = await documents.update(connection, change, {"status": status})
                assert (stored.doc["status"], stored.doc[field]) == (status, broken)
            programme = await stage.programmes.refresh(stage.org_id)
            assert programme.out_of_force.get(("campaign", "camp_1"), "").startswith(reason or "")
            assert (("campaign", "camp_1") in programme.out_of_force) == (reason is not None)
            copy = await documents.create(connection, change_of(stage, "campaign", "copy"), stored.doc, stored.doc)
            assert copy.doc == stored.doc
            with pytest.raises(Invalid) as refused:
                await documents.update(connection, change, {field: worse})
            assert {error.field.split("[")[0].split(".")[0] for error in refused.value.fields} == {field}
            with pytest.raises(Invalid):
                await documents.update(connection, change, {"steps": [{"name": "s", "triggers": []}]})
            with pytest.raises(Invalid):
                await documents.create(connection, change_of(stage, "campaign", "new"), stored.doc)
            repaired = await documents.update(connection, change, {field: right})
            assert repaired.doc[field] != broken

    asyncio.run(scenario())


@pytest.mark.parametrize("name", BROKEN)
def test_a_programme_that_was_read_can_be_written_back_and_changed_elsewhere(staged, fresh_database, name):
    fields, field, broken, worse, _, _ = BROKEN[name]

    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            await stage.pay(**fields)
            await store(stage, "campaign", "camp_1", field, broken)
            raw = to_file(await programme_changes.current_documents(connection, stage.org_id))
            wanted = await programme_changes.read(connection, stage.org_id, raw)
            assert await programme_changes.plan(connection, stage.org_id, wanted, prune=True) == []
            raw["campaigns"]["camp_1"]["status"] = "paused"
            wanted = await programme_changes.read(connection, stage.org_id, raw)
            (change,) = await programme_changes.apply(
                connection, stage.org_id, wanted, prune=True, by="test", at=clock.now()
            )
            assert change.after is not None
            assert (change.id, change.after["status"], change.after[field]) == ("camp_1", "paused", broken)
            raw["campaigns"]["camp_1"][field] = worse
            with pytest.raises(Invalid):
                await programme_changes.read(connection, stage.org_id, raw)

    asyncio.run(scenario())


def test_an_amount_that_is_too_fine_for_its_metric_is_still_rounded_and_refuses_no_other_change(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            await stage.pay()
            half = [{"type": "add_points", "config": {"amount": 2.5}}]
            await store(stage, "campaign", "camp_1", "effects", half)
            change = change_of(stage, "campaign", "camp_1")
            stored = await documents.update(connection, change, {"priority": 7})
            assert (stored.doc["priority"], stored.doc["effects"]) == (7, half)
            await stage.programmes.refresh(stage.org_id)
            await stage.append(stage.arrival())
            await stage.drain()
            assert await stage.points() == 3
            raw = to_file(await programme_changes.current_documents(connection, stage.org_id))
            wanted = await programme_changes.read(connection, stage.org_id, raw)
            assert await programme_changes.plan(connection, stage.org_id, wanted, prune=True) == []
            finer = [{"type": "add_points", "config": {"amount": 2.25}}]
            with pytest.raises(Invalid, match=r"effects\[0\].config.amount must have at most 0 decimal places"):
                await documents.update(connection, change, {"effects": finer})
            raw["campaigns"]["camp_1"]["effects"] = finer
            wanted = await programme_changes.read(connection, stage.org_id, raw)
            with pytest.raises(Invalid, match=r"campaigns.camp_1.effects\[0\].config.amount must have at most 0"):
                await programme_changes.plan(connection, stage.org_id, wanted, prune=True)
            raw["campaigns"]["camp_1"]["effects"] = [
                {"type": "add_metric", "config": {"metric": "cents", "amount": 2.25}}
            ]
            raw["metrics"]["cents"] = {"name": "Cents", "decimals": 2}
            wanted = await programme_changes.read(connection, stage.org_id, raw)
            assert len(await programme_changes.plan(connection, stage.org_id, wanted, prune=True)) == 2

    asyncio.run(scenario())


def test_a_product_whose_end_nobody_would_take_now_can_be_restocked(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            await stage.write("product", "cup", sku="cup", type="merchandise", pointsCost=1, endDate=IN_TIME["endDate"])
            await store(stage, "product", "cup", "endDate", "9999-12-31T23:59:59-12:00")
            stored = await documents.update(connection, change_of(stage, "product", "cup"), {"allocatedStock": 5})
            assert stored.doc["allocatedStock"] == 5
            assert (await stage.programmes.refresh(stage.org_id)).compiled.products["cup"].stock == 5

    asyncio.run(scenario())


def test_a_pool_whose_product_is_gone_can_be_switched_off_but_not_given_to_another_that_is_not_there(
    staged, fresh_database
):
    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            await stage.write("product", "cup", sku="cup", type="unique_code_pool", pointsCost=1)
            await stage.write("code_pool", "pool", productId="cup")
            await stage.fetch("DELETE FROM documents WHERE kind = 'product'")
            change = change_of(stage, "code_pool", "pool")
            stored = await documents.update(connection, change, {"status": "inactive"})
            assert (stored.doc["status"], stored.doc["productId"]) == ("inactive", "cup")
            with pytest.raises(Invalid, match="productId must reference an existing product"):
                await documents.update(connection, change, {"productId": "mug"})

    asyncio.run(scenario())


@pytest.mark.breaks_tables("members are told apart who are not what the log says")
def test_members_who_differ_by_a_programme_not_wholly_in_force_today_are_not_comparable(staged, fresh_database):
    async def scenario():
        async with staged(fresh_database) as stage, stage.pool.acquire() as connection:
            await stage.pay()
            await stage.pay("camp_2", trigger="visit")
            arrivals = stage.arrival("ann"), stage.arrival("bob", trigger="visit")
            await stage.append(*arrivals)
            await stage.drain()
            await store(stage, "campaign", "camp_1", "triggers", BROKEN["a formula"][2])
            checks = {check.name: check for check in await verify(connection)}
            assert all(check.holds for check in checks.values())
            apart = checks[NOT_COMPARABLE.name]
            assert (apart.counted, apart.examples) == (1, [f"member {arrivals[0].member_id}"])
            await stage.fetch("UPDATE balances SET amount = 11 WHERE member_id = $1", arrivals[1].member_id)
            found = await replay(connection)
            assert set(found.not_comparable) == {f"member {arrival.member_id}" for arrival in arrivals}
            # With all in force, whoever is not what the log says is a violation, told without what the member has.
            await store(stage, "campaign", "camp_1", "triggers", [{"type": "purchase"}])
            found = await replay(connection)
            assert (found.not_comparable, found.differences) == ([], [f"member {arrivals[1].member_id}: balances"])

    asyncio.run(scenario())
