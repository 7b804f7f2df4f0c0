"""What senders write in another way and mean the same: numbers for ids, null for nothing, dates, marks, order of keys."""

from uuid import uuid4

import pytest

from tests.support.http import ok, processed_event

ACTIONS = "/api/audience/internal/actions"
BOM = b"\xef\xbb\xbf"
NDJSON = {"Content-Type": "application/x-ndjson"}


def members(shop):
    return {profile["userId"] for profile in shop.get("/v1/profiles").json()["data"]["profiles"]}


# ------------------------------------------------------------------------------------------------ numbers for ids

SHOPIFY = {
    "userId": 7064055069300,
    "action": "purchase_completed",
    "timestamp": "2025-01-23T23:10:15-05:00",
    "data": {"orderId": 6200407294252, "amount": 186.9, "currency": "HKD"},
    "metadata": {"source": "shopify", "orderNumber": "#1071"},
}


def test_a_number_as_a_user_id_means_its_decimal_text(shop):
    ok(shop.post(ACTIONS, json=SHOPIFY | {"eventId": 6200407294252}), 202)
    assert processed_event(shop, "6200407294252")["userId"] == "7064055069300"
    batch = [{"userId": 7064055069300, "action": "a"}, {"userId": 12345, "action": "a", "eventId": 1}]
    assert shop.post(f"{ACTIONS}/batch", json=batch).json()["accepted"] == 2
    processed_event(shop, "1")
    track = {"userId": 12345, "event": "Order Completed", "messageId": "m1"}
    assert shop.post("/v1/track", json=track).status_code == 200
    cloud = {"specversion": "1.0", "id": "c", "source": "/s", "type": "t", "subject": 12345, "data": {}}
    headers = {"Content-Type": "application/cloudevents+json"}
    ok(shop.post("/v1/ingest/cloudevents", json=cloud, headers=headers), 202)
    told = ok(shop.post("/v1/bulk/import", content=b'{"userId":12345}\n', headers=NDJSON), 200)
    assert (told["accepted"], told["refused"]) == (1, 0)
    told = ok(shop.post("/v1/bulk/update", content=b'{"userId":12345,"a":1}\n', headers=NDJSON), 200)
    assert (told["accepted"], told["refused"]) == (1, 0)
    assert members(shop) == {"7064055069300", "12345"}


def test_a_number_names_the_member_in_whatever_is_done_by_hand(shop):
    ok(shop.post("/v1/profiles", json={"userId": 77}), 201)
    ok(shop.put("/v1/profiles/77", json={"userId": 77, "city": "Bern"}), 200)
    reward = ok(shop.post("/v1/rewards", json={"name": "R", "rewardType": "points", "config": {"amount": 5}}), 201)[
        "reward"
    ]
    grant = ok(shop.post("/v1/rewards/grant", json={"rewardId": reward["rewardId"], "userId": 77}), 200)
    assert grant["result"]["userId"] == "77"
    ok(shop.post("/v1/transactions", json={"userId": 77, "metric": "points", "amount": 10}), 201)
    ok(shop.post("/v1/transfers", json={"userId": 77, "toUserId": 78, "metric": "points", "amount": 4}), 201)
    credit = {"userId": 77, "metric": "points", "amount": 1, "expiresAt": "2999-01-01", "reason": None}
    ok(shop.post("/v1/transactions", json=credit), 201)
    enrolled = shop.post("/v1/users/enroll", json={"userId": 79, "email": "n@example.com", "referredBy": 77})
    assert ok(enrolled, 201)["userId"] == "79"
    segment = {"name": "S", "type": "static", "userIds": [77]}
    segment_id = ok(shop.post("/v1/segments", json=segment), 201)["segmentId"]
    ok(shop.post(f"/v1/segments/{segment_id}/members", json={"userId": 79, "member": True}), 200)
    assert ok(shop.get("/v1/profiles/77"), 200)["points"] == 12


@pytest.mark.parametrize(("given", "meant"), [(0, "0"), (-7, "-7"), (7.0, "7"), (2**63 - 1, "9223372036854775807")])
def test_whole_numbers_are_ids(shop, given, meant):
    event_id = f"whole-{uuid4()}"
    ok(shop.post(ACTIONS, json={"userId": given, "action": "a", "eventId": event_id}), 202)
    assert processed_event(shop, event_id)["userId"] == meant


@pytest.mark.parametrize("given", [7.5, 1e20, 10**30, True, ["7"], {"id": 7}])
def test_what_is_no_whole_number_is_no_id(http, given):
    response = http.post(ACTIONS, json={"userId": given, "action": "a"})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["error"]["details"]] == ["userId"]


# ---------------------------------------------------------------------------------------------- null, dates, marks


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (ACTIONS, {"userId": "u", "action": "a", "timestamp": None, "eventId": None, "email": None}, 202),
        (ACTIONS, {"userId": "u", "action": "a", "data": None}, 202),
        (ACTIONS, {"userId": "u", "action": "a", "metadata": None}, 202),
        ("/v1/track", {"userId": "u", "event": "a", "properties": None, "context": None, "timestamp": None}, 200),
        ("/v1/metrics", {"metricId": "m_null", "name": "M", "decimals": None, "expiry": None}, 201),
        ("/v1/rewards", {"name": "R", "rewardType": "points", "config": {"amount": 5}, "description": None}, 201),
        (
            "/v1/campaigns",
            {
                "name": "C",
                "description": None,
                "triggers": [{"type": "t", "conditions": None}],
                "effects": [{"type": "add_points", "config": {"amount": 1, "reason": None}}],
                "limit": None,
                "startDate": "2026-01-01",
            },
            201,
        ),
        (
            "/v1/users/enroll",
            {"userId": "nulls", "email": "nulls@example.com", "source": None, "welcomeBonus": {"xp": None}},
            201,
        ),
    ],
)
def test_null_says_nothing_where_a_field_may_be_absent(shop, path, body, status):
    assert shop.post(path, json=body).status_code == status


def test_null_is_no_value_of_a_field_that_must_be_there(http):
    response = http.post(ACTIONS, json={"userId": "u", "action": None})
    assert response.status_code == 400
    assert [error["field"] for error in response.json()["error"]["details"]] == ["action"]


def test_a_day_without_a_time_of_day_begins_at_midnight(shop):
    body = {"userId": "day", "action": "a", "timestamp": "2026-01-02", "eventId": f"day-{uuid4()}"}
    ok(shop.post(ACTIONS, json=body), 202)
    assert processed_event(shop, body["eventId"])["timestamp"].startswith("2026-01-02T00:00:00")
    assert shop.post(ACTIONS, json=body | {"timestamp": "2026-02-30"}).status_code == 400


def test_no_body_is_an_object_without_fields(shop):
    made = shop.post("/v1/segments/preview", content=b"")
    assert made.status_code == 400
    response = shop.post(ACTIONS, content=b"")
    assert [error["field"] for error in response.json()["error"]["details"]] == ["action"]


@pytest.mark.parametrize("action", ["product.viewed", "campaign.opened", "reward.claimed", "segment.joined", "step.1"])
def test_ones_own_actions_may_be_called_like_families_of_the_engines(http, action):
    assert http.post(ACTIONS, json={"userId": "u", "action": action}).status_code == 202


@pytest.mark.parametrize("action", ["product.received", "campaign.completed", "segment.entered", "user_enrolled"])
def test_what_the_engine_fires_itself_is_nobody_elses(http, action):
    assert http.post(ACTIONS, json={"userId": "u", "action": action}).status_code == 400


def test_a_byte_order_mark_before_json_is_no_part_of_it(shop):
    one, two = b'{"userId":"b","action":"x"}', b'{"userId":"c","action":"x"}'
    for body in (b"[" + one + b"," + two + b"]", one + b"\n" + two):
        told = shop.post(f"{ACTIONS}/batch", content=BOM + body).json()
        assert (told["accepted"], told["refused"]) == (2, 0)
    assert shop.post(ACTIONS, content=BOM + one).status_code == 202
    assert shop.post("/v1/metrics", content=BOM + b'{"metricId":"bom","name":"M"}').status_code == 201


# -------------------------------------------------------------------------------------------------- the same event


def test_the_same_event_may_be_written_in_another_order(shop):
    first = {"userId": "k", "action": "p", "eventId": f"K-{uuid4()}", "data": {"amount": 5, "currency": "EUR"}}
    swapped = {"data": {"currency": "EUR", "amount": 5}} | {key: first[key] for key in ("eventId", "action", "userId")}
    fraction = first | {"data": {"amount": 5.0, "currency": "EUR"}}
    for again in (first, swapped, fraction):
        ok(shop.post(ACTIONS, json=again), 202)
        told = shop.post(f"{ACTIONS}/batch", json=[again]).json()
        assert (told["duplicate"], told["refused"]) == (1, 0)
        ok(shop.post(ACTIONS, json=again, headers={"Prefer": "wait=30"}), 200)
    other = first | {"data": {"amount": 6, "currency": "EUR"}}
    for headers in ({}, {"Prefer": "wait=30"}):
        response = shop.post(ACTIONS, json=other, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (422, "idempotency_mismatch")
    told = shop.post(f"{ACTIONS}/batch", json=[other]).json()
    assert told["results"][0]["error"]["code"] == "idempotency_mismatch"


def test_the_same_line_may_be_written_in_another_order(shop):
    name = b'{"userId":"r","firstName":"A","lastName":"B","metrics":{"points":5}}\n'
    two = b'{"metrics":{"points":5.0},"lastName":"B","firstName":"A","userId":"r"}\n'
    assert ok(shop.post("/v1/bulk/import", content=name, headers=NDJSON), 200)["accepted"] == 1
    told = ok(shop.post("/v1/bulk/import", content=two, headers=NDJSON), 200)
    assert (told["unchanged"], told["refused"]) == (1, 0)


def test_a_cloud_event_with_another_content_has_the_same_status_as_an_action(shop):
    event = {"specversion": "1.0", "id": f"{uuid4()}", "source": "/s", "type": "t", "subject": "u", "data": {"a": 1}}
    headers = {"Content-Type": "application/cloudevents+json"}
    ok(shop.post("/v1/ingest/cloudevents", json=event, headers=headers), 202)
    assert shop.post("/v1/ingest/cloudevents", json=event | {"data": {"a": 2}}, headers=headers).status_code == 422
    track = {"userId": "u", "event": "e", "messageId": f"{uuid4()}", "properties": {"a": 1}}
    ok(shop.post("/v1/track", json=track), 200)
    assert shop.post("/v1/track", json=track | {"properties": {"a": 2}}).status_code == 422
