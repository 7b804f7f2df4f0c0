"""The third-party document, from start to end: a purchase of 150 becomes 500 points, a badge and a code."""

import os
import subprocess
import sys

import httpx

from tests.support.eventually import eventually

CAMPAIGN = {
    "name": "Reward Purchases Over $100",
    "triggers": [{"type": "purchase_completed", "conditions": [{"field": "amount", "operator": ">=", "value": 100}]}],
    "effects": [
        {"type": "add_points", "config": {"amount": 500, "reason": "Purchase reward"}},
        {"type": "award_product", "config": {"productId": "prod_vip_badge", "reason": "VIP shopper badge"}},
    ],
}
TRIGGER = {
    "key": "purchase_completed",
    "name": "Purchase Completed",
    "category": "commerce",
    "fields": [
        {"key": "amount", "type": "number", "description": "Purchase amount"},
        {"key": "currency", "type": "string"},
    ],
}


def test_the_story_and_a_restart(own_server):
    server = own_server("--no-demo").start()
    assert not (server.folder / "credentials.json").exists()
    made = subprocess.run(
        [sys.executable, "-m", "plaudit", "org", "create", "Shop", "--data", str(server.folder)],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    org_id, secret = made[1], made[3]
    headers = {"Authorization": f"Bearer {secret}", "X-Monterosa-Org-ID": org_id}
    with httpx.Client(base_url=server.url + "/loyalty", headers=headers, timeout=30) as http:

        def post(path, body, status=201):
            response = http.post(path, json=body)
            assert response.status_code == status, response.text
            return response.json()

        def buy(user, amount, **more):
            body = {"userId": user, "action": "purchase_completed", "data": {"amount": amount, "currency": "USD"}}
            response = post("/api/audience/internal/actions", body | more, 202)
            assert response["processed"] is False
            assert response["message"] == "Action queued for processing"
            return response["eventId"]

        def processed(event_id):
            path = f"/v1/events/{event_id}/explain"
            return eventually(lambda: (event := http.get(path).json()["data"])["processed"] and event)

        def profile(user):
            return http.get(f"/v1/profiles/{user}").json()["data"]

        post("/v1/triggers", TRIGGER)
        post("/v1/products", {"productId": "prod_vip_badge", "name": "VIP", "sku": "VIP", "type": "badge"})
        pool = post("/v1/code-pools", {"name": "VIP codes", "productId": "prod_vip_badge", "prefix": "VIP-"})
        assert pool["totalCodes"] == 0
        post(f"/v1/code-pools/{pool['poolId']}/generate", {"quantity": 3})
        reward = {"name": "Code", "rewardType": "unique_coupon", "config": {"codePoolId": pool["poolId"]}}
        assert post("/v1/rewards", reward)["data"]["message"] == "Reward created successfully"
        post("/v1/campaigns", CAMPAIGN)

        event_id = buy("user_123", 150)
        processed(event_id)
        found = profile("user_123")
        assert (found["points"], found["badges"]) == (500, ["prod_vip_badge"])
        assert found["coupons"][0]["code"].startswith("VIP-")

        small = processed(buy("user_124", 99.99))
        (considered,) = small["campaigns"]
        assert not considered["fired"]
        assert considered["conditions"][0]["sentence"] == "amount >= 100: not met (amount was 99.99)"
        assert profile("user_124")["points"] == 0

        assert buy("user_125", 150, eventId="ORD-1") == "ORD-1"
        assert buy("user_125", 150, eventId="ORD-1") == "ORD-1"
        processed("ORD-1")
        assert profile("user_125")["points"] == 500
        processed(buy("user_126", 150))
        fourth = processed(buy("user_127", 150))
        assert (profile("user_127")["points"], profile("user_127")["badges"]) == (500, ["prod_vip_badge"])
        assert profile("user_127")["coupons"] == []
        assert fourth["campaigns"][0]["effects"][1]["outcome"]["coupon"] == {"refusal": "pool_empty"}

        before = {user: profile(user) for user in ("user_123", "user_125", "user_127")}
        assert server.stop() == 0
        server.start()
        assert {user: profile(user) for user in before} == before
        last = buy("user_123", 200)
        processed(last)
        assert profile("user_123")["points"] == 1000
        assert (
            http.get("/v1/transactions", params={"userId": "user_123"}).json()["data"]["transactions"][0]["amount"]
            == 500
        )

    refused = subprocess.run(
        [sys.executable, "-m", "plaudit", "serve", "--data", str(server.folder)], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "another server" in refused.stderr
    verified = subprocess.run(
        [sys.executable, "-m", "plaudit", "verify", "--data", str(server.folder)], capture_output=True, text=True,
        check=False, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout
