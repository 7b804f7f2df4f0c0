"""The operations of campaigns in addition to CRUD: changes of status, copies, and rules."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from msgspec import structs

from plaudit import clock
from plaudit.api.http.operations import PAGING, Call, Operation, OperationResult
from plaudit.api.views.base import Page, View, page_of
from plaudit.api.views.documents import TYPES, DocumentVersionList
from plaudit.documents.kinds import KINDS
from plaudit.errors import FieldError, Invalid, NotFound, invalid_fields
from plaudit.storage import documents
from plaudit.storage.documents import StoredDocument
from plaudit.storage.postgres import Connection, atomic

from .document_operations import change_of, delete_document, document_view, new_id_of, update_document, version_lister

CAMPAIGN = KINDS["campaign"]
RULE = KINDS["rule"]
RULES_MAX = 1_000
_RULE = TYPES[RULE.name]
RuleList = page_of(_RULE.view, "rules", paged=False)


def _to_status(status: str) -> Callable[[Call], Awaitable[View]]:
    async def run(call: Call) -> View:
        return await update_document(call, CAMPAIGN, call.path["campaignId"], {"status": status})

    return run


async def duplicate(call: Call) -> View:
    """Copy a campaign with its rules. The copy is a draft."""
    async with call.connection() as connection, atomic(connection):
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


async def list_rules(call: Call) -> Page:
    """Return a campaign's rules. In simple mode they are generated from its triggers."""
    async with call.connection() as connection:
        campaign = await documents.fetch(connection, call.org_id, CAMPAIGN, call.path["campaignId"])
        if campaign.doc["simplifiedMode"]:
            return RuleList.of(_generated(call, campaign))
        filters = {"campaignId": campaign.id}
        rules = await documents.fetch_page(connection, call.org_id, RULE, after=0, filters=filters, size=RULES_MAX)
    return RuleList.of([document_view(call, RULE, rule) for rule in rules])


def _generated(call: Call, campaign: StoredDocument) -> list[View]:
    """Return the generated rules of a campaign in simple mode: one per trigger."""
    return [
        document_view(call, RULE, _generated_rule(campaign, index, trigger))
        for index, trigger in enumerate(campaign.doc["triggers"])
    ]


def _generated_rule(campaign: StoredDocument, index: int, trigger: dict[str, Any]) -> StoredDocument:
    doc = {
        "campaignId": campaign.id,
        "triggerType": trigger["type"],
        "conditions": trigger.get("conditions"),
        "effects": campaign.doc["effects"],
        "priority": 5,
        "enabled": True,
    }
    return structs.replace(campaign, id=f"rule_{campaign.id.removeprefix('camp_')}_{index}", doc=doc)


async def create_rule(call: Call) -> View:
    """Create a rule in a campaign in advanced mode."""
    rule_id, body = new_id_of(RULE, call.body)
    campaign_id = call.path["campaignId"]
    if body.setdefault("campaignId", campaign_id) != campaign_id:
        raise invalid_fields([FieldError("campaignId", "must be the same campaign as in the path")])
    async with call.connection() as connection:
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


async def get_rule(call: Call) -> View:
    """Return a rule of a campaign, generated or not."""
    async with call.connection() as connection:
        campaign = await documents.fetch(connection, call.org_id, CAMPAIGN, call.path["campaignId"])
        if not campaign.doc["simplifiedMode"]:
            return document_view(call, RULE, await _rule_of_campaign(connection, call))
    rules = cast("list[Any]", _generated(call, campaign))
    generated = next((rule for rule in rules if rule.rule_id == call.path["ruleId"]), None)
    if generated is None:
        raise NotFound("Rule not found", code="rule_not_found")
    return generated


async def update_rule(call: Call) -> View:
    """Update the given fields of a rule."""
    async with call.connection() as connection:
        rule = await _rule_of_campaign(connection, call)
    return await update_document(call, RULE, rule.id, call.body)


async def delete_rule(call: Call) -> OperationResult:
    """Delete a rule."""
    async with call.connection() as connection:
        rule = await _rule_of_campaign(connection, call)
    await delete_document(call, RULE, rule.id)
    return OperationResult(data=None, status=204)


_COMMON: dict[str, Any] = {"scope": "admin:write", "tag": "Campaigns", "response": TYPES[CAMPAIGN.name].view}

OPERATIONS = [
    Operation(
        name="duplicateCampaign",
        method="POST",
        path="/v1/campaigns/{campaignId}/duplicate",
        summary="Duplicate a campaign as a draft",
        run=duplicate,
        status=201,
        errors=(400, 404),
        **_COMMON,
    ),
    *(
        Operation(
            name=f"{verb}Campaign",
            method="POST",
            path=f"/v1/campaigns/{{campaignId}}/{verb}",
            summary=f"{verb.capitalize()} a campaign",
            run=_to_status(status),
            errors=(400, 404),
            **_COMMON,
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
        response=RuleList,
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
        body=_RULE.new,
        response=_RULE.view,
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
        response=_RULE.view,
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
        response=DocumentVersionList,
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
        body=_RULE.update,
        response=_RULE.view,
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
