"""Whatever values come in, by whatever call: no 5xx, and no event that fails for them. Every run has a seed that it tells.

`PLAUDIT_FUZZ_SECONDS` says how long (CI: 120), `PLAUDIT_FUZZ_SEED` which requests: the same seed sends the same ones.
"""

import os
import random
import time
from dataclasses import dataclass, field

import httpx
import pytest

from tests.faults.hostile import Requests, Sent, send_all
from tests.support.eventually import eventually
from tests.support.server import Server, new_folder

SECONDS = float(os.environ.get("PLAUDIT_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("PLAUDIT_FUZZ_SEED", str(random.randrange(2**31))))
ROUND = 60  # requests between two looks at the clock
ACTION = {"userId": "ann", "action": "buy", "data": {"amount": 10, "shop": "s1", "name": "N", "list": [1, 2]}}
PROFILE = {"displayName": "Ann", "city": "Bonn", "timezone": "Europe/Berlin", "language": "de", "score": 5}
ADD = {"type": "add_points", "config": {"amount": "floor(data.amount * 2)"}}
# A programme in which whatever comes in is used: in formulas, texts, scopes of boards, tallies and goals.
PROGRAMME = {
    "/v1/campaigns": [
        {
            "campaignId": "c", "name": "C", "effects": [ADD],
            "triggers": [{"type": "buy", "conditions": [{"field": "user.score", "operator": ">=", "value": 1}]}],
        },
        {
            "campaignId": "told", "name": "T", "triggers": [{"type": "buy"}],
            "effects": [
                {"type": "notify", "config": {"message": "Hi {{ user.displayName }} {{ data.name }} {{ data.amount }}"}},
                {"type": "set_attribute", "config": {"name": "seen", "value": "yes"}},
            ],
        },
        {
            "campaignId": "steps", "name": "S", "required": 1, "effects": [{"type": "add_points", "config": {"amount": 1}}],
            "steps": [
                {"name": "sum", "triggers": [{"type": "buy"}], "goal": {"type": "sum", "field": "data.amount", "target": 100}},
                {"name": "kinds", "triggers": [{"type": "buy"}], "goal": {"type": "distinct", "field": "data.shop", "target": 3}},
            ],
        },
    ],
    "/v1/segments": [
        {
            "segmentId": "s", "name": "S", "type": "dynamic",
            "include": [{"field": "user.city", "operator": "=", "value": "Bonn"}],
        },
        {
            "segmentId": "sum", "name": "S2", "type": "dynamic",
            "include": [{"sum": {"trigger": "buy", "field": "data.amount"}, "operator": ">=", "value": 20}],
        },
    ],
    "/v1/streaks": [{"streakId": "d", "name": "D", "triggers": [{"type": "buy"}]}],
    "/v1/ladders": [
        {"ladderId": "l", "name": "L", "metric": "points", "rungs": [{"rungId": "one", "name": "1", "threshold": 10}]}
    ],
    "/v1/competitions": [
        {"competitionId": "b", "name": "B", "score": {"metric": "points"}, "scopeField": "city"},
        {"competitionId": "v", "name": "V", "score": {"trigger": "buy", "field": "data.amount"}},
    ],
    "/v1/templates": [{"templateId": "t", "name": "T", "texts": {"en": {"message": "Hi {{ user.displayName }}"}}}],
    "/v1/webhooks": [{"webhookId": "w", "name": "W", "events": ["*"], "url": "http://127.0.0.1:9/hook"}],
    "/v1/products": [{"productId": "p", "name": "P", "sku": "P", "type": "merchandise", "pointsCost": 1}],
    "/v1/metrics": [{"metricId": "m", "name": "M", "decimals": 2, "expiry": {"type": "rolling", "days": 30}}],
    "/v1/custom-fields": [{"key": "size", "name": "Size", "type": "string"}],
}  # fmt: skip
EXAMPLES = {
    **{f"POST {path}": docs for path, docs in PROGRAMME.items()},
    "POST /api/audience/internal/actions": [ACTION, {**ACTION, "eventId": "k/1", "metadata": {"x": "y"}}],
    "POST /api/audience/internal/actions/batch": [[ACTION, ACTION | {"userId": "bob"}]],
    "POST /v1/track": [{"userId": "ann", "event": "buy", "properties": ACTION["data"]}],
    "POST /v1/batch": [{"batch": [{"type": "track", "userId": "ann", "event": "buy", "properties": ACTION["data"]}]}],
    "POST /v1/ingest/cloudevents": [
        {"specversion": "1.0", "id": "1", "source": "s", "type": "buy", "subject": "ann", "data": ACTION["data"]}
    ],
    "POST /v1/profiles": [{"userId": "cid", **PROFILE}],
    "PUT /v1/profiles/{userId}": [PROFILE],
    "PUT /api/audience/profile": [[{"user_id": "ann", "data": PROFILE}]],
    "PATCH /api/audience/profile": [{"displayName": "Ann", "preferences": {"a": [1]}, "customFields": {"size": "M"}}],
    "POST /v1/users/enroll": [{"userId": "dora", "email": "d@example.org", "name": "D", "customFields": {"size": "M"}}],
    "PUT /v1/config": [{"campaigns": {"c2": {"name": "C2", "triggers": [{"type": "buy"}], "effects": [ADD]}}}],
    "PUT /v1/settings": [{"timeZone": "Europe/Berlin", "locale": "de"}],
    "POST /v1/transactions": [{"userId": "ann", "metric": "points", "amount": 5, "reason": "r", "metadata": {"a": 1}}],
    "POST /v1/transfers": [{"userId": "ann", "toUserId": "bob", "amount": 1, "reason": "r"}],
    "POST /v1/profiles/{userId}/holds": [{"holdId": "h", "amount": 1, "seconds": 60}],
    "POST /v1/profiles/{userId}/extensions": [{"metric": "m", "expiresAt": "2031-01-01T00:00:00Z"}],
    "POST /v1/products/{productId}/redeem": [{"userId": "ann", "quantity": 1}],
    "POST /api/loyalty/me/push/subscriptions": [
        {"endpoint": "https://push.example.org/x", "keys": {"p256dh": "B" * 87, "auth": "A" * 22}}
    ],
}
EXAMPLES |= {
    f"PUT {path}/{{{name}}}": docs
    for path, name in (
        ("/v1/campaigns", "campaignId"),
        ("/v1/segments", "segmentId"),
        ("/v1/competitions", "competitionId"),
    )
    for docs in [PROGRAMME[path]]
}
NAMES = {
    "userId": ["ann", "bob", "a/b"], "campaignId": ["c", "told", "steps"], "segmentId": ["s", "sum"], "streakId": ["d"],
    "ladderId": ["l"], "competitionId": ["b", "v"], "templateId": ["t"], "webhookId": ["w"], "productId": ["p"],
    "metricId": ["m", "points"], "eventId": ["first", "k/1"], "name": ["product"],
}  # fmt: skip


@dataclass
class Found:
    """What a run sent, and what should not have come of it."""

    sent: int = 0
    taken: int = 0
    faults: list[str] = field(default_factory=list)


def attacked(server: Server, client: httpx.Client, first_seed: int, seconds: float) -> Found:
    """Send hostile values for so long, half of them as a member, and look what came of it."""
    for path, docs in PROGRAMME.items():
        for doc in docs:
            response = client.post(path, json=doc)
            assert response.status_code == 201, (path, response.text)
    for user_id in ("ann", "bob", "a/b"):
        client.post("/v1/profiles", json={"userId": user_id, **PROFILE}).raise_for_status()
    found = Found()

    def on_response(sent: Sent, response: httpx.Response) -> None:
        found.sent += 1
        found.taken += response.status_code < 300
        if response.status_code >= 500:
            found.faults.append(f"{response.status_code} for {sent}: {response.text[:300]}")

    description = client.get("/openapi.json").json()
    own = {
        path: {method: call for method, call in calls.items() if {"member": []} in call.get("security", [])}
        for path, calls in description["paths"].items()
    }
    deadline = time.monotonic() + seconds
    turn = 0
    with server.member_of(client, "ann") as member:
        while time.monotonic() < deadline and not found.faults:
            asked, who = (description, client) if turn % 3 else (description | {"paths": own}, member)
            send_all(Requests(asked, EXAMPLES, NAMES), who, first_seed + turn, ROUND, on_response)
            client.put("/v1/settings", json={"limits": "unlimited", "sharedSecretTokens": True, "name": "S"})
            turn += 1
    eventually(lambda: not waiting(client))
    failed = client.get("/v1/events", params={"status": "failed"}).json()["data"]["events"]
    found.faults += [f"failed: {value}" for value in failed]
    return found


def waiting(client: httpx.Client) -> list:
    """The events of the organisation that are not decided yet."""
    return client.get("/v1/events", params={"status": "queued"}).json()["data"]["events"]


def test_hostile_values_break_nothing():
    print(f"PLAUDIT_FUZZ_SEED={SEED}")
    server = Server(new_folder()).start()
    try:
        with server.client_of("Fuzzed", is_test=True) as client:
            found = attacked(server, client, SEED, SECONDS)
            print(f"{found.sent} requests, {found.taken} of them taken")
            assert not found.faults, f"PLAUDIT_FUZZ_SEED={SEED}\n" + "\n".join(found.faults[:5])
            assert found.taken > found.sent / 20, found  # else nothing would be tried behind the checks
            assert client.get("/readyz").status_code == 200
        server.verify()
    finally:
        server.stop()


BROKEN = """
try:
    from plaudit import bounds
except ImportError:  # another Python of the system's
    pass
else:
    whole = bounds.wrong_text

    def broken(text):
        if not text.isascii():
            raise RuntimeError("put here on purpose")
        return whole(text)

    bounds.wrong_text = broken
"""


@pytest.mark.parametrize("first_seed", [7])
def test_a_bug_put_there_on_purpose_is_found(tmp_path, monkeypatch, first_seed):
    """With a function broken for some texts, by a module that only this server starts with, the attack must notice."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = Server(new_folder()).start()
    try:
        with server.client_of("Broken", is_test=True) as client:
            assert attacked(server, client, first_seed, 60).faults
    finally:
        server.stop()
