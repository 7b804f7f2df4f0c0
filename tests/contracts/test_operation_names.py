"""What every operation is called, in the description and in the clients that are generated from it."""

import re

from plaudit.api.app import OPERATIONS
from plaudit.api.http.openapi import describe

VERBS = (
    "report|track|identify|list|get|create|update|set|delete|activate|pause|archive|duplicate|redeem|grant|enrol|reverse|"
    "import|export|apply|restore|simulate|backfill|preview|rotate|revoke|retry|replay|record|erase|manage|merge|advance|"
    "explain|roll|undo|remove|cancel|verify|check|extend|draw|test|generate|expire|issue|mark|stream|look|opt"
)


def test_operations_have_the_names_and_summaries_that_people_would_give_them():
    """A name is lowerCamelCase and begins with a verb; a summary is short, and has no full stop."""
    assert [
        operation.name for operation in OPERATIONS if not re.fullmatch(rf"({VERBS})([A-Z][a-z]+|V1)*", operation.name)
    ] == []
    assert [
        operation.name
        for operation in OPERATIONS
        if not 0 < len(operation.summary) <= 60 or operation.summary.endswith(".")
    ] == []


def test_each_operation_has_one_name_in_the_description_and_a_place_in_its_groups():
    description = describe(OPERATIONS)
    calls = [call for path in description["paths"].values() for call in path.values()]
    names = [call["operationId"] for call in calls]
    assert len(names) == len(set(names))
    assert {"getProfile", "getProfileBeta", "getUserBeta", "redeemProduct", "reportActionV1"} <= set(names)
    assert {call["x-alias-of"] for call in calls if "x-alias-of" in call} <= set(names)
    grouped = [tag for group in description["x-tagGroups"] for tag in group["tags"]]
    assert {tag for call in calls for tag in call["tags"]} == set(grouped)
    assert len(grouped) == len(set(grouped))
