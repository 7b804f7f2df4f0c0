"""A small demo programme: a football club's fans."""

from uuid import UUID

from plaudit.documents.kinds import KINDS
from plaudit.documents.settings import SETTINGS_ID
from plaudit.storage import code_pools
from plaudit.storage.documents import Change, create, update
from plaudit.storage.orgs import Credentials, create_org
from plaudit.storage.postgres import Connection, atomic

from . import clock

NAME = "Riverside FC"
TEST_NAME = "demo-test"

_DOCUMENTS = [
    (
        "trigger",
        "session_started",
        {"key": "session_started", "name": "App opened", "category": "engagement", "openToMembers": True},
    ),
    (
        "trigger",
        "poll_vote",
        {
            "key": "poll_vote",
            "name": "Vote cast",
            "category": "engagement",
            "fields": [{"key": "option", "type": "string"}],
            "openToMembers": True,
        },
    ),
    (
        "trigger",
        "shop_purchase",
        {
            "key": "shop_purchase",
            "name": "Shop purchase",
            "category": "commerce",
            "fields": [{"key": "amount", "type": "number"}, {"key": "currency", "type": "string"}],
        },
    ),
    ("trigger", "match_checkin", {"key": "match_checkin", "name": "Match attended", "category": "physical"}),
    ("product", "prod_first_vote", {"name": "First Vote", "sku": "BADGE-FIRST-VOTE", "type": "badge"}),
    ("product", "prod_twelfth_man", {"name": "Twelfth Man", "sku": "BADGE-TWELFTH-MAN", "type": "badge"}),
    ("product", "prod_shop_discount", {"name": "Shop Discount", "sku": "SHOP-10", "type": "unique_code_pool"}),
    (
        "code_pool",
        "pool_shop",
        {"name": "Shop discount codes", "productId": "prod_shop_discount", "prefix": "RIVER-"},
    ),
    (
        "campaign",
        "camp_daily_visit",
        {
            "name": "Daily visit",
            "type": "Reward",
            "triggers": [{"type": "session_started"}],
            "limit": {"perPeriod": {"period": "day", "count": 1}},
            "effects": [{"type": "add_points", "config": {"amount": 10, "reason": "Daily visit"}}],
        },
    ),
    (
        "campaign",
        "camp_votes",
        {
            "name": "Every vote counts",
            "type": "Reward",
            "triggers": [{"type": "poll_vote"}],
            "effects": [
                {"type": "add_points", "config": {"amount": 5, "reason": "Vote"}},
                {"type": "add_metric", "config": {"metric": "xp", "amount": 20}},
            ],
        },
    ),
    (
        "campaign",
        "camp_first_vote",
        {
            "name": "First vote",
            "type": "Badge",
            "triggers": [{"type": "poll_vote"}],
            "limit": {"perUser": 1},
            "effects": [{"type": "award_badge", "config": {"productId": "prod_first_vote"}}],
            "notification": {"title": "First vote!", "message": "Welcome, {{ user.userId }}."},
        },
    ),
    (
        "campaign",
        "camp_cashback",
        {
            "name": "10 points per pound",
            "type": "Reward",
            "triggers": [{"type": "shop_purchase"}],
            "effects": [{"type": "add_points", "config": {"amount": "floor(data.amount * 10)", "reason": "Purchase"}}],
        },
    ),
    (
        "campaign",
        "camp_big_spender",
        {
            "name": "Discount code for orders over 75",
            "type": "Reward",
            "triggers": [{"type": "shop_purchase", "conditions": [{"field": "amount", "operator": ">=", "value": 75}]}],
            "limit": {"perUser": 1},
            "effects": [{"type": "award_product", "config": {"productId": "prod_shop_discount"}}],
        },
    ),
    (
        "campaign",
        "camp_twelfth_man",
        {
            "name": "Twelfth man",
            "type": "Reward",
            "triggers": [{"type": "match_checkin"}],
            "effects": [
                {"type": "add_points", "config": {"amount": 50, "reason": "Match attended"}},
                {"type": "award_badge", "config": {"productId": "prod_twelfth_man"}},
            ],
            "notification": {"title": "Twelfth man", "message": "Good to have you at the match."},
        },
    ),
    (
        "campaign",
        "camp_derby_week",
        {
            "name": "Derby week",
            "type": "Challenge",
            "order": "any",
            "steps": [
                {"name": "Vote three times", "trigger": "poll_vote", "goal": {"target": 3}},
                {"name": "Attend a match", "trigger": "match_checkin"},
                {
                    "name": "Spend 50 in the shop",
                    "trigger": "shop_purchase",
                    "goal": {"type": "sum", "field": "amount", "target": 50},
                },
            ],
            "effects": [{"type": "add_points", "config": {"amount": 250, "reason": "Derby week"}}],
            "subtitle": "Vote, come along, wear the colours",
            "notification": {"title": "Derby week!", "message": "You have {{ metrics.points }} points now."},
        },
    ),
    (
        "streak",
        "str_daily",
        {
            "name": "Daily streak",
            "triggers": [{"type": "session_started"}, {"type": "poll_vote"}],
            "freezes": {"maximum": 2, "atStart": 1, "price": {"amount": 100}},
            "repair": {"days": 3, "price": {"amount": 200}},
            "milestones": [
                {"length": 7, "effects": [{"type": "add_points", "config": {"amount": 100, "reason": "A week"}}]}
            ],
        },
    ),
    (
        "ladder",
        "lad_fans",
        {
            "name": "Fans",
            "metric": "xp",
            "window": {"type": "calendar_year"},
            "rungs": [
                {"rungId": "fan", "name": "Fan", "threshold": 0},
                {"rungId": "regular", "name": "Regular", "threshold": 200, "perks": ["Votes count before the match"]},
                {"rungId": "legend", "name": "Legend", "threshold": 2_000, "perks": ["A seat at the fans' forum"]},
            ],
        },
    ),
    (
        "segment",
        "seg_voices",
        {
            "name": "Active voters",
            "include": [{"count": {"trigger": "poll_vote", "withinDays": 7}, "operator": ">=", "value": 5}],
        },
    ),
    ("competition", "comp_season", {"name": "Fan of the season", "score": {"metric": "xp"}}),
]
DEMO_CODES = 500


async def create_demo(connection: Connection) -> Credentials:
    """Create a demo organisation with its programme, whole or not at all."""
    async with atomic(connection):
        credentials = await create_org(connection, NAME, clock.now())
        for kind, document_id, raw in _DOCUMENTS:
            await create(connection, _change(credentials.org_id, kind, document_id), raw)
        # Let any page try the widget. The calls still need a member's token.
        await update(connection, _change(credentials.org_id, "settings", SETTINGS_ID), {"cors": {"origins": ["*"]}})
        await code_pools.generate(connection, credentials.org_id, "pool_shop", "RIVER-", quantity=DEMO_CODES, length=8)
    return credentials


async def create_demo_test(connection: Connection) -> Credentials:
    """Create an empty test organisation for the guides: its clock can be advanced."""
    return await create_org(connection, TEST_NAME, clock.now(), is_test=True, slug=TEST_NAME)


def _change(org_id: UUID, kind: str, document_id: str) -> Change:
    return Change(org_id=org_id, kind=KINDS[kind], id=document_id, by="demo", at=clock.now())
