"""Transfers, and their reversals: both members' books change, or neither's."""

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from plaudit.core.event import TRANSFER
from plaudit.core.ids import bucket_of, member_id_of
from plaudit.engine import inbox
from plaudit.engine.arrival import Payload, arrival_from_client
from tests.support.eventually import eventually
from tests.support.existing import existing
from tests.support.http import ok


@pytest.fixture
def club(shop):
    ok(shop.put("/v1/metrics/points", json={"maximum": 100, "minimum": -50, "expiry": {"type": "rolling", "days": 30}}))
    for user, amount in (("ann", 60), ("bob", 80)):
        ok(shop.post("/v1/transactions", json={"userId": user, "amount": amount}), 201)
    return shop


def points(shop, *users):
    return [ok(shop.get(f"/v1/profiles/{user}"))["points"] for user in users]


def transfer(shop, amount, to="bob"):
    return shop.post("/v1/transfers", json={"userId": "ann", "toUserId": to, "amount": amount})


def test_a_transfer_has_arrived_when_its_response_is_sent(club, server_process):
    sent = ok(transfer(club, 20), 201)
    assert (sent["amount"], points(club, "ann", "bob")) == (-20, [40, 100])
    received = ok(club.get("/v1/transactions?userId=bob"))["transactions"][0]
    assert (received["amount"], len(received["lots"])) == (20, 1)
    server_process.verify()


@pytest.mark.parametrize("path", ["/v1/transfers", "/loyalty/v1/transfers", "/api/loyalty/admin/transfers"])
def test_the_response_to_a_transfer_says_when_the_receiver_has_it(club, path):
    body = {"userId": "ann", "toUserId": "bob", "amount": 20, "eventId": "gift"}
    for duplicate in (False, True):
        sent = ok(club.post(path, json=body), 201)
        (received,) = ok(club.get("/v1/transactions?userId=bob&limit=1"))["transactions"]
        assert (sent["duplicate"], sent["transfer"]) == (duplicate, {
            "status": "arrived", "from": "ann", "to": "bob", "receivedAt": received["createdAt"],
            "sentTransactionId": sent["transactionId"], "receivedTransactionId": received["transactionId"],
        })  # fmt: skip
        for own in (sent, received):
            assert ok(club.get(f"/v1/transactions/{own['transactionId']}"))["transfer"] == sent["transfer"]


@contextmanager
def busy(url, bucket):
    """A bucket in which nothing is decided for a while: somebody else has its lock."""

    async def lock():
        connection = await asyncpg.connect(url)
        await connection.execute("BEGIN")
        await connection.execute("SELECT FROM positions WHERE bucket = $1 FOR UPDATE", bucket)
        return connection

    with asyncio.Runner() as runner:
        connection = runner.run(lock())
        try:
            yield
        finally:
            runner.run(connection.close())


def test_a_transfer_that_a_worker_decides_is_on_its_way_until_the_receiver_has_it(club, server_process):
    org_id, now, url = UUID(club.headers["X-Monterosa-Org-ID"]), datetime.now(UTC), server_process.database_url
    bucket = bucket_of(member_id_of(org_id, "ann"))
    there = next(name for name in map("bob{}".format, range(99)) if bucket_of(member_id_of(org_id, name)) != bucket)
    data = {"metric": "points", "amount": 20, "reason": None, "to": there}
    arrival = arrival_from_client(
        org_id=org_id, user_id="ann", kind=TRANSFER, trigger=TRANSFER, occurred_at=now, received_at=now,
        payload=Payload(data), source="api", event_id=uuid4(), event_key="gift",
    )  # fmt: skip

    async def queue():
        connection = await asyncpg.connect(url)
        await inbox.append(connection, [arrival])
        await connection.close()

    def sent():
        newest = ok(club.get("/v1/transactions?userId=ann"))["transactions"][0]
        return newest if newest["amount"] == -20 else None

    def transfer():
        return ok(club.get(f"/v1/transactions/{own}"))["transfer"]

    with busy(url, bucket_of(member_id_of(org_id, there))):
        asyncio.run(queue())
        own = existing(eventually(sent))["transactionId"]
        assert transfer() == {"status": "on_its_way", "from": "ann", "to": there, "receivedAt": None,
                              "sentTransactionId": own, "receivedTransactionId": None}  # fmt: skip
        assert club.post(f"/v1/transactions/{own}/reverse", json={}).json()["error"]["code"] == "transfer_not_found"
    eventually(lambda: transfer()["status"] == "arrived")
    body = {"userId": "ann", "toUserId": there, "amount": 20, "eventId": "gift"}
    again = ok(club.post("/v1/transfers", json=body), 201)
    assert (again["duplicate"], again["transfer"], points(club, there)) == (True, transfer(), [20])


def test_a_transfer_that_cannot_arrive_whole_is_refused_and_nothing_happens(club, server_process):
    refused = transfer(club, 21)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "balance_at_maximum")
    assert refused.json()["error"]["message"] == "The receiver's balance would exceed its maximum"
    assert points(club, "ann", "bob") == [60, 80]
    assert len(ok(club.get("/v1/transactions?userId=ann"))["transactions"]) == 1
    server_process.verify()


def test_what_a_sender_owes_for_arrives_too(club, server_process):
    assert ok(transfer(club, 90, to="cy"), 201)["balanceAfter"] == -30
    assert points(club, "ann", "cy") == [-30, 90]
    server_process.verify()


def test_nobody_is_made_a_member_by_a_transfer_where_actions_enrol_nobody(club):
    ok(club.put("/v1/settings", json={"autoEnrol": False}))
    refused = transfer(club, 5, to="stranger")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "unknown_user")
    assert refused.json()["error"]["message"] == "The receiver does not exist"
    assert points(club, "ann") == [60]
    assert club.get("/v1/profiles/stranger").status_code == 404


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_a_reversal_takes_the_points_back_from_the_receiver(club, server_process, side):
    sent = ok(transfer(club, 20), 201)
    received = ok(club.get("/v1/transactions?userId=bob"))["transactions"][0]
    own = (sent if side == "sender" else received)["transactionId"]
    back = ok(club.post(f"/v1/transactions/{own}/reverse", json={"amount": 5, "eventId": "back"}), 201)
    assert (abs(back["amount"]), points(club, "ann", "bob")) == (5, [45, 95])
    again = ok(club.post(f"/v1/transactions/{own}/reverse", json={"amount": 5, "eventId": "back"}), 201)
    assert (again["transactionId"], again["duplicate"]) == (back["transactionId"], True)
    ok(club.post(f"/v1/transactions/{own}/reverse", json={"amount": 15}), 201)
    assert points(club, "ann", "bob") == [60, 80]
    assert club.post(f"/v1/transactions/{sent['transactionId']}/reverse", json={}).status_code == 409
    assert club.post(f"/v1/transactions/{received['transactionId']}/reverse", json={}).status_code == 409
    for user in ("ann", "bob"):
        taken = ok(club.get(f"/v1/transactions?userId={user}"))["transactions"][0]["transactionId"]
        refused = club.post(f"/v1/transactions/{taken}/reverse", json={})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "taken_back")
    assert points(club, "ann", "bob") == [60, 80]
    server_process.verify()


def test_a_reversal_says_why_the_receiver_cannot_give_back(club):
    sent = ok(transfer(club, 20), 201)
    ok(club.post("/v1/transactions", json={"userId": "bob", "amount": -140}), 201)
    refused = club.post(f"/v1/transactions/{sent['transactionId']}/reverse", json={})
    assert (refused.status_code, refused.json()["error"]["message"]) == (409, "The receiver no longer has the points")
    assert points(club, "ann", "bob") == [40, -40]


def test_what_has_expired_of_a_credit_is_not_taken_a_second_time(club, server_process):
    earned = ok(club.get("/v1/transactions?userId=ann"))["transactions"][0]
    ok(club.post("/v1/clock/advance", json={"seconds": 32 * 86_400}))
    ok(club.post("/v1/transactions", json={"userId": "ann", "amount": 10}), 201)
    back = ok(club.post(f"/v1/transactions/{earned['transactionId']}/reverse", json={}), 201)
    assert (back["amount"], points(club, "ann")) == (0, [10])
    server_process.verify()


def test_a_code_past_its_expiry_cannot_be_redeemed_by_the_organisations_clock(shop):
    ok(shop.post("/v1/products", json={"productId": "cup", "name": "Cup", "sku": "CUP", "type": "badge"}), 201)
    pool = {"poolId": "pool", "name": "P", "productId": "cup", "expiresAt": "2030-01-01T00:00:00Z"}
    ok(shop.post("/v1/code-pools", json=pool), 201)
    assert shop.post("/v1/code-pools/pool/import", json={"codes": ["A1", "A2"]}).status_code == 201
    effects = [{"type": "issue_coupon", "config": {"codePoolId": "pool"}}]
    ok(shop.post("/v1/campaigns", json={"name": "C", "triggers": [{"type": "buy"}], "effects": effects}), 201)
    for user in ("ann", "bob"):
        body = {"userId": user, "action": "buy"}
        shop.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=10"})
    mine, other = (ok(shop.get(f"/v1/profiles/{user}"))["coupons"][0]["code"] for user in ("ann", "bob"))
    used = ok(shop.post(f"/v1/code-pools/pool/codes/{mine}/redeem"))
    assert used["status"] == "redeemed"
    ok(shop.post("/v1/clock/advance", json={"to": "2030-01-01T00:00:00Z"}))
    late = shop.post(f"/v1/code-pools/pool/codes/{other}/redeem")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "code_expired")


def test_points_whose_reversal_is_reversed_are_pending_again(shop, server_process):
    ok(shop.put("/v1/metrics/points", json={"pendingDays": 14}))
    effects = [{"type": "add_points", "config": {"amount": 60}}]
    ok(shop.post("/v1/campaigns", json={"name": "C", "triggers": [{"type": "buy"}], "effects": effects}), 201)
    body = {"userId": "ann", "action": "buy"}
    shop.post("/api/audience/internal/actions", json=body, headers={"Prefer": "wait=10"})
    (made,) = ok(shop.get("/v1/transactions?userId=ann"))["transactions"]
    for amount in (-60, 60):
        made = ok(shop.post(f"/v1/transactions/{made['transactionId']}/reverse", json={}), 201)
        assert made["amount"] == amount
    refused = shop.post("/v1/transactions", json={"userId": "ann", "amount": -1})
    assert refused.json()["error"]["code"] == "balance_insufficient"
    ok(shop.post("/v1/clock/advance", json={"seconds": 15 * 86_400}))
    ok(shop.post("/v1/transactions", json={"userId": "ann", "amount": -60}), 201)
    server_process.verify()
