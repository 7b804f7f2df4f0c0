"""Each invariant, when the tables are broken by hand: exactly that one is named, with what to do."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec import structs

from plaudit import clock
from plaudit.core.event import HOLD, REVERSAL, TRANSACTION, TRANSFER
from plaudit.engine.arrival import Payload, arrival_from_client
from plaudit.history import verify as verifying
from plaudit.history.invariants import BY_QUERY, REPLAY, every
from plaudit.history.verify import verify
from plaudit.storage.erasure import erase
from plaudit.storage.postgres import connect
from plaudit.storage.queries import queries_beside

CUP = {"name": "Cup", "score": {"metric": "points"}}
ANN = "member_id = (SELECT member_id FROM members WHERE user_id = 'ann')"


async def booked(stage, kind: str, user_id: str = "ann", metric: str = "points", **data) -> str:
    """Do something by hand. Return the transaction that it made, if it made one."""
    now = clock.now()
    arrival = arrival_from_client(
        org_id=stage.org_id, user_id=user_id, kind=kind, trigger=kind, occurred_at=now, received_at=now,
        payload=Payload({"metric": metric, **data}), source="api", event_id=clock.new_uuid7(), event_key=None,
    )  # fmt: skip
    await stage.append(arrival)
    await stage.drain()
    rows = await stage.fetch("SELECT transaction_id FROM transactions WHERE event_id = $1", arrival.event_id)
    return str(rows[0]["transaction_id"]) if rows else ""


async def lived(stage) -> None:
    """Some of everything that the invariants are about."""
    await stage.change("metric", "points", expiry={"type": "rolling", "days": 90})
    await stage.pay()
    await stage.write("competition", "cup", **CUP)
    await stage.write("streak", "visits", triggers=[{"type": "purchase"}])
    await stage.write("product", "prod", sku="P", type="unique_code_pool")
    await stage.write("code_pool", "codes", productId="prod")
    await stage.fill("codes", "A1", "A2")
    await stage.pay("camp_code", "wins", [{"type": "issue_coupon", "config": {"codePoolId": "codes"}}])
    yesterday = stage.arrival()
    yesterday = structs.replace(yesterday, occurred_at=yesterday.occurred_at - timedelta(days=1))
    await stage.append(
        yesterday, stage.arrival(), stage.arrival("bob"), stage.arrival("carl"), stage.arrival(trigger="wins")
    )
    await stage.drain()
    earned = await booked(stage, TRANSACTION, amount=30)
    (row,) = await stage.fetch("SELECT occurred_at FROM transactions WHERE transaction_id = $1", UUID(earned))
    at = row["occurred_at"].isoformat()
    await booked(stage, REVERSAL, transactionId=earned, amount=30, take=5, earned=True, countedAt=at)
    until = (clock.now() + timedelta(days=1)).isoformat()
    await booked(stage, HOLD, holdId="h", action="place", amount=5, until=until)
    await booked(stage, TRANSACTION, metric="xp", amount=50)
    await booked(stage, HOLD, metric="xp", holdId="h", action="place", amount=5, until=until)
    await booked(stage, TRANSFER, metric="xp", amount=20, to="bob")
    await stage.drain()  # it arrives
    async with stage.pool.acquire() as connection:
        await erase(connection, stage.org_id, "carl", clock.now())


@pytest.fixture(scope="module")
def lived_in(clone, staged_once):
    """A database in which all of that has happened."""
    name, url = clone()

    async def scenario():
        async with staged_once(url) as stage:
            await lived(stage)
            await stage.assert_invariants_hold()

    asyncio.run(scenario())
    return name


async def violated(url: str, *queries: str) -> dict[str, tuple[str, str]]:
    """What does not hold after these queries, with an example and what to do; but for the replay, which sees all."""
    connection = await connect(url)
    try:
        for query in queries:
            await connection.execute(query)
        checks = await verify(connection)
    finally:
        await connection.close()
    return {
        check.name: ("; ".join(check.examples), check.remedy)
        for check in checks
        if not check.holds and check.name != REPLAY.name
    }


BOOK = "UPDATE balances SET book = {} WHERE metric = 'points' AND " + ANN
POSTED = (
    "INSERT INTO transactions SELECT bucket, member_id, position, 9, gen_random_uuid(), org_id, user_id, metric, 0,"
    " balance_after, cause_id, step, 9, event_id, reason, occurred_at, created_at, NULL,"
    " '{\"parts\": [[0, -5], [1, 5]]}', cause_kind FROM transactions WHERE metric = 'points' AND "
    + ANN
    + " ORDER BY position DESC LIMIT 1"
)
OWED = "(jsonb_set(jsonb_set(book::jsonb, '{1,0,1}', '10'), '{1}', '[[0, -5]]' || (jsonb_set(book::jsonb, '{1,0,1}', '10') -> 1)))::json"
SEGMENT_STATE = (
    "INSERT INTO progress SELECT bucket, member_id, 'segment', 's', '[true]' FROM members WHERE erased_at IS NOT NULL"
)
COUNTED = """UPDATE events SET payload = jsonb_set(payload::jsonb, '{data,countedAt}', '"2030-01-01T00:00:00Z"')::json
    WHERE kind = 'reversal'"""
TRACED = """UPDATE events SET outcome = jsonb_set(
    outcome::jsonb, '{trace}', (outcome::jsonb -> 'trace') || jsonb_build_array(outcome::jsonb -> 'trace' -> 1)
)::json WHERE trigger = 'purchase' AND user_id = 'bob'"""
BROKEN = {
    "balance = sum of transactions": (
        ["UPDATE balances SET amount = amount + 1 WHERE metric = 'xp' AND " + ANN], "metric xp: balance 31, transactions 30",
    ),
    "each lot = sum of the postings on it": (
        [BOOK.format("jsonb_set(jsonb_set(book::jsonb, '{1,0,1}', '6'), '{1,1,1}', '39')::json")], "lot 1: 6, postings 5",
    ),
    "a reversal counts when its original did": (
        [COUNTED],
        "counted at 2030-01-01",
    ),
    "no code issued or redeemed after its coupon's expiry": (
        ["UPDATE coupons SET expires_at = issued_at + interval '1 hour'",
         "UPDATE codes SET state = 'redeemed', redeemed_at = now() + interval '2 hours' WHERE coupon_id IS NOT NULL"],
        "code A1 of codes",
    ),
    "no erased person on a board, in a draw or in a segment": (
        ["INSERT INTO entries SELECT bucket, member_id, 'cup', 1 FROM members WHERE erased_at IS NOT NULL",
         "UPDATE members SET due_at = now() WHERE erased_at IS NOT NULL"],
        "a draw, what falls due",
    ),
    "score = sum of what counted in the competition": (
        ["UPDATE standings SET score = score + 1 WHERE " + ANN], "competition cup: score 46, transactions 45",
    ),
    "no event counts twice for a step or a streak": (
        [TRACED],
        "camp_1, step 0",
    ),
    "every state is a campaign's or a mechanic's": (
        ["INSERT INTO progress SELECT bucket, member_id, 'toy', 'card', '[1]' FROM members WHERE " + ANN], ": toy card",
    ),
    "every event that counted for a streak is in it": (
        ["UPDATE progress SET state = jsonb_set(state::jsonb, '{0}', '[]')::json WHERE kind = 'streak' AND " + ANN],
        "streak visits: periods",
    ),
    "streaks are consistent": (
        ["UPDATE progress SET state = jsonb_set(state::jsonb, '{3}', '0')::json WHERE kind = 'streak' AND " + ANN],
        "current 2, longest 0",
    ),
    "every held amount exists": (
        [BOOK.format("jsonb_set(book::jsonb, '{2,0,3,0,0}', '77')::json")], "5 of lot 77 are held, but the lot contains 0",
    ),
    "nothing below its metric's minimum is available": (
        ["UPDATE balances SET book = jsonb_set(book::jsonb, '{2,0,1}', '31')::json WHERE metric = 'xp' AND " + ANN],
        "-1 available of a balance of 30",
    ),
    "debt is only what the lots lack": ([POSTED, BOOK.format(OWED)], "5 are owed"),
}  # fmt: skip


@pytest.mark.breaks_tables("that is what is tested")
@pytest.mark.parametrize("name", BROKEN)
def test_what_does_not_hold_is_named_with_what_to_do(clone, lived_in, name):
    queries, example = BROKEN[name]
    found = asyncio.run(violated(clone(lived_in)[1], *queries))
    assert set(found) == {name}
    told, remedy = found[name]
    assert example in told
    assert remedy == next(invariant.remedy for invariant in every() if invariant.name == name)


@pytest.mark.breaks_tables("that is what is tested")
def test_a_transfer_that_is_taken_back_at_one_end_only_is_named(clone, lived_in, staged_once):
    url = clone(lived_in)[1]

    async def scenario():
        async with staged_once(url) as stage:
            (org,) = await stage.fetch("SELECT org_id FROM members WHERE user_id = 'bob'")
            stage.org_id = org["org_id"]
            (row,) = await stage.fetch(
                "SELECT transaction_id FROM transactions WHERE metric = 'xp' AND user_id = 'bob'"
            )
            given = {"transactionId": str(row["transaction_id"]), "amount": 20, "take": 8, "earned": False}
            await booked(stage, REVERSAL, "bob", "xp", **given, countedAt=clock.now().isoformat())
        return await violated(url)

    found = asyncio.run(scenario())
    assert (
        "[-8] were reversed on its two sides"
        in found["every transfer has arrived in full, is on its way, or was returned"][0]
    )


def test_every_query_is_an_invariant_and_says_what_to_do():
    others = {"counted", "states_of_others", "transfers", "arrived", "transfers_reversed"}
    assert set(queries_beside(verifying.__file__).by_name) == {*BY_QUERY, *others}
    assert all(invariant.remedy for invariant in every())
    assert len({invariant.name for invariant in every()}) == len(every())
