"""Formulas as an administrator saves them and as events meet them: what is refused, by which name, and where."""

import asyncio
import json

import asyncpg
import pytest

from plaudit.storage.embedded import running_url
from tests.support.http import ok

WAIT = {"Prefer": "wait=30"}
PAID = [{"type": "add_points", "config": {"amount": 10}}]


def campaign(**more):
    return {"campaignId": "f", "name": "f", "triggers": [{"type": "p"}], "effects": PAID} | more


def act(shop, **more):
    return ok(shop.post("/api/audience/internal/actions", json={"userId": "v", "action": "p"} | more, headers=WAIT))


REFUSED = [
    (
        campaign(triggers=[{"type": "p", "conditions": {"expression": 'd("2024-01-01").format("%Q")'}}]),
        "triggers[0].conditions.expression",
        "is not a valid formula: format at character 17 cannot be evaluated: format does not know %Q",
    ),
    (
        campaign(effects=[{"type": "add_points", "config": {"amount": "count([0..9223372036854775807], true)"}}]),
        "effects[0].config.amount",
        "is not a valid formula: the range at character 7 must have at most 1,000 numbers",
    ),
    (
        campaign(
            triggers=[{"type": "p", "conditions": [{"field": "s", "operator": "matches", "value": r"(\w{90}){90}"}]}]
        ),
        "triggers[0].conditions[0].value",
        "must be a valid regular expression: bad repetition operator",
    ),
    (
        campaign(effects=[{"type": "notify", "config": {"message": "You have {{ points + }}"}}]),
        "effects[0].config.message",
        "is not a valid formula: it ends too early",
    ),
]


@pytest.mark.parametrize(("body", "field", "message"), REFUSED, ids=[case[1] for case in REFUSED])
def test_what_has_no_bound_is_refused_on_saving_with_its_field_and_its_position(shop, body, field, message):
    refused = shop.post("/v1/campaigns", json=body)
    assert refused.status_code == 400
    (detail,) = refused.json()["error"]["details"]
    assert detail["field"] == field
    assert detail["message"].startswith(message.split(": bad")[0])


def test_a_pattern_of_a_custom_field_is_linear_and_small(shop):
    made = {"name": "Code", "key": "code", "type": "string"}
    ok(shop.post("/v1/custom-fields", json=made | {"validation": {"pattern": "(a+)+b"}}), 201)
    refused = shop.post("/v1/custom-fields", json=made | {"key": "more", "validation": {"pattern": "(?=a)b"}})
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "validation.pattern"
    told = shop.post("/v1/profiles", json={"userId": "ann", "customFields": {"code": "a" * 1_500}})
    assert told.status_code == 400


def test_an_event_affects_only_the_formulas_that_read_what_they_cannot_compute(shop):
    amount = [{"type": "add_points", "config": {"amount": "floor(data.amount)"}}]
    score = [{"type": "add_points", "config": {"amount": "data.far * 10"}}]
    ok(shop.post("/v1/campaigns", json=campaign(effects=amount)), 201)
    ok(shop.post("/v1/campaigns", json=campaign(campaignId="g", effects=score)), 201)
    found = act(shop, eventId="E1", data={"amount": 10, "far": 9e27})
    assert found["processed"]
    event = ok(shop.get("/v1/events/E1"))
    assert event["status"] == "processed"
    explained = {
        value["campaignId"]: value["effects"][0] for value in ok(shop.get("/v1/events/E1/explain"))["campaigns"]
    }
    assert (explained["f"]["done"], explained["f"]["outcome"]) == (True, 10)
    assert (explained["g"]["reason"], explained["g"]["outcome"]) == ("amount_out_of_range", "a number is beyond 10^28")


def test_what_an_older_version_saved_is_out_of_force_alone_and_says_so(shop, server_process):
    ok(shop.post("/v1/campaigns", json=campaign()), 201)
    ok(shop.post("/v1/campaigns", json=campaign(campaignId="g")), 201)
    org_id = ok(shop.get("/v1/campaigns/f"))["orgId"]
    nested = [{"type": "p", "conditions": {"expression": "len(map([1..9], len(map([1..9], 1)))) > 0"}}]

    async def save_as_before():
        connection = await asyncpg.connect(running_url(server_process.folder / "postgres"))
        for table in ("documents", "document_versions"):  # events are decided again under the versions that are kept
            await connection.execute(
                f"UPDATE {table} SET doc = jsonb_set(doc, '{{triggers}}', $2::jsonb) WHERE org_id = $1 AND id = 'f'",
                org_id, json.dumps(nested),
            )  # fmt: skip
        await connection.close()

    asyncio.run(save_as_before())
    ok(shop.put("/v1/campaigns/g", json={"name": "Good"}))  # makes a version, which every process compiles
    reason = ok(shop.get("/v1/campaigns/f"))["outOfForce"]
    assert "map at character 21 must not be inside another map" in reason
    assert "outOfForce" not in ok(shop.get("/v1/campaigns/g"))
    assert act(shop, eventId="E2")["processed"]
    ok(shop.get("/v1/events/E2/explain"))
    assert ok(shop.get("/v1/profiles/v"))["points"] == 10
    ok(shop.put("/v1/campaigns/f", json={"triggers": [{"type": "p"}]}))
    assert "outOfForce" not in ok(shop.get("/v1/campaigns/f"))
    server_process.verify()
