"""One organisation's flood, slow address or conditions never hold up another organisation's messages."""

import asyncio
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from plaudit import clock
from plaudit.core.conditions import compile_conditions
from plaudit.delivery import attempts
from plaudit.delivery import listeners as listening
from plaudit.delivery.attempts import DueDelivery
from plaudit.delivery.conditions import LEASE, evaluate_conditions
from plaudit.delivery.deliverer import Deliverer
from plaudit.delivery.hand_out import buckets_with_news, hand_out
from plaudit.delivery.listeners import Listeners
from plaudit.delivery.places import ATTEMPTS_MAX, LANE_MAX, LANE_START, ORG_MAX, SLOW_MILLISECONDS, Places
from plaudit.delivery.webhooks import Attempt, WebhookClient
from plaudit.storage.orgs import create_org
from tests.delivery.test_webhooks import deliver_all, pay, receiver, run, webhook
from tests.support.eventually import eventually_async
from tests.support.stage import Stage

__all__ = ["receiver"]

NAMED = [{"field": "balanceAfter", "operator": ">=", "value": 10}]
FLOOD = 300


class Panic(BaseException):
    """What native code raises."""


async def another(stage: Stage) -> Stage:
    """Another organisation on the same server."""
    async with stage.pool.acquire() as connection:
        credentials = await create_org(connection, "Another", clock.now())
    return Stage(stage.url, stage.pool, stage.programmes, credentials.org_id)


async def paying(stage: Stage, url: str, *users: str, **more) -> None:
    await stage.pay()
    await webhook(stage, url, events=["transaction.created"], **more)
    await pay(stage, *users)


def conditions_that(monkeypatch, behave) -> None:
    """Have conditions that name the balance do as told."""

    class Behaving:
        def holds(self, *_):
            return behave()

    def compiled(raw):
        condition, leaves = compile_conditions(raw)
        return (Behaving() if raw == NAMED else condition), leaves

    monkeypatch.setattr(listening, "compile_conditions", compiled)


def test_conditions_that_raise_are_noted_and_hold_up_nobody(staged, fresh_database, receiver, monkeypatch):
    def panics():
        raise Panic("called `Option::unwrap()` on a `None` value")

    conditions_that(monkeypatch, panics)
    there = receiver()

    async def scenario(stage):
        await paying(stage, there.url, "ann", conditions=NAMED)
        await paying(await another(stage), there.url, "bob")
        await deliver_all(stage)
        return await stage.fetch("SELECT state, attempts, error FROM deliveries ORDER BY state")

    dead, delivered = run(staged, fresh_database, scenario)
    assert (dead["state"], dead["attempts"]) == ("dead", 0)
    assert dead["error"].startswith("the conditions could not be evaluated: Panic: called")
    assert (delivered["state"], delivered["error"]) == ("delivered", None)
    assert [message["userId"] for message in there.messages] == ["bob"]


def test_conditions_that_end_the_process_are_given_up_at_the_second_time(staged, fresh_database, monkeypatch):
    poison: list[UUID] = []

    def ends():
        raise SystemExit

    conditions_that(monkeypatch, ends)

    async def scenario(stage):
        other = await another(stage)
        await paying(stage, "http://127.0.0.1:1/", "ann", conditions=NAMED)
        await paying(
            other, "http://127.0.0.1:1/", "bob", "eve", conditions=[{"field": "amount", "operator": ">", "value": 0}]
        )
        poison.append(stage.org_id)
        at = clock.now()
        found = []
        async with stage.pool.acquire() as connection:
            await hand_out(connection, Listeners(stage.programmes), await buckets_with_news(connection), at)
            for _ in range(6):  # each time by a process of its own, when the lease of the one before is over
                try:
                    await evaluate_conditions(connection, Listeners(stage.programmes), at)
                except SystemExit:
                    found.append("ended")
                at += LEASE + timedelta(seconds=1)
        return found, await stage.fetch("SELECT org_id, state, judging, error FROM deliveries")

    found, rows = run(staged, fresh_database, scenario)
    assert found == ["ended", "ended"]
    assert len(rows) == 3
    for row in rows:
        if row["org_id"] == poison[0]:
            assert (row["state"], row["judging"]) == ("dead", None)
            assert "the process ended twice" in row["error"]
        else:
            assert (row["state"], row["judging"], row["error"]) == ("waiting", None, None)


def test_conditions_are_compiled_once_for_a_version_of_the_programme(staged, fresh_database, monkeypatch):
    compiled = []

    def counting(raw):
        compiled.append(raw)
        return compile_conditions(raw)

    monkeypatch.setattr(listening, "compile_conditions", counting)

    async def scenario(stage):
        await paying(stage, "http://127.0.0.1:1/", *(f"user_{i}" for i in range(20)), conditions=NAMED)
        async with stage.pool.acquire() as connection:
            listeners = Listeners(stage.programmes)
            for _ in range(2):
                await hand_out(connection, listeners, await buckets_with_news(connection), clock.now())
                await evaluate_conditions(connection, listeners, clock.now())
                await pay(stage, "ann")
        return await stage.fetch("SELECT count(*) FROM deliveries WHERE judging IS NULL")

    ((judged,),) = run(staged, fresh_database, scenario)
    assert judged == 21
    assert compiled == [NAMED]


def test_slow_conditions_have_their_time_and_the_rest_waits(staged, fresh_database, monkeypatch):
    monkeypatch.setattr("plaudit.delivery.conditions.ORG_SECONDS_MAX", -1)
    conditions_that(monkeypatch, lambda: True)

    async def scenario(stage):
        await paying(stage, "http://127.0.0.1:1/", "ann", conditions=NAMED)
        async with stage.pool.acquire() as connection:
            await hand_out(connection, Listeners(stage.programmes), await buckets_with_news(connection), clock.now())
            nothing = await evaluate_conditions(connection, Listeners(stage.programmes), clock.now())
            monkeypatch.setattr("plaudit.delivery.conditions.ORG_SECONDS_MAX", 10)
            then = await evaluate_conditions(connection, Listeners(stage.programmes), clock.now())
        return nothing, then

    assert run(staged, fresh_database, scenario) == (0, 1)


def test_a_flood_to_an_address_that_hangs_leaves_places_for_others(staged, fresh_database, receiver):
    released = threading.Event()
    hanging, quick = receiver(lambda *_: released.wait(60) and 200), receiver()

    async def scenario(stage):
        other = await another(stage)
        await paying(stage, hanging.url, *(f"user_{i}" for i in range(FLOOD)))
        sender = WebhookClient(private=True)
        deliverer = Deliverer(stage.pool, stage.url, stage.programmes, sender)
        await deliverer.once()
        at_once = len(deliverer._running)
        await paying(other, quick.url, "bob")
        deliverer._on_notify("")
        await deliverer.once()
        await eventually_async(lambda: quick.messages)
        still = sum(delivery.org_id == stage.org_id for delivery in deliverer._running.values())
        released.set()
        await asyncio.gather(*deliverer._running)
        await sender.close()
        return at_once, still

    at_once, still = run(staged, fresh_database, scenario)
    assert at_once == still == LANE_START
    assert [message["userId"] for message in quick.messages] == ["bob"]


def test_what_is_due_is_taken_by_turns_of_the_organisations(staged, fresh_database):
    async def scenario(stage):
        other = await another(stage)
        await paying(stage, "http://127.0.0.1:1/", *(f"user_{i}" for i in range(FLOOD)))
        await paying(other, "http://127.0.0.1:1/", "bob", "eve")
        async with stage.pool.acquire() as connection:
            while waiting := await buckets_with_news(connection):
                await hand_out(connection, Listeners(stage.programmes), waiting, clock.now())
            capacity = Places().capacity()
            assert capacity is not None
            taken = await attempts.lease_due(connection, clock.now() + timedelta(seconds=1), capacity)
        return [delivery.org_id for delivery in taken], other.org_id

    taken, other = run(staged, fresh_database, scenario)
    assert taken.count(other) == 2
    assert len(taken) == 2 + LANE_START


def test_a_delivery_of_a_message_that_is_no_more_is_dropped(staged, fresh_database, receiver):
    there = receiver()

    async def scenario(stage):
        await paying(stage, there.url, "ann", "bob")
        async with stage.pool.acquire() as connection:
            await hand_out(connection, Listeners(stage.programmes), await buckets_with_news(connection), clock.now())
        await stage.fetch("DELETE FROM outbox WHERE payload ->> 'userId' = 'ann' RETURNING 1")
        await deliver_all(stage)
        return await stage.fetch("SELECT state FROM deliveries")

    assert [tuple(row) for row in run(staged, fresh_database, scenario)] == [("delivered",)]
    assert [message["userId"] for message in there.messages] == ["bob"]


def due(org_id: UUID, webhook_id: str = "wh_1") -> DueDelivery:
    return DueDelivery(
        org_id=org_id, webhook_id=webhook_id, message_id=uuid4(), member_id=None, number=1, attempts=1,
        handed_at=clock.now(), payload="{}",
    )  # fmt: skip


SLOW, QUICK = Attempt(None, "no response", SLOW_MILLISECONDS + 1), Attempt(200, None, 5)


def room_of(places: Places, delivery: DueDelivery) -> int:
    capacity = places.capacity()
    assert capacity is not None
    return capacity.lanes.get((delivery.org_id, delivery.webhook_id), capacity.lane)


@pytest.mark.parametrize(
    ("attempt", "times", "room"), [(SLOW, 1, 5), (SLOW, 9, 1), (QUICK, 5, 15), (QUICK, 99, LANE_MAX)]
)
def test_slow_lanes_get_fewer_places_and_quick_ones_more(attempt, times, room):
    places, one = Places(), due(uuid4())
    places.occupy(one)  # one that goes on
    for _ in range(times):
        places.occupy(one)
        places.release(one, attempt)
    assert room_of(places, one) == max(room - 1, 0)


def test_no_organisation_has_all_places():
    places, org_id = Places(), uuid4()
    for number in range(ORG_MAX):
        places.occupy(due(org_id, f"wh_{number}"))
    capacity = places.capacity()
    assert capacity is not None
    assert (capacity.orgs[org_id], capacity.free) == (0, ATTEMPTS_MAX - ORG_MAX)


def test_a_lane_that_asks_to_be_left_alone_is():
    places, one = Places(), due(uuid4())
    places.occupy(one)
    places.release(one, Attempt(429, "HTTP 429", 5, retry_after=30))
    assert room_of(places, one) == 0
