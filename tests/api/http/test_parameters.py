"""The parameters of a query: each call takes its own, and says so of all others."""

import pytest

from plaudit.api.app import OPERATIONS
from tests.support.http import decided_event, ok

ASKED = [
    operation
    for operation in OPERATIONS
    if not operation.is_open and operation.scope is not None and not operation.any_field
]


def sent(client, operation, query):
    path = operation.path
    for word in path.split("/"):
        if word.startswith("{"):
            path = path.replace(word, "x")
    return client.request(operation.method, path, params=query, json={} if operation.body else None)


@pytest.mark.parametrize("operation", ASKED, ids=lambda operation: operation.name)
def test_an_unknown_parameter_is_refused_by_every_call(operation, http):
    response = sent(http, operation, {"surprise": "1"})
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert [detail["field"] for detail in error["details"]] == ["surprise"]
    assert "is not a parameter of this call" in error["details"][0]["message"]


def test_a_parameter_is_given_once(http):
    response = http.get("/v1/campaigns", params=[("status", "active"), ("status", "paused")])
    assert response.status_code == 400
    assert response.json()["error"]["details"] == [{"field": "status", "message": "must be given once"}]


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("/v1/campaigns", {"status": "live"}, "must be one of active, archived, completed, draft, paused (got 'live')"),
        ("/v1/campaigns", {"limit": "all"}, "must be a number from 1 to 100 (got 'all')"),
        ("/v1/users/schema", {"includeInactive": "yes"}, "must be true or false (got 'yes')"),
        ("/v1/code-pools", {"productId": "prod_no"}, "must reference an existing product (got 'prod_no')"),
        ("/v1/transactions", {"type": "gold"}, "must be one of credit, debit, points, xp, coins (got 'gold')"),
        ("/v1/transactions", {"currency": "gold"}, "must be one of points, xp, coins (got 'gold')"),
        ("/v1/transactions", {"campaignId": "no"}, "must reference an existing campaign (got 'no')"),
        ("/v1/transactions", {"since": "soon"}, "must be an ISO 8601 time, such as 2026-01-31T12:00:00Z (got 'soon')"),
        ("/v1/events", {"campaignId": "no"}, "must reference an existing campaign (got 'no')"),
        ("/v1/events", {"outcome": "won"}, "must be one of fired, refused, nothing (got 'won')"),
    ],
)
def test_a_filter_with_a_value_that_it_cannot_have_is_refused(shop, path, query, wanted):
    response = shop.get(path, params=query)
    assert response.status_code == 400
    (name,) = query
    assert response.json()["error"]["details"] == [{"field": name, "message": wanted}]


def test_an_unknown_reason_is_refused_and_so_are_filters_of_decided_events_for_others(http):
    assert "must be one of unknown_user," in http.get("/v1/events", params={"reason": "no"}).json()["error"]["message"]
    for status in ("queued", "failed"):
        response = http.get("/v1/events", params={"reason": "pool_empty", "status": status})
        assert response.status_code == 400
        assert response.json()["error"]["details"][0]["field"] == "reason"


def test_members_are_not_searched_by_a_field_that_the_schema_does_not_have(shop):
    ok(shop.put("/v1/profiles/schema", json={"schema": {"fields": [{"name": "club", "type": "string"}]}}))
    assert ok(shop.get("/v1/profiles", params={"club": "x", "email": "a@example.com"}))["profiles"] == []
    response = shop.get("/v1/profiles", params={"clubb": "x"})
    assert response.status_code == 400
    assert response.json()["error"]["details"][0]["field"] == "clubb"


@pytest.fixture
def bought(shop):
    """Two members: one bought twice, of which one is too little; the other has a credit by hand."""
    condition = {"field": "amount", "operator": ">=", "value": 10}
    effects = [{"type": "add_points", "amount": 5}, {"type": "add_metric", "metric": "coins", "amount": -1}]
    campaign = {"campaignId": "buy", "name": "Buy", "triggers": [{"type": "bought", "conditions": [condition]}]}
    ok(shop.post("/v1/campaigns", json=campaign | {"effects": effects}), 201)
    for key, amount, at in (("small", 1, "2026-01-01T00:00:00Z"), ("large", 20, "2026-01-02T00:00:00Z")):
        action = {"userId": "ann", "action": "bought", "data": {"amount": amount}, "timestamp": at, "eventId": key}
        shop.post("/api/audience/internal/actions", json=action)
    shop.post("/api/audience/internal/actions", json={"userId": "ann", "action": "looked", "eventId": "look"})
    decided_event(shop, "look")
    decided_event(shop, "large")
    ok(shop.post("/v1/transactions", json={"userId": "bob", "metric": "xp", "amount": 3}), 201)
    return shop


def test_transactions_are_filtered_by_what_they_show(bought):
    def found(**query):
        return {
            (transaction["userId"], transaction["metric"])
            for transaction in ok(bought.get("/v1/transactions", params=query))["transactions"]
        }

    everything = {("ann", "points"), ("bob", "xp")}
    assert found() == everything
    assert found(type="points") == found(currency="points") == found(metric="points") == {("ann", "points")}
    assert found(type="credit") == everything
    assert found(type="debit") == set()
    assert found(campaignId="buy") == {("ann", "points")}
    assert found(cause="manual") == {("bob", "xp")}
    assert found(cause="campaign") == found(cause="campaign.buy") == {("ann", "points")}
    assert found(campaignId="manual_grant") == found(cause="streak.daily") == found(cause="expiry") == set()
    for query in ({"cause": "by_hand"}, {"campaignId": "manual"}, {"campaignId": "buy", "cause": "manual"}):
        assert bought.get("/v1/transactions", params=query).status_code == 400
    assert found(since="2026-01-03") == {("bob", "xp")}
    assert found(until="2026-01-03") == {("ann", "points")}
    assert found(since="2026-01-02T00:00:00Z", until="2026-01-02T00:00:00.001Z") == {("ann", "points")}
    assert found(userId="ann", since="2026-01-03") == set()
    assert found(userId="bob", type="credit") == {("bob", "xp")}
    response = bought.get("/v1/transactions", params={"type": "points", "currency": "xp"})
    assert response.status_code == 400


def test_events_are_filtered_by_what_came_of_them(bought):
    def found(**query):
        return {event["eventId"] for event in ok(bought.get("/v1/events", params={"userId": "ann", **query}))["events"]}

    assert found() == {"small", "large", "look"}
    assert found(action="bought") == {"small", "large"}
    assert found(campaignId="buy") == found(cause="campaign.buy") == {"small", "large"}
    assert found(cause="manual") == found(cause="streak") == found(campaignId="manual_grant") == set()
    assert found(outcome="fired") == found(outcome="fired", campaignId="buy") == {"large"}
    assert found(outcome="refused") == {"small"}
    assert found(outcome="nothing") == found(outcome="nothing", campaignId="buy") == {"look"}
    assert found(reason="condition_failed") == {"small"}
    assert found(reason="balance_insufficient", campaignId="buy") == {"large"}  # of an effect
    assert found(reason="pool_empty") == set()
    assert found(since="2026-01-02", until="2026-01-03") == {"large"}
    assert found(status="queued", action="bought") == set()
