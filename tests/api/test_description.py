"""The API keeps to its own description, whatever it is sent: no 5xx, no status and no answer that is not described."""

import json
import os

import msgspec
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from plaudit.api.app import OPERATIONS
from plaudit.api.openapi import describe

EXAMPLES = int(os.environ.get("PLAUDIT_TEST_EXAMPLES", "12"))

schema = schemathesis.openapi.from_dict(json.loads(msgspec.json.encode(describe(OPERATIONS))))


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_it_keeps_to_its_description(case, server_process):
    with server_process.client() as client:
        headers = {name: client.headers[name] for name in ("Authorization", "X-Monterosa-Org-ID")}
    case.call_and_validate(
        base_url=server_process.url,
        headers=headers,
        checks=[
            not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
        ],
    )  # fmt: skip
