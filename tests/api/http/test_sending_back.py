"""What a GET returned can be sent back by PUT: what is only shown is passed over if it is the same, and refused if not."""

import pytest

from plaudit.documents.kinds import KINDS
from tests.api.admin.test_dry_runs import DOCUMENTS
from tests.support.http import ok

KIND_OF = {
    document_kind.collection: document_kind for document_kind in KINDS.values() if document_kind.collection in DOCUMENTS
}


@pytest.fixture(scope="module")
def club(server_process):
    with server_process.client_of("Sending back", is_test=True) as client:
        ok(client.post("/v1/products", json={"productId": "ticket", "name": "T", "sku": "T", "type": "ticket"}), 201)
        yield client


@pytest.mark.parametrize("collection", sorted(DOCUMENTS))
def test_a_document_can_be_sent_back_and_makes_no_version(club, collection):
    id_field = KIND_OF[collection].id_field
    made = club.post(f"/v1/{collection}", json={id_field: "one", "name": "One", **DOCUMENTS[collection]})
    assert made.status_code == 201, made.text
    url = f"/v1/{collection}/one"
    read = ok(club.get(url))
    before = club.get("/v1/config").json()
    assert ok(club.put(url, json=read)) == read
    assert len(ok(club.get(f"{url}/versions"))["versions"]) == 1
    assert club.get("/v1/config").json() == before
    changed = ok(club.put(url, json=read | {"description": "Other"}))
    assert changed["version"] == 2
    for name in (id_field, "version", "createdAt", "createdBy", "orgId"):
        refused = club.put(url, json=changed | {name: "another"})
        assert refused.status_code == 400, refused.text
        (error,) = refused.json()["error"]["details"]
        assert error == {
            "field": name,
            "message": 'is read-only: it must be as it was returned, or absent (got "another")',
        }
    assert club.put(url, json={"version": 99, "name": "X"}).status_code == 400


def test_counts_are_only_shown(club):
    pool = club.post("/v1/code-pools", json={"poolId": "counted", "name": "C", "productId": "ticket"}).json()
    assert club.put("/v1/code-pools/counted", json=pool).status_code == 200
    refused = club.put("/v1/code-pools/counted", json=pool | {"availableCodes": 5}).json()
    assert refused["error"]["details"][0]["field"] == "availableCodes"


def test_what_creating_a_reward_returned_can_be_sent_back_too(club):
    reward = {"rewardId": "back", "name": "Back", "rewardType": "points", "config": {"amount": 1}}
    created = ok(club.post("/v1/rewards", json=reward), 201)["reward"]
    assert "orgStatusKey" in created
    assert ok(club.put("/v1/rewards/back", json=created))["version"] == 1


def test_settings_rules_profiles_and_the_profile_schema_too(club):
    settings = ok(club.get("/v1/settings"))
    assert ok(club.put("/v1/settings", json=settings))["version"] == settings["version"]
    ok(club.post("/v1/campaigns", json={"campaignId": "adv", "name": "A", "simplifiedMode": False}), 201)
    rule = {"ruleId": "r", "triggerType": "x", "effects": [{"type": "add_points", "amount": 1}]}
    ok(club.post("/v1/campaigns/adv/rules", json=rule), 201)
    rule = ok(club.get("/v1/campaigns/adv/rules"))["rules"][0]
    assert ok(club.put("/v1/campaigns/adv/rules/r", json=rule)) == rule
    ok(club.post("/v1/profiles", json={"userId": "ann", "city": "Rome", "email": "ann@example.com"}), 201)
    profile = ok(club.get("/v1/profiles/ann"))
    sent = ok(club.put("/v1/profiles/ann", json=profile | {"city": "Bath"}))
    assert (sent["city"], sent["email"]) == ("Bath", "ann@example.com")
    refused = club.put("/v1/profiles/ann", json=sent | {"points": 1_000})
    assert refused.json()["error"]["details"][0]["field"] == "points"
    ok(club.put("/v1/profiles/schema", json={"schema": {"fields": [{"name": "city", "type": "string"}]}}))
    schema = ok(club.get("/v1/profiles/schema"))
    assert ok(club.put("/v1/profiles/schema", json=schema)) == schema
    assert len(ok(club.get("/v1/profiles/schema/history"))["versions"]) == 1
    refused = club.put("/v1/profiles/schema", json=schema | {"version": "v9.0.0"})
    assert refused.json()["error"]["details"][0]["field"] == "version"


def test_applying_a_programme_that_is_in_force_makes_no_version_of_it(club):
    config = club.get("/v1/config").json()["data"]
    first = ok(club.put("/v1/config", json=config))
    second = ok(club.put("/v1/config", json=config))
    assert second["changes"] == []
    assert second["programVersion"] == first["programVersion"]
