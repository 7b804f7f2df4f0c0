"""The Python client against a real server: sync and async alike, tried again where that is safe."""

import asyncio
import inspect
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from plaudit.client import AsyncPlaudit, InvalidSignature, Plaudit, PlauditError, verify_webhook
from plaudit.delivery.signatures import secret_of, signed_headers
from tests.journeys.conftest import ok


@pytest.fixture(scope="module")
def shop(server_process):
    with server_process.client_of("Client") as client:
        campaign = {"name": "Buy", "triggers": [{"type": "buy"}], "effects": [{"type": "add_points", "amount": 10}],
                    "notification": {"message": "Thanks"}}  # fmt: skip
        ok(client.post("/v1/campaigns", json=campaign), 201)
        ok(
            client.post(
                "/v1/products",
                json={"productId": "mug", "name": "Mug", "sku": "M", "type": "merchandise", "pointsCost": 15},
            ),
            201,
        )
        ok(
            client.post(
                "/v1/rewards", json={"rewardId": "r", "name": "R", "rewardType": "points", "config": {"amount": 5}}
            ),
            201,
        )
        yield client


def given(shop) -> dict[str, str]:
    secret = shop.headers["Authorization"].removeprefix("Bearer ")
    return {"url": str(shop.base_url), "org": shop.headers["X-Monterosa-Org-ID"], "secret": secret}


def test_the_way_from_an_action_to_a_redeemed_product(shop, server_process):
    with Plaudit(**given(shop)) as plaudit:
        done = plaudit.report("ann", "buy", {"amount": 5}, event_id="ORD-1", wait=20)
        assert (done.event_id, done.processed) == ("ORD-1", True)
        plaudit.report("ann", "buy", {"amount": 5}, event_id="ORD-1")
        batch = plaudit.report_many(
            [{"userId": "ann", "action": "buy", "eventId": "ORD-1", "data": {"amount": 5}}, {"userId": "ann"}]
        )
        assert (batch.duplicate, batch.refused) == (1, 1)
        plaudit.grant("ann", "r")
        paid = plaudit.credit("ann", "points", 7, "Sorry", key="sorry-1")
        assert (paid.amount, paid.balance_after) == (7, 22)
        assert plaudit.credit("ann", "points", 7, "Sorry", key="sorry-1") == paid
        assert plaudit.redeem("ann", "mug").product_id == "mug"
        with pytest.raises(PlauditError) as refused:
            plaudit.redeem("ann", "mug")
        assert (refused.value.status, refused.value.code) == (409, "balance_insufficient")
        ann = plaudit.member("ann")
        assert (ann.metrics["points"].balance, [one.product_id for one in ann.inventory]) == (7, ["mug"])
        assert plaudit.update_member("ann", {"email": "ann@x.org"}).email == "ann@x.org"
        page = plaudit.transactions("ann", limit=2)
        rest = plaudit.transactions("ann", limit=100, cursor=page.cursor)
        assert [one.amount for one in (*page.items, *rest.items)] == [-15, 7, 5, 10]
        assert plaudit.explain("ORD-1")["eventId"] == "ORD-1"
        assert plaudit.enroll("ben", {"email": "ben@x.org"})["enrolled"] is True
        assert plaudit.call("GET", "/v1/campaigns", query={"limit": 1})["campaigns"][0]["name"] == "Buy"
        with pytest.raises(PlauditError) as wrong:
            plaudit.credit("ann", "gold", 1)
        assert "metric" in wrong.value.fields
        with pytest.raises(PlauditError) as missing:
            plaudit.member("no body/at all?")
        assert missing.value.status == 404
    with Plaudit(str(shop.base_url), token=server_process.token_of(shop, "ann")) as own:
        assert own.me().user_id == "ann"
        assert [one.message for one in own.my_notifications().items] == ["Thanks"]


def test_the_asynchronous_client_has_the_same_calls(shop):
    async def go():
        async with AsyncPlaudit(**given(shop)) as plaudit:
            done = await asyncio.gather(*(plaudit.report("cy", "buy", event_id=f"A-{i}", wait=20) for i in range(5)))
            return done, await plaudit.member("cy")

    done, cy = asyncio.run(go())
    assert all(one.processed for one in done)
    assert cy.metrics["points"].balance == 50
    public = {name for name, _ in inspect.getmembers(Plaudit, inspect.isfunction) if not name.startswith("_")}
    for name in public:
        one, other = getattr(Plaudit, name), getattr(AsyncPlaudit, name)
        assert str(inspect.signature(one)) == str(inspect.signature(other)), name
        assert one.__doc__ == other.__doc__


class Flaky:
    """A server that fails as told, and remembers what came."""

    def __init__(self, answers) -> None:
        self.answers = list(answers)
        self.came = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.came.append((self.headers.get("Idempotency-Key"), body))
                status, headers, answer = outer.answers[len(outer.came) - 1]
                if status == 0:
                    return self.connection.close()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())
                return None

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


PAID = {"data": {"transactionId": "txn_1", "userId": "ann", "metric": "points", "amount": 1, "balanceAfter": 1, "campaignId": "manual", "occurredAt": "2026-11-21T00:00:00.000Z"}}  # fmt: skip


def test_a_write_is_tried_again_with_the_same_key(monkeypatch):
    pauses = []
    monkeypatch.setattr("plaudit.client.sync.time.sleep", pauses.append)
    flaky = Flaky(
        [
            (0, {}, {}),
            (409, {}, {"error": {"code": "in_progress"}}),
            (429, {"Retry-After": "3"}, {}),
            (201, {}, PAID),
        ]
    )
    with Plaudit(flaky.url, org="o", secret="s") as plaudit:
        assert plaudit.credit("ann", "points", 1).transaction_id == "txn_1"
    assert len(set(flaky.came)) == 1
    assert flaky.came[0][0]
    assert pauses[2] == 3


def test_what_cannot_succeed_is_tried_once_and_what_never_does_a_few_times(monkeypatch):
    monkeypatch.setattr("plaudit.client.sync.time.sleep", lambda _: None)
    refused = Flaky([(400, {}, {"success": False, "error": {"message": "No", "code": "invalid", "details": [{"field": "amount", "message": "is wrong"}]}})])  # fmt: skip
    with Plaudit(refused.url) as plaudit, pytest.raises(PlauditError) as error:
        plaudit.credit("ann", "points", 1)
    assert (error.value.message, error.value.fields, len(refused.came)) == ("No", {"amount": "is wrong"}, 1)
    down = Flaky([(503, {}, {"message": "Down", "error": {"code": "unavailable"}})] * 9)
    with Plaudit(down.url, tries=3) as plaudit, pytest.raises(PlauditError) as error:
        plaudit.credit("ann", "points", 1)
    assert (error.value.code, len(down.came)) == ("unavailable", 3)
    strange = Flaky([(200, {}, {"data": {"nothing": "known"}})])
    with Plaudit(strange.url) as plaudit, pytest.raises(PlauditError) as error:
        plaudit.credit("ann", "points", 1)
    assert error.value.code == "unexpected_answer"


def test_a_webhooks_message_is_believed_only_with_its_signature():
    secret, other = secret_of(b"1" * 32), secret_of(b"2" * 32)
    body = msgspec.json.encode({"type": "x"})
    headers = signed_headers("msg_1", 1_000, body, [other, secret])
    assert verify_webhook(secret, headers, body, now=1_100) == {"type": "x"}
    for wrong in (
        {"secret": secret_of(b"3" * 32)}, {"body": body + b" "}, {"now": 1_301}, {"now": 600},
        {"headers": headers | {"webhook-id": "msg_2"}}, {"headers": {}}, {"headers": headers | {"webhook-timestamp": "x"}},
    ):  # fmt: skip
        call = {"secret": secret, "headers": headers, "body": body, "now": 1_100} | wrong
        with pytest.raises(InvalidSignature):
            verify_webhook(call["secret"], call["headers"], call["body"], now=call["now"])
