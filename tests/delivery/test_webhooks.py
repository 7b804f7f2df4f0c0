"""Webhooks against a real HTTP server that is slow, fails, redirects, hangs and comes back."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier

from plaudit import clock
from plaudit.delivery import deliverer as delivery_run
from plaudit.delivery.backoff import GIVE_UP_AFTER, next_attempt_at
from plaudit.delivery.deliverer import Deliverer
from plaudit.delivery.hand_out import buckets_with_news, hand_out
from plaudit.delivery.listeners import Listeners
from plaudit.delivery.signatures import signed_headers
from plaudit.delivery.webhooks import WebhookClient
from plaudit.net import is_public
from plaudit.storage.programmes import Programmes
from tests.support.existing import existing
from tests.support.receiver import Receiver

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def run(staged, url, scenario):
    async def main():
        async with staged(url) as stage:
            found = await scenario(stage)
            await stage.assert_invariants_hold()
            return found

    return asyncio.run(main())


@pytest.fixture
def receiver():
    made = []

    def make(*arguments):
        made.append(Receiver(*arguments))
        return made[-1]

    yield make
    for receiver_ in made:
        receiver_.close()


@pytest.fixture
def soon(monkeypatch):
    """What failed is tried again at once."""
    monkeypatch.setattr(delivery_run.attempts, "next_attempt_at", lambda *_: clock.now())


async def deliver_all(stage, *, private=True, passes=200):
    """Deliver until nothing is due."""
    sender = WebhookClient(private=private)
    deliverer = Deliverer(stage.pool, stage.url, stage.programmes, sender)
    for _ in range(passes):
        deliverer._on_notify("")  # nobody listens here: look at all buckets
        busy = await deliverer.once()
        if deliverer._running:
            await asyncio.wait(deliverer._running)
        elif not busy:
            break
    await sender.close()


async def webhook(stage, url, id="wh_1", **more):
    await stage.write("webhook", id, url=url, **more)


async def pay(stage, *users):
    await stage.append(*(stage.arrival(user) for user in users))
    await stage.drain()


def test_each_message_arrives_once_signed_both_ways(staged, fresh_database, receiver):
    there = receiver()

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created", "campaign.completed"])
        await pay(stage, "ann", "bob")
        await deliver_all(stage)
        async with stage.pool.acquire() as connection:
            return await delivery_run.attempts.secrets_of(connection, stage.org_id, "wh_1", clock.now())

    secrets = run(staged, fresh_database, scenario)
    assert sorted((message["userId"], message["type"]) for message in there.messages) == [
        (user, kind) for user in ("ann", "bob") for kind in ("campaign.completed", "transaction.created")
    ]
    message = next(sent for sent in there.messages if sent["type"] == "transaction.created")
    assert (message["version"], message["data"]["amount"], message["data"]["type"]) == ("v1", 10, "credit")
    for headers, body, _ in there.requests:
        Verifier(secrets.current).verify(body, headers)
        expected = signed_headers(headers["webhook-id"], 0, body, [secrets.current])["X-Monterosa-Signature"]
        assert headers["x-monterosa-signature"] == expected


def test_what_fails_is_tried_again_until_it_arrives(staged, fresh_database, receiver, soon):
    there = receiver(lambda n, _: (500, 302, 429, 200)[min(n, 4) - 1])

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"])
        await pay(stage, "ann")
        await deliver_all(stage)
        return await stage.fetch("SELECT state, attempts, status FROM deliveries")

    (row,) = run(staged, fresh_database, scenario)
    assert tuple(row) == ("delivered", 4, 200)
    assert [status for _, _, status in there.requests] == [500, 302, 429, 200]
    assert len({headers["webhook-id"] for headers, _, _ in there.requests}) == 1


def test_a_message_in_hand_outlasts_the_database_going_away(staged, fresh_database, receiver, monkeypatch):
    """It is sent as soon as the database is back, not when its lease is over; and not sent again to be noted."""
    there = receiver()
    attempts, failures = delivery_run.attempts, {"secrets_of": 2, "record_attempt": 2}

    def away_at_first(name):
        whole = getattr(attempts, name)

        async def once(*arguments):
            if failures[name]:
                failures[name] -= 1
                raise ConnectionResetError
            return await whole(*arguments)

        monkeypatch.setattr(attempts, name, once)

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"])
        await pay(stage, "ann")
        away_at_first("secrets_of")
        away_at_first("record_attempt")
        await deliver_all(stage)
        return await stage.fetch("SELECT state, attempts, status FROM deliveries")

    (row,) = run(staged, fresh_database, scenario)
    assert tuple(row) == ("delivered", 1, 200)
    assert len(there.requests) == 1
    assert failures == {"secrets_of": 0, "record_attempt": 0}


def test_the_order_of_each_member_is_kept_where_asked(staged, fresh_database, receiver, soon):
    failed = set()

    def behave(_, message):
        if message["userId"] == "ann" and message["id"] not in failed:
            failed.add(message["id"])
            return 503
        return 200

    there = receiver(behave)

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"], ordered=True)
        for _ in range(5):
            await pay(stage, "ann", "bob")
        await deliver_all(stage)

    run(staged, fresh_database, scenario)
    for user in ("ann", "bob"):
        balances = [message["data"]["balanceAfter"] for message in there.messages if message["userId"] == user]
        assert balances == [10, 20, 30, 40, 50]


def test_one_that_hangs_holds_up_nobody_else(staged, fresh_database, receiver, monkeypatch):
    # Long enough for those that do response on a machine that is busy with other tests.
    monkeypatch.setattr("plaudit.delivery.webhooks.ATTEMPT_SECONDS", 4)
    hanging = receiver(lambda *_: threading.Event().wait(8) or 200)
    quick = receiver()

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, hanging.url, "wh_slow", events=["transaction.created"])
        await webhook(stage, quick.url, "wh_quick", events=["transaction.created"])
        await pay(stage, *(f"user_{i}" for i in range(20)))
        started = time.monotonic()
        await deliver_all(stage, passes=3)
        rows = await stage.fetch("SELECT DISTINCT webhook_id, state, error FROM deliveries WHERE attempts > 0")
        return time.monotonic() - started, {row["webhook_id"]: (row["state"], row["error"]) for row in rows}

    _, states = run(staged, fresh_database, scenario)
    assert states["wh_quick"] == ("delivered", None)
    assert states["wh_slow"][0] == "waiting"
    assert "no response" in states["wh_slow"][1]
    assert len(quick.messages) == 20


def test_private_networks_are_refused_unless_allowed(staged, fresh_database, receiver):
    there = receiver()

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, there.url, events=["transaction.created"])
        await webhook(stage, there.url.replace("127.0.0.1", "localhost"), "wh_name", events=["transaction.created"])
        await pay(stage, "ann")
        await deliver_all(stage, private=False, passes=3)
        return await stage.fetch("SELECT state, error FROM deliveries")

    rows = run(staged, fresh_database, scenario)
    assert len(rows) == 2
    assert all(row["state"] == "waiting" and "private network" in row["error"] for row in rows)
    assert there.requests == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("::1", False), ("fe80::1", False), ("fd00::1", False),
        ("::ffff:127.0.0.1", False), ("64:ff9b:1::1", False), ("64:ff9b::127.0.0.1", False), ("64:ff9b::93.184.215.14", True), ("2002:7f00:1::", False), ("224.0.0.1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public


def test_conditions_look_at_the_message(staged, fresh_database, receiver):
    there = receiver()

    async def scenario(stage):
        await stage.pay()
        conditions = [{"field": "balanceAfter", "operator": ">=", "value": 20}]
        await webhook(stage, there.url, events=["transaction.created"], conditions=conditions)
        for _ in range(3):
            await pay(stage, "ann")
        await deliver_all(stage)

    run(staged, fresh_database, scenario)
    assert sorted(message["data"]["balanceAfter"] for message in there.messages) == [20, 30]


def test_a_webhook_that_fails_for_days_is_given_up_and_the_others_are_told(staged, fresh_database, receiver, soon):
    broken, watching = receiver(lambda *_: 500), receiver()

    async def scenario(stage):
        await stage.pay()
        await webhook(stage, broken.url, "wh_broken", events=["transaction.created"])
        await webhook(stage, watching.url, "wh_watching", events=["webhook.disabled"])
        await pay(stage, "ann")
        await deliver_all(stage, passes=2)
        await stage.fetch("UPDATE webhook_states SET failing_since = now() - interval '4 days' RETURNING 1")
        await deliver_all(stage)
        rows = await stage.fetch("SELECT id, doc ->> 'status' AS status FROM documents WHERE kind = 'webhook'")
        return {row["id"]: row["status"] for row in rows}

    assert run(staged, fresh_database, scenario) == {"wh_broken": "inactive", "wh_watching": "active"}
    assert [message["data"] for message in watching.messages] == [
        {"webhookId": "wh_broken", "reason": "no attempt has succeeded for 3 days"}
    ]


def test_delays_grow_to_the_end_of_the_day():
    at, delays = NOW, []
    attempts = 1
    while (later := next_attempt_at(attempts, NOW, at, 0.5)) is not None:
        delays.append(later - at)
        at, attempts = later, attempts + 1
    assert delays[0] == timedelta(seconds=3.75)
    assert delays == sorted(delays)
    assert at <= NOW + GIVE_UP_AFTER < at + 2 * delays[-1]
    early, late = (existing(next_attempt_at(3, NOW, NOW, jitter)) for jitter in (1, 0))
    assert (early - NOW, late - NOW) == (timedelta(seconds=10), timedelta(seconds=20))


def test_a_webhook_gets_what_happens_after_it_was_made_in_every_process(staged, fresh_database):
    async def scenario(stage):
        await stage.pay()
        elsewhere = Programmes(stage.pool, stage.url)  # a process that has not heard of the change
        await elsewhere.current(stage.org_id)
        await webhook(stage, "http://127.0.0.1:1/", events=["transaction.created"])
        await pay(stage, "ann")
        async with stage.pool.acquire() as connection:
            await hand_out(connection, Listeners(elsewhere), await buckets_with_news(connection), clock.now())
        return await stage.fetch("SELECT state FROM deliveries")

    assert [row["state"] for row in run(staged, fresh_database, scenario)] == ["waiting"]
