"""The API keeps to its own description, whatever it is sent: no 5xx, and no undescribed status or response."""

import json
import os

import msgspec
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from plaudit.api.app import OPERATIONS
from plaudit.api.http.openapi import describe

EXAMPLES = int(os.environ.get("PLAUDIT_TEST_EXAMPLES", "12"))

# Lines are not generated from a schema: some good ones, some bad ones.
LINES = st.sampled_from(
    [b'{"userId": "a"}', b"", b"{", b"[]\nnull\n1", b'{"poolId": 1}', b"\xff\n{}", b"userId,x\na,1"]
)
for media in ("application/x-ndjson", "text/csv", "application/yaml"):
    schemathesis.openapi.media_type(media, LINES)

schema = schemathesis.openapi.from_dict(json.loads(msgspec.json.encode(describe(OPERATIONS))))
# A stream has no end to be looked at.
own = schemathesis.openapi.from_dict(
    json.loads(
        msgspec.json.encode(
            describe(
                operation for operation in OPERATIONS if operation.member and not operation.path.endswith("/stream")
            )
        )
    )
)
SAME_AGAIN = "^/api/loyalty/admin"  # the beta's prefix: the same calls in another envelope
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
HOW = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@schema.exclude(path_regex=SAME_AGAIN).parametrize()
@settings(max_examples=EXAMPLES, **HOW)
def test_it_keeps_to_its_description(case, server_process):
    _sent(case, server_process)


@schema.include(path_regex=SAME_AGAIN).parametrize()
@settings(max_examples=2, **HOW)
def test_the_beta_keeps_to_it_too(case, server_process):
    _sent(case, server_process)


@own.parametrize()
@settings(max_examples=EXAMPLES, **HOW)
def test_members_calls_keep_to_it(case, server_process):
    with server_process.client() as client:
        org_id = client.headers["X-Monterosa-Org-ID"]
        server_process.jwt_secrets[org_id] = server_process.credentials["jwtSecret"]
        headers = {"Authorization": f"Bearer {server_process.token_of(client, 'somebody')}"}
    case.call_and_validate(base_url=server_process.url, headers=headers, checks=CHECKS, timeout=120)


def _sent(case, server_process):
    case.call_and_validate(base_url=server_process.url, headers=server_process.headers, checks=CHECKS, timeout=120)


def test_calls_that_follow_from_each_other_keep_to_it_as_well(server_process):
    """What one call returns is sent to others: made, read, changed, listed, deleted, read again."""
    with server_process.client_of("Stateful", is_test=True) as client:
        headers = {name: client.headers[name] for name in ("Authorization", "X-Monterosa-Org-ID")}

    class Flow(schema.exclude(path_regex=SAME_AGAIN).as_state_machine()):
        def get_call_kwargs(self, case):  # noqa: ARG002
            return {"headers": headers, "base_url": server_process.url}

        def validate_response(self, response, case, **_):
            case.validate_response(response, checks=CHECKS)

    Flow.run(settings=settings(max_examples=EXAMPLES, stateful_step_count=8, **HOW))
