"""What campaigns have besides CRUD: their statuses, and the rules of advanced mode."""

from collections.abc import Awaitable, Callable
from typing import Any

from plaudit import clock
from plaudit.api.http.operations import PAGING, Call, Operation, OperationResult
from plaudit.api.http.schemas import document_schema, object_of, versions_schema
from plaudit.api.http.wire import Json, time_text
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, Invalid, NotFound, invalid_fields
from plaudit.storage import documents
from plaudit.storage.documents import StoredDocument
from plaudit.storage.postgres import Connection, atomic

from .document_operations import change_of, delete_document, document_view, new_id_of, update_document, version_lister

CAMPAIGN = KINDS["campaign"]
RULE = KINDS["rule"]
RULES_MAX = 1_000


def _to_status(status: str) -> Callable[[Call], Awaitable[Json]]:
    async def run(call: Call) -> Json:
        return await update_document(call, CAMPAIGN, call.path["campaignId"], {"status": status})

    return run


async def duplicate(call: Call) -> Json:
    """A copy of a campaign, with its rules, as a draft of its own."""
    async with call.services.pool.acquire() as connection, atomic(connection):
        campaign = await documents.fetch(connection, call.org_id, CAMPAIGN, call.path["campaignId"])
        filters = {"campaignId": campaign.id}
        rules = await documents.fetch_page(connection, call.org_id, RULE, after=0, filters=filters, size=RULES_MAX)
        copy_id = f"{CAMPAIGN.id_prefix}{clock.new_uuid7()}"
        raw = campaign.doc | {"name": f"{campaign.doc['name']} (copy)"[:200], "status": "draft"}
        stored = await documents.create(connection, change_of(call, CAMPAIGN, copy_id), raw, campaign.doc)
        for rule in rules:
            change = change_of(call, RULE, f"{RULE.id_prefix}{clock.new_uuid7()}")
            await documents.create(connection, change, rule.doc | {"campaignId": copy_id}, rule.doc)
    await call.services.programmes.refresh(call.org_id)
    return document_view(call, CAMPAIGN, stored)


async def list_rules(call: Call) -> Json:
    """The rules of a campaign; those of simple mode are generated from its triggers."""
    async with call.services.pool.acquire() as connection:
        campaign = await documents.fetch(connection, call.org_id, CAMPAIGN, call.path["campaignId"])
        if campaign.doc["simplifiedMode"]:
            return {"rules": _generated(call, campaign)}
        filters = {"campaignId": campaign.id}
        rules = await documents.fetch_page(connection, call.org_id, RULE, after=0, filters=filters, size=RULES_MAX)
    return {"rules": [document_view(call, RULE, rule) for rule in rules]}


def _generated(call: Call, campaign: StoredDocument) -> list[Json]:
    """Simple mode owns its rules: one for each trigger."""
    return [
        {
            "orgId": str(call.org_id),
            "ruleId": f"rule_{campaign.id.removeprefix('camp_')}_{number}",
            **RULE.write(
                {
                    "campaignId": campaign.id,
                    "triggerType": trigger["type"],
                    "conditions": trigger.get("conditions"),
                    "effects": campaign.doc["effects"],
                    "priority": 5,
                    "enabled": True,
                }
            ),
            "version": campaign.version,
            "createdAt": time_text(campaign.created_at),
            "updatedAt": time_text(campaign.updated_at),
            "createdBy": campaign.created_by,
        }
        for number, trigger in enumerate(campaign.doc["triggers"])
    ]


async def create_rule(call: Call) -> Json:
    """Write a rule into a campaign in advanced mode."""
    rule_id, body = new_id_of(RULE, call.body)
    campaign_id = call.path["campaignId"]
    if body.setdefault("campaignId", campaign_id) != campaign_id:
        raise invalid_fields([FieldError("campaignId", "must be the campaign of the path")])
    async with call.services.pool.acquire() as connection:
        campaign = await documents.fetch(connection, call.org_id, CAMPAIGN, campaign_id)
        if campaign.doc["simplifiedMode"]:
            raise Invalid(
                "Campaign is in simple mode: its rules are generated and cannot be created", code="simple_mode"
            )
        stored = await documents.create(connection, change_of(call, RULE, rule_id), body)
    await call.services.programmes.refresh(call.org_id)
    return document_view(call, RULE, stored)


async def _rule_of_campaign(connection: Connection, call: Call) -> StoredDocument:
    try:
        rule = await documents.fetch(connection, call.org_id, RULE, call.path["ruleId"])
    except NotFound:
        await documents.fetch(connection, call.org_id, CAMPAIGN, call.path["campaignId"])
        raise
    if rule.doc["campaignId"] != call.path["campaignId"]:
        raise Invalid("Rule belongs to a different campaign", code="other_campaign")
    return rule


async def get_rule(call: Call) -> Json:
    """One rule of a campaign, also one that simple mode has generated."""
    async with call.services.pool.acquire() as connection:
        campaign = await documents.fetch(connection, call.org_id, CAMPAIGN, call.path["campaignId"])
        if not campaign.doc["simplifiedMode"]:
            return document_view(call, RULE, await _rule_of_campaign(connection, call))
    found = next((row for row in _generated(call, campaign) if row["ruleId"] == call.path["ruleId"]), None)
    if found is None:
        raise NotFound("Rule not found", code="rule_not_found")
    return found


async def update_rule(call: Call) -> Json:
    """Change a rule: the fields given, no others."""
    async with call.services.pool.acquire() as connection:
        rule = await _rule_of_campaign(connection, call)
    return await update_document(call, RULE, rule.id, call.body)


async def delete_rule(call: Call) -> OperationResult:
    """Take a rule away."""
    async with call.services.pool.acquire() as connection:
        rule = await _rule_of_campaign(connection, call)
    await delete_document(call, RULE, rule.id)
    return OperationResult(data=None, status=204)


_CAMPAIGN = document_schema(CAMPAIGN)
_RULE = document_schema(RULE)
_ONE_CAMPAIGN: dict[str, Any] = {"scope": "admin:write", "tag": "Campaigns", "answer": _CAMPAIGN}

OPERATIONS = [
    Operation(
        name="duplicateCampaign",
        method="POST",
        path="/v1/campaigns/{campaignId}/duplicate",
        summary="Duplicate a campaign as a draft",
        run=duplicate,
        status=201,
        errors=(400, 404),
        **_ONE_CAMPAIGN,
    ),
    *(
        Operation(
            name=f"{verb}Campaign",
            method="POST",
            path=f"/v1/campaigns/{{campaignId}}/{verb}",
            summary=f"{verb.capitalize()} a campaign",
            run=_to_status(status),
            errors=(400, 404),
            **_ONE_CAMPAIGN,
        )
        for verb, status in (("activate", "active"), ("pause", "paused"), ("archive", "archived"))
    ),
    Operation(
        name="listRules",
        method="GET",
        path="/v1/campaigns/{campaignId}/rules",
        summary="List a campaign's rules",
        run=list_rules,
        scope="admin:read",
        tag="Rules",
        answer=object_of({"rules": {"type": "array", "items": _RULE}}),
        errors=(400, 404),
    ),
    Operation(
        name="createRule",
        method="POST",
        path="/v1/campaigns/{campaignId}/rules",
        summary="Create a rule in an advanced-mode campaign",
        run=create_rule,
        scope="admin:write",
        tag="Rules",
        body={"type": "object"},
        answer=_RULE,
        status=201,
        errors=(400, 404, 409, 413),
    ),
    Operation(
        name="getRule",
        method="GET",
        path="/v1/campaigns/{campaignId}/rules/{ruleId}",
        summary="Get a rule",
        run=get_rule,
        scope="admin:read",
        tag="Rules",
        answer=_RULE,
        errors=(400, 404),
    ),
    Operation(
        name="listRuleVersions",
        method="GET",
        path="/v1/campaigns/{campaignId}/rules/{ruleId}/versions",
        summary="List the versions of a rule",
        run=version_lister(RULE),
        scope="admin:read",
        tag="Rules",
        answer=versions_schema(),
        query=PAGING,
        errors=(400, 404),
    ),
    Operation(
        name="updateRule",
        method="PUT",
        path="/v1/campaigns/{campaignId}/rules/{ruleId}",
        summary="Update a rule",
        run=update_rule,
        scope="admin:write",
        tag="Rules",
        body={"type": "object"},
        answer=_RULE,
        errors=(400, 404, 409, 413),
    ),
    Operation(
        name="deleteRule",
        method="DELETE",
        path="/v1/campaigns/{campaignId}/rules/{ruleId}",
        summary="Delete a rule",
        run=delete_rule,
        scope="admin:write",
        tag="Rules",
        status=204,
        errors=(400, 404, 409),
    ),
]
