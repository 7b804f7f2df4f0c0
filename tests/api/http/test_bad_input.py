"""Every field, wrong in type, size, encoding or reference, is named in the documented error; nothing is half done."""

import pytest

from tests.support.eventually import eventually

ACTIONS = "/api/audience/internal/actions"
GOOD = {"userId": "ann", "action": "purchase"}
CAMPAIGN = {"name": "C", "triggers": [{"type": "t"}], "effects": [{"type": "add_points", "amount": 1}]}


def campaign(**wrong):
    return CAMPAIGN | wrong


def condition(**wrong):
    given = {"field": "amount", "operator": ">=", "value": 1} | wrong
    return campaign(triggers=[{"type": "t", "conditions": [given]}])


def recurring(rule):
    return campaign(mode="recurring", startDate="2026-01-31T00:00:00+01:00", recurrence={"rule": rule})


def effect(**given):
    return campaign(effects=[given])


WRONG = [
    ("POST", ACTIONS, {"action": "a"}, "userId"),
    ("POST", ACTIONS, {"userId": "ann"}, "action"),
    ("POST", ACTIONS, GOOD | {"userId": 7.5}, "userId"),
    ("POST", ACTIONS, GOOD | {"userId": ""}, "userId"),
    ("POST", ACTIONS, GOOD | {"userId": "u" * 300}, "userId"),
    ("POST", ACTIONS, GOOD | {"action": "with space"}, "action"),
    ("POST", ACTIONS, GOOD | {"action": "metric.changed"}, "action"),
    ("POST", ACTIONS, GOOD | {"timestamp": "yesterday"}, "timestamp"),
    ("POST", ACTIONS, GOOD | {"timestamp": "2999-01-01T00:00:00Z"}, "timestamp"),
    ("POST", ACTIONS, GOOD | {"data": [1]}, "data"),
    ("POST", ACTIONS, GOOD | {"metadata": "x"}, "metadata"),
    ("POST", ACTIONS, GOOD | {"eventId": "with space"}, "eventId"),
    ("POST", ACTIONS, GOOD | {"surprise": 1}, "surprise"),
    ("POST", "/v1/campaigns", {}, "name"),
    ("POST", "/v1/campaigns", campaign(name=""), "name"),
    ("POST", "/v1/campaigns", campaign(name=1), "name"),
    ("POST", "/v1/campaigns", campaign(status="live"), "status"),
    ("POST", "/v1/campaigns", campaign(surprise=1), "surprise"),
    ("POST", "/v1/campaigns", campaign(campaignId="with space"), "campaignId"),
    ("POST", "/v1/campaigns", effect(type="add_joy"), "effects[0].type"),
    ("POST", "/v1/campaigns", effect(type="add_points", amount="amount *"), "effects[0].config.amount"),
    ("POST", "/v1/campaigns", effect(type="add_metric", metric="none", amount=1), "effects[0].config.metric"),
    ("POST", "/v1/campaigns", effect(type="award_badge", productId="prod_none"), "effects[0].config.productId"),
    ("POST", "/v1/campaigns", condition(operator="near"), "triggers[0].conditions[0].operator"),
    ("POST", "/v1/campaigns", condition(field=""), "triggers[0].conditions[0].field"),
    ("POST", "/v1/campaigns", recurring("FREQ=DAILY;INTERVAL=0;BYDAY=MO"), "recurrence.rule"),
    ("POST", "/v1/campaigns", recurring("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), "recurrence.rule"),
    ("POST", "/v1/products", {"name": "P", "type": "badge", "codePoolId": "pool_none"}, "codePoolId"),
    ("POST", "/v1/metrics", {"metricId": "m_1", "name": "M", "decimals": 9}, "decimals"),
    ("POST", "/v1/code-pools", {"name": 1}, "name"),
    ("POST", "/v1/rewards/grant", {"rewardId": "rew_x"}, "userId"),
    ("GET", "/v1/campaigns?limit=0", None, "limit"),
    ("GET", "/v1/campaigns?limit=many", None, "limit"),
    ("GET", "/v1/campaigns?cursor=nonsense", None, "cursor"),
]


@pytest.mark.parametrize(("method", "path", "body", "field"), WRONG, ids=lambda value: str(value)[:60])
def test_the_field_is_named(http, method, path, body, field):
    response = http.request(method, path, json=body)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert response.json()["success"] is False
    assert field in [detail["field"] for detail in error["details"]], error


RAW = [
    (b"{", "bad_json"),
    (b'{"userId": "\xff"}', "bad_json"),
    (b'{"userId": "ann", "action": "a", "data": {"x": NaN}}', "bad_json"),
    (b'{"userId": "ann", "action": "a", "data": ' + b'{"x":' * 40 + b"1" + b"}" * 40 + b"}", "nested_too_deep"),
]


@pytest.mark.parametrize(("body", "code"), RAW)
def test_what_is_no_json_is_refused(http, body, code):
    response = http.post(ACTIONS, content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_a_body_beyond_a_mebibyte_is_refused(http):
    response = http.post(ACTIONS, json=GOOD | {"data": {"x": "x" * (1 << 20)}})
    assert response.status_code == 413


def test_the_character_that_the_database_cannot_keep_is_refused(http):
    for body in (GOOD | {"userId": "a\0b"}, GOOD | {"data": {"x": "a\0b"}}):
        assert http.post(ACTIONS, json=body).status_code == 400
    assert http.post("/v1/campaigns", json=campaign(name="a\0b")).status_code == 400


def test_one_bad_line_spoils_no_other(http):
    response = http.post(f"{ACTIONS}/batch", json=[GOOD, {"userId": "ann"}, 7, GOOD | {"eventId": "a-line"}])
    assert response.status_code == 202
    assert [result["status"] for result in response.json()["results"]] == ["accepted", "refused", "refused", "accepted"]
    assert response.json()["refused"] == 2


def test_a_backslash_before_u0000_is_no_such_character(http):
    assert http.post(ACTIONS, json=GOOD | {"data": {"x": "a\\u0000b"}}).status_code == 202


def test_a_batch_is_decided_in_the_order_in_which_it_was_reported(http):
    batch = [GOOD | {"userId": "orderly", "data": {"n": n}} for n in range(20)]
    assert http.post(f"{ACTIONS}/batch", json=batch).json()["accepted"] == 20

    def processed():
        rows = http.get("/v1/events", params={"userId": "orderly"}).json()["data"]["events"]
        return [row for row in rows if row["processed"]]

    eventually(lambda: len(processed()), 20)
    assert [row["data"]["n"] for row in processed()] == list(range(20))[::-1]  # the newest first
