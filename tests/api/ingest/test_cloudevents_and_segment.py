"""CloudEvents and Segment's calls become actions like any other, once by their ids."""

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.http import ok, processed_event

CE = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.shop.purchase", "subject": "ann"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}


def points(shop, user, wanted):
    eventually(lambda: shop.get(f"/v1/profiles/{user}").json().get("data", {}).get("points"), wanted)


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
    assert [result["status"] for result in found["results"]] == ["accepted", "refused", "accepted"]
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
        assert [result["status"] for result in told["results"]] == ["duplicate", "accepted", "accepted"]
        assert segment.post("/v1/track", json={"event": "X"}).status_code == 400
        assert segment.get("/v1/products").status_code == 401  # only a way in
    points(shop, "bob", 2)


def people(shop):
    return [profile["userId"] for profile in shop.get("/v1/profiles").json()["data"]["profiles"]]


# ----------------------------------------------------------------------------------------------------- CloudEvents


def test_the_data_of_a_cloud_event_may_be_base64(shop):
    event = CE | {"datacontenttype": "application/json", "data_base64": "eyJhbW91bnQiOiA3MH0="}
    told = ok(shop.post("/v1/ingest/cloudevents", json=event, headers=STRUCTURED), 202)
    assert processed_event(shop, told["results"][0]["eventId"])["data"] == {"amount": 70}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"data_base64": "not base64"}, "data_base64"),
        ({"data_base64": base64.b64encode(b"<xml/>").decode()}, "data_base64"),
        ({"data_base64": base64.b64encode(b"[1]").decode()}, "data_base64"),
        ({"data_base64": "e30=", "datacontenttype": "text/xml"}, "datacontenttype"),
        ({"data_base64": "e30=", "data": {"a": 1}}, "data_base64"),
        ({"data": "text"}, "data"),
        ({"type": "with space"}, "type"),
        ({"time": "2999-01-01T00:00:00Z"}, "time"),
    ],
)
def test_what_is_wrong_with_a_cloud_event_is_said_of_its_own_field(http, wrong, field):
    response = http.post("/v1/ingest/cloudevents", json=CE | wrong, headers=STRUCTURED)
    assert response.status_code == 400, response.text
    assert [error["field"] for error in response.json()["error"]["details"]] == [field]
    assert field in response.json()["error"]["message"]


def test_a_cloud_event_may_do_without_data(shop):
    for i, data in enumerate(({}, {"data": None})):
        told = ok(shop.post("/v1/ingest/cloudevents", json=CE | {"id": f"none-{i}"} | data, headers=STRUCTURED), 202)
        assert processed_event(shop, told["results"][0]["eventId"])["data"] == {}
    binary = {f"ce-{name}": value for name, value in (CE | {"id": "none"}).items()}
    told = ok(shop.post("/v1/ingest/cloudevents", content=b"", headers=binary), 202)
    assert processed_event(shop, told["results"][0]["eventId"])["data"] == {}


def test_extension_attributes_are_not_what_is_wrong(http):
    event = {name: value for name, value in CE.items() if name != "subject"} | {"comexample": "v"}
    response = http.post("/v1/ingest/cloudevents", json=event, headers=STRUCTURED)
    assert [error["field"] for error in response.json()["error"]["details"]] == ["subject"]


@pytest.mark.parametrize(
    "subject", [b"j%C3%BCrgen", "j\u00fcrgen".encode(), "j\u00fcrgen".encode("latin-1"), b'"j%C3%BCrgen"']
)
def test_the_headers_of_a_cloud_event_are_decoded(shop, subject):
    event = CE | {"subject": "j\u00fcrgen"}
    ok(shop.post("/v1/ingest/cloudevents", json=event | {"data": {}}, headers=STRUCTURED), 202)
    headers = [(f"ce-{name}".encode(), value.encode()) for name, value in (CE | {"id": "2"}).items()]
    headers = [(name, subject if name == b"ce-subject" else value) for name, value in headers]
    headers.append((b"content-type", b"application/json"))
    told = ok(shop.post("/v1/ingest/cloudevents", content=b'{"a": 1}', headers=headers), 202)
    processed_event(shop, told["results"][0]["eventId"])
    assert people(shop) == ["j\u00fcrgen"]


def test_a_cloud_event_that_is_no_json_is_refused_as_such(http):
    headers = {f"ce-{name}": value for name, value in CE.items()} | {"Content-Type": "text/xml"}
    assert http.post("/v1/ingest/cloudevents", content=b"<a/>", headers=headers).status_code == 415
    headers = {"Content-Type": "application/cloudevents+avro"}
    assert http.post("/v1/ingest/cloudevents", content=b"x", headers=headers).status_code == 415


# --------------------------------------------------------------------------------------------------------- Segment


def text(at):
    return at.isoformat().replace("+00:00", "Z")


def test_the_clock_of_a_device_is_corrected_by_when_it_sent(shop):
    ahead = datetime.now(UTC) + timedelta(minutes=12)
    call = {"type": "track", "event": "Late", "userId": "u", "timestamp": text(ahead - timedelta(seconds=90))}
    batch = {"batch": [call | {"messageId": "fast"}], "sentAt": text(ahead)}
    assert ok(shop.post("/v1/batch", json=batch))["success"] is True
    own = {"batch": [call | {"messageId": "own", "sentAt": text(ahead)}]}
    assert ok(shop.post("/v1/batch", json=own))["success"] is True
    ok(shop.post("/v1/track", json=call | {"messageId": "one", "sentAt": text(ahead)}))
    for name in ("fast", "own", "one"):
        happened = datetime.fromisoformat(processed_event(shop, name)["timestamp"])
        age = ahead - timedelta(minutes=12) - happened
        assert timedelta(seconds=30) < age <= timedelta(seconds=91), age
    refused = shop.post("/v1/batch", json={"batch": [call | {"messageId": "unsent"}]})
    assert (refused.status_code, refused.json()["success"]) == (400, False)


def test_what_segment_sends_and_nobody_takes_is_told(shop):
    good = {"type": "track", "event": "Seen", "userId": "u", "messageId": "good"}
    calls = [good, {"type": "page", "userId": "u", "name": "Home"}, {"type": "track", "event": "X"}, 7]
    told = shop.post("/v1/batch", json={"batch": calls})
    assert told.status_code == 400
    assert (told.json()["success"], told.json()["accepted"], told.json()["refused"]) == (False, 1, 3)
    assert [result["status"] for result in told.json()["results"]] == ["accepted", "refused", "refused", "refused"]
    assert told.json()["results"][1]["error"]["details"][0]["field"] == "type"
    assert told.json()["error"]["code"] == "partly_refused"
    again = shop.post("/v1/batch", json={"batch": [good]})
    assert (again.status_code, again.json()["results"][0]["status"]) == (200, "duplicate")
    for wrong in ({"batch": {}}, {}, {"batch": [], "sentAt": "soon"}):
        assert shop.post("/v1/batch", json=wrong).status_code == 400


def test_traits_go_into_the_profile(shop):
    traits = {
        "id": "zoe", "email": "Zoe@Example.com", "firstName": "Zoe", "birthday": "1990-05-01", "plan": "gold",
        "createdAt": "2020-01-01", "phone": None,
    }  # fmt: skip
    call = {"userId": "zoe", "traits": traits, "messageId": "i-1"}
    assert ok(shop.post("/v1/identify", json=call)) == {"success": True}
    profile = ok(shop.get("/v1/profiles/zoe"))
    assert {name: profile.get(name) for name in ("email", "firstName", "dateOfBirth", "plan", "signedUpAt")} == {
        "email": "zoe@example.com", "firstName": "Zoe", "dateOfBirth": "1990-05-01", "plan": "gold",
        "signedUpAt": "2020-01-01",
    }  # fmt: skip
    batch = [call | {"type": "identify"}, {"type": "identify", "userId": "zoe", "traits": {"plan": None}}]
    told = ok(shop.post("/v1/batch", json={"batch": batch}))
    assert [result["status"] for result in told["results"]] == ["duplicate", "accepted"]
    assert "plan" not in ok(shop.get("/v1/profiles/zoe"))
    wrong = shop.post("/v1/identify", json={"userId": "zoe", "traits": {"points": 5}})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["details"][0]["field"] == "traits.points"
    taken = shop.post("/v1/identify", json={"userId": "yan", "traits": {"email": "zoe@example.com"}})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "identity_taken")
    assert shop.post("/v1/identify", json={"traits": {"a": 1}}).status_code == 400


def test_a_key_that_may_only_report_actions_writes_no_profile(shop):
    made = ok(shop.post("/v1/api-keys", json={"name": "Segment", "scopes": ["actions:write"]}), 201)
    with httpx.Client(base_url=shop.base_url, auth=(made["apiSecret"], "")) as segment:
        call = {"type": "identify", "userId": "u", "traits": {"a": 1}}
        assert segment.post("/v1/identify", json=call).status_code == 403
        told = segment.post("/v1/batch", json={"batch": [call, {"type": "track", "event": "E", "userId": "u"}]})
    assert told.status_code == 400
    assert [result["status"] for result in told.json()["results"]] == ["refused", "accepted"]


NAMES = [
    "\u0417\u0430\u043a\u0430\u0437",
    "\u8d2d\u4e70",
    "\u767b\u5f55",
    "\u0915\u093f",
    "\u0915\u0940",
    "\U0001f389",
    "\U0001f525",
]


def test_names_in_any_script_stay_distinct(shop):
    for i, name in enumerate(NAMES):
        ok(shop.post("/v1/track", json={"event": f"{name} {name}", "userId": "n", "messageId": f"n-{i}"}))
    found = [processed_event(shop, f"n-{i}")["action"] for i in range(len(NAMES))]
    assert found == [f"{name.lower()}_{name.lower()}" for name in NAMES]
    pays(shop, found[0])
    ok(shop.post("/v1/track", json={"event": f"{NAMES[0]} {NAMES[0]}!", "userId": "paid", "messageId": "n-paid"}))
    points(shop, "paid", 1)
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    for name in (composed, decomposed):
        ok(shop.post("/v1/track", json={"event": name, "userId": "n", "messageId": f"c-{len(name)}"}))
    assert processed_event(shop, "c-4")["action"] == processed_event(shop, "c-5")["action"]
    assert shop.post("/v1/track", json={"event": "!?", "userId": "n"}).status_code == 400


# ------------------------------------------------------------------------------------------------------ compressed

TRACK = {"type": "track", "event": "Zipped", "userId": "zip"}


def raw_deflate(body):
    made = zlib.compressobj(wbits=-15)
    return made.compress(body) + made.flush()


def in_two_files(body):
    return gzip.compress(body[:9]) + gzip.compress(body[9:])


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("GZIP", in_two_files), ("deflate", zlib.compress),
        ("deflate", raw_deflate), ("identity", bytes),
    ],
)  # fmt: skip
def test_bodies_may_be_compressed(shop, encoding, compress):
    headers = {"Content-Encoding": encoding}
    body = compress(json.dumps({"batch": [TRACK | {"messageId": "z"}]}).encode())
    assert ok(shop.post("/v1/batch", content=body, headers=headers))["accepted"] == 1
    action = compress(b'{"userId": "zip", "action": "a"}')
    ok(shop.post("/api/audience/internal/actions", content=action, headers=headers), 202)
    lines = compress(b'{"userId": "zip"}\n' * 1 + b'{"userId": "zap"}\n')
    told = ok(shop.post("/v1/bulk/import", content=lines, headers=headers | {"Content-Type": "application/x-ndjson"}))
    assert (told["accepted"], told["refused"]) == (2, 0)


@pytest.mark.parametrize("path", ["/v1/batch", "/api/audience/internal/actions", "/v1/metrics", "/v1/bulk/import"])
def test_another_encoding_is_named(http, path):
    response = http.post(path, content=b"x", headers={"Content-Encoding": "br"})
    assert response.status_code == 415
    assert "Content-Encoding" in response.json()["error"]["message"]


def test_what_is_not_as_its_encoding_says_is_refused(http):
    whole = gzip.compress(json.dumps(TRACK).encode())
    for body in (b"plain", whole[:-9], whole[:12] + b"\xff" * 20):
        response = http.post("/v1/track", content=body, headers={"Content-Encoding": "gzip"})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_encoding")


@pytest.mark.parametrize(("path", "made"), [("/v1/batch", 1 << 30), ("/v1/metrics", 1 << 26)])
def test_a_bomb_is_not_blown_up(http, path, made):
    squeezing = zlib.compressobj(9, wbits=31)
    bomb = b"".join(squeezing.compress(bytes(1 << 20)) for _ in range(made >> 20)) + squeezing.flush()
    response = http.post(path, content=bomb, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 413, response.text
