"""The Python client against a real server: sync and async alike, tried again where that is safe."""

import asyncio
import inspect
import json
import re
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import msgspec
import plaudit_client
import pytest
from plaudit_client import (
    AsyncPlaudit,
    AsyncPlauditMember,
    InvalidSignature,
    Plaudit,
    PlauditError,
    PlauditMember,
    verify_webhook,
)
from plaudit_client.models import NewTransaction

import plaudit
from plaudit.api.app import OPERATIONS
from plaudit.delivery.signatures import secret_of, signed_headers
from plaudit.messages import payload_of
from tests.support.existing import existing
from tests.support.http import ok


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


def given(shop) -> dict[str, Any]:
    secret = shop.headers["Authorization"].removeprefix("Bearer ")
    return {"url": str(shop.base_url), "org": shop.headers["X-Monterosa-Org-ID"], "secret": secret}


def test_the_way_from_an_action_to_a_redeemed_product(shop, server_process):
    with Plaudit(**given(shop)) as plaudit:
        done = plaudit.report("ann", "buy", {"amount": 5}, event_id="ORD-1", wait=20)
        assert (done.event_id, done.processed) == ("ORD-1", True)
        plaudit.report("ann", "buy", {"amount": 5}, event_id="ORD-1")
        batch = plaudit.report_batch(
            [{"userId": "ann", "action": "buy", "eventId": "ORD-1", "data": {"amount": 5}}, {"userId": "ann"}]
        )
        assert (batch.duplicate, batch.refused) == (1, 1)
        plaudit.grant_reward({"userId": "ann", "rewardId": "r"})
        sorry = NewTransaction(user_id="ann", metric="points", amount=7, reason="Sorry")
        paid = plaudit.create_transaction(sorry, idempotency_key="sorry-1")
        assert (paid.amount, paid.balance_after) == (7, 22)
        again = plaudit.create_transaction(sorry, idempotency_key="sorry-1")
        assert again.transaction_id == paid.transaction_id
        assert plaudit.redeem_product("mug", {"userId": "ann"}).result.product_id == "mug"
        with pytest.raises(PlauditError) as refused:
            plaudit.redeem_product("mug", {"userId": "ann"})
        assert (refused.value.status, refused.value.code) == (409, "balance_insufficient")
        ann = plaudit.get_profile("ann")
        assert (ann.metrics["points"].balance, ann.inventory[0].product_id) == (7, "mug")
        assert plaudit.update_profile("ann", {"email": "ann@x.org"}).user_id == "ann"
        assert plaudit.request("GET", "/v1/profiles/ann")["email"] == "ann@x.org"
        amounts = [row.amount for row in plaudit.iterate(plaudit.list_transactions, user_id="ann", limit=2)]
        assert amounts == [-15, 7, 5, 10]
        assert plaudit.explain_event("ORD-1").event_id == "ORD-1"
        assert plaudit.enrol_member({"userId": "ben", "email": "ben@x.org"}).enrolled is True
        assert plaudit.request("GET", "/v1/campaigns", query={"limit": 1})["campaigns"][0]["name"] == "Buy"
        with pytest.raises(PlauditError) as wrong:
            plaudit.create_transaction({"userId": "ann", "metric": "gold", "amount": 1})
        assert "metric" in wrong.value.fields
        with pytest.raises(PlauditError) as missing:
            plaudit.get_profile("no body/at all?")
        assert missing.value.status == 404
        assert plaudit.get_profile_schema().is_active is True
        with pytest.raises(PlauditError) as nobody:
            plaudit.get_profile("schema")
        assert nobody.value.status == 404
        assert plaudit.check_readiness().status == "ready"
    with PlauditMember(str(shop.base_url), token=server_process.token_of(shop, "ann")) as own:
        assert own.get_me().user_id == "ann"
        assert [note.message for note in own.iterate(own.list_my_notifications, limit=1)] == ["Thanks"]
        events = own.stream_my_notifications(last_event_id="0")
        assert [next(events).event for _ in range(2)] == ["ready", "notification"]
        events.close()
        assert own.get_widget().startswith(b"/")


def test_nothing_of_a_profile_is_lost(shop, server_process):
    written = {
        "email": "fay@x.org",
        "country": "PT",
        "tags": ["early"],
        "shoeSize": 39,
        "additionalProperties": {"a": 1},
    }
    with Plaudit(**given(shop)) as plaudit:
        plaudit.create_profile({"userId": "fay", **written})
        fay = plaudit.get_profile("fay")
        assert (fay.email, fay.country, fay.tags, fay.phone) == ("fay@x.org", "PT", ["early"], None)
        assert fay.additional_properties == {"shoeSize": 39, "additionalProperties": {"a": 1}}
        plain = plaudit.request("GET", "/v1/profiles/fay")
        assert everything_in(fay) == not_null(plain)
        listed = next(profile for profile in plaudit.list_profiles(limit=100).profiles if profile.user_id == "fay")
        assert everything_in(listed) == not_null(plain)
        users = plaudit.get_audience_profile(user_ids="fay").users
        assert (existing(users[0].data).email, existing(users[0].data).additional_properties["shoeSize"]) == (
            "fay@x.org",
            39,
        )
        assert plaudit.look_up_user("fay@x.org").additional_properties["shoeSize"] == 39
    with PlauditMember(str(shop.base_url), token=server_process.token_of(shop, "fay")) as own:
        for view, path in ((own.get_me(), "/api/loyalty/me"), (own.get_my_profile(), "/api/loyalty/me/profile")):
            assert (view.country, view.additional_properties["shoeSize"]) == ("PT", 39)
            assert everything_in(view) == not_null(own.request("GET", path))


def everything_in(profile):
    """A profile of the client's as the API sends it, without what is null."""
    fields = msgspec.to_builtins(profile)
    further = fields.pop("")
    return json.loads(re.sub(r"(\.\d{3})000Z", r"\1Z", json.dumps(further | fields)))


def not_null(fields):
    return {name: value for name, value in fields.items() if value is not None}


def test_any_write_can_be_tried_out(shop, server_process):
    with Plaudit(**given(shop)) as plaudit:
        tried = plaudit.dry_run(plaudit.create_transaction, {"userId": "gil", "metric": "points", "amount": 4})
        assert (tried.data.amount, existing(tried.dry_run).transactions[0].balance_after) == (4, 4)
        reported = plaudit.dry_run(plaudit.report, "gil", "buy", {"amount": 5})
        assert (existing(reported.dry_run).event_count, existing(reported.dry_run).transactions[0].amount) == (1, 10)
        assert plaudit.dry_run(plaudit.create_profile, {"userId": "gil"}).data.user_id == "gil"
        with pytest.raises(PlauditError) as refused:
            plaudit.dry_run(plaudit.redeem_product, "mug", {"userId": "gil"})
        assert refused.value.status == 404
        with pytest.raises(PlauditError) as nobody:
            plaudit.get_profile("gil")
        assert nobody.value.status == 404
        plaudit.create_transaction({"userId": "gil", "metric": "points", "amount": 20})
    with PlauditMember(str(shop.base_url), token=server_process.token_of(shop, "gil")) as own:
        tried = own.dry_run(own.redeem_my_product, "mug")
        assert (tried.data.result.product_id, existing(tried.dry_run).transactions[0].amount) == ("mug", -15)

    async def go():
        async with AsyncPlaudit(**given(shop)) as plaudit:
            tried = await plaudit.dry_run(plaudit.grant_reward, {"userId": "gil", "rewardId": "r"})
            return tried, await plaudit.get_profile("gil")

    tried, gil = asyncio.run(go())
    assert (existing(tried.dry_run).transactions[0].amount, gil.metrics["points"].balance) == (5, 20)


def test_lines_go_in_and_come_out(shop):
    with Plaudit(**given(shop)) as plaudit:
        report = plaudit.import_records(b'{"userId": "dee"}\n{"userId": "eva"}\n')
        assert report.accepted == 2
        lines = list(plaudit.export_records(format="ndjson"))
        assert sum(msgspec.json.decode(line).get("userId") in ("dee", "eva") for line in lines if line) == 2


def test_the_asynchronous_clients_have_the_same_methods(shop, server_process):
    async def go():
        async with AsyncPlaudit(**given(shop)) as plaudit:
            done = await asyncio.gather(*(plaudit.report("cy", "buy", event_id=f"A-{i}", wait=20) for i in range(5)))
            cy = await plaudit.get_profile("cy")
        async with AsyncPlauditMember(str(shop.base_url), token=server_process.token_of(shop, "cy")) as own:
            events = own.stream_my_notifications(last_event_id="0")
            seen = [(await anext(events)).event for _ in range(2)]
            await events.aclose()
        return done, cy, seen

    done, cy, seen = asyncio.run(go())
    assert all(receipt.processed for receipt in done)
    assert (cy.metrics["points"].balance, seen) == (50, ["ready", "notification"])


@pytest.mark.parametrize(("waiting", "asynchronous"), [(Plaudit, AsyncPlaudit), (PlauditMember, AsyncPlauditMember)])
def test_both_ways_of_calling_look_alike(waiting, asynchronous):
    def parameters(function):
        return [(name, value.default) for name, value in inspect.signature(function).parameters.items()]

    public = {name for name, _ in inspect.getmembers(waiting, inspect.isfunction) if not name.startswith("_")}
    for name in public:
        one, other = getattr(waiting, name), getattr(asynchronous, name)
        assert parameters(one) == parameters(other), name
        assert one.__doc__ == other.__doc__


def test_every_operation_is_a_method_of_the_client_that_may_call_it():
    def named(operation):
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation.name)

    for operation in OPERATIONS:
        if operation.scope is not None:
            assert callable(getattr(Plaudit, named(operation)))
        if operation.member:
            assert callable(getattr(PlauditMember, named(operation)))
        assert hasattr(Plaudit, named(operation)) or hasattr(PlauditMember, named(operation))


def test_the_client_is_of_the_servers_version():
    assert plaudit_client.__version__ == plaudit.__version__


class Flaky:
    """A server that fails as told, and remembers what came."""

    def __init__(self, responses) -> None:
        self.responses = list(responses)
        self.came = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.came.append((self.headers.get("Idempotency-Key"), body))
                status, headers, response = outer.responses[len(outer.came) - 1]
                if status == 0:
                    return self.connection.close()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(response).encode())
                return None

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


ONE_POINT = {"userId": "ann", "metric": "points", "amount": 1}
PAID = {"data": {"transactionId": "txn_1", "userId": "ann", "metric": "points", "amount": 1, "balanceAfter": 1, "campaignId": None, "cause": {"kind": "manual", "id": None}, "occurredAt": "2026-11-21T00:00:00.000Z", "orgId": "o", "type": "points", "eventId": "evt_1", "reason": None, "createdAt": "2026-11-21T00:00:00.000Z", "reverses": None}}  # fmt: skip


def test_a_write_is_tried_again_with_the_same_key(monkeypatch):
    pauses = []
    monkeypatch.setattr("plaudit_client.transport.time.sleep", pauses.append)
    flaky = Flaky(
        [
            (0, {}, {}),
            (409, {}, {"error": {"code": "in_progress"}}),
            (429, {"Retry-After": "3"}, {}),
            (201, {}, PAID),
        ]
    )
    with Plaudit(flaky.url, org="o", secret="s") as plaudit:
        assert plaudit.create_transaction(ONE_POINT).transaction_id == "txn_1"
    assert len(set(flaky.came)) == 1
    assert flaky.came[0][0]
    assert pauses[2] == 3


def test_what_cannot_succeed_is_tried_once_and_what_never_does_a_few_times(monkeypatch):
    monkeypatch.setattr("plaudit_client.transport.time.sleep", lambda _: None)
    refused = Flaky([(400, {}, {"success": False, "error": {"message": "No", "code": "invalid", "details": [{"field": "amount", "message": "is wrong"}]}})])  # fmt: skip
    with Plaudit(refused.url, org="o", secret="s") as plaudit, pytest.raises(PlauditError) as error:
        plaudit.create_transaction(ONE_POINT)
    assert (error.value.message, error.value.fields, len(refused.came)) == ("No", {"amount": "is wrong"}, 1)
    down = Flaky([(503, {}, {"message": "Down", "error": {"code": "unavailable"}})] * 9)
    with Plaudit(down.url, org="o", secret="s", tries=3) as plaudit, pytest.raises(PlauditError) as error:
        plaudit.create_transaction(ONE_POINT)
    assert (error.value.code, len(down.came)) == ("unavailable", 3)
    strange = Flaky([(200, {}, {"nothing": "known"})])
    with Plaudit(strange.url, org="o", secret="s") as plaudit, pytest.raises(PlauditError) as error:
        plaudit.create_transaction(ONE_POINT)
    assert error.value.code == "unexpected_response"


def test_a_webhooks_message_is_believed_only_with_its_signature():
    secret, other = secret_of(b"1" * 32), secret_of(b"2" * 32)
    body = payload_of(UUID(int=1), "x", UUID(int=2), datetime(2026, 1, 1, tzinfo=UTC), {"n": 1}, user_id="ann").encode()
    headers = signed_headers("msg_1", 1_000, body, [other, secret])
    message = verify_webhook(secret, headers, body, now=1_100)
    assert (message.type, message.user_id, message.data) == ("x", "ann", {"n": 1})
    for wrong in (
        {"secret": secret_of(b"3" * 32)}, {"body": body + b" "}, {"now": 1_301}, {"now": 600},
        {"headers": headers | {"webhook-id": "msg_2"}}, {"headers": {}}, {"headers": headers | {"webhook-timestamp": "x"}},
    ):  # fmt: skip
        call: dict[str, Any] = {"secret": secret, "headers": headers, "body": body, "now": 1_100} | wrong
        with pytest.raises(InvalidSignature):
            verify_webhook(call["secret"], call["headers"], call["body"], now=call["now"])
