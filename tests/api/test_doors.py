"""CloudEvents and Segment's calls become actions like any other, once by their ids."""

import time

import httpx

from tests.journeys.conftest import ok

CE = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.shop.purchase", "subject": "ann"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}


def points(shop, user, wanted):
    deadline = time.monotonic() + 10
    while shop.get(f"/v1/profiles/{user}").json().get("data", {}).get("points") != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def pays(shop, trigger):
    campaign = {
        "name": "Pay",
        "triggers": [{"type": trigger}],
        "effects": [{"type": "add_points", "config": {"amount": 1}}],
    }
    ok(shop.post("/v1/campaigns", json=campaign), 201)


def test_cloud_events_structured_binary_and_in_batches(shop):
    pays(shop, "com.shop.purchase")
    first = shop.post("/v1/ingest/cloudevents", json=CE | {"data": {"amount": 5}}, headers=STRUCTURED)
    assert (first.status_code, first.json()["results"][0]["status"]) == (202, "accepted")
    again = shop.post("/v1/ingest/cloudevents", json=CE | {"data": {"amount": 5}}, headers=STRUCTURED)
    assert again.json()["results"][0]["status"] == "duplicate"
    binary = {f"ce-{name}": value for name, value in (CE | {"id": "2"}).items()}
    assert shop.post("/v1/ingest/cloudevents", json={"amount": 5}, headers=binary).status_code == 202
    batch = [CE | {"id": "3"}, CE | {"id": "4", "specversion": "0.3"}, CE | {"id": "1", "source": "/other"}]
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    found = shop.post("/v1/ingest/cloudevents", json=batch, headers=headers).json()
    assert [one["status"] for one in found["results"]] == ["accepted", "refused", "accepted"]
    assert found["results"][1]["error"]["details"][0]["field"] == "specversion"
    points(shop, "ann", 4)
    wrong = shop.post("/v1/ingest/cloudevents", json={"id": "1"}, headers=STRUCTURED)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "missing_fields")


def test_segments_libraries_find_their_calls(shop):
    pays(shop, "order_completed")
    secret = shop.headers["Authorization"].removeprefix("Bearer ")
    with httpx.Client(base_url=shop.base_url, auth=(secret, "")) as segment:
        event = {
            "event": "Order Completed",
            "userId": "bob",
            "messageId": "m-1",
            "properties": {"total": 9},
            "type": "track",
        }
        assert segment.post("/v1/track", json=event).json() == {"success": True}
        batch = {"batch": [event, event | {"messageId": "m-2"}, {"type": "identify", "userId": "bob"}]}
        told = segment.post("/v1/batch", json=batch).json()
        assert [one["status"] for one in told["results"]] == ["duplicate", "accepted"]
        assert segment.post("/v1/track", json={"event": "X"}).status_code == 400
        assert segment.get("/v1/products").status_code == 401  # only a way in
    points(shop, "bob", 2)
