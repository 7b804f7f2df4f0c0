"""A client generated from /openapi.json by openapi-python-client runs the README's story."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

GENERATOR = "openapi-python-client==0.29.1"  # in an environment of its own: its needs are not ours

STORY = """
import json, sys, time
from plaudit_client import AuthenticatedClient
from plaudit_client.api.actions import report_action
from plaudit_client.api.campaigns import create_campaign
from plaudit_client.api.code_pools import create_code_pool, generate_codes
from plaudit_client.api.products import create_product
from plaudit_client.api.profiles import get_profile
from plaudit_client.models import Action, ActionData, CodeGenerationRequest, NewCampaign, NewCodePool, NewProduct

url, org, secret = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=secret, headers={"X-Monterosa-Org-ID": org})

def done(response):
    assert response.status_code < 300, response.content
    return response

badge = {"productId": "prod_vip_badge", "name": "VIP shopper", "sku": "BADGE-VIP", "type": "badge"}
done(create_product.sync_detailed(client=client, body=NewProduct.from_dict(badge)))
pool = {"poolId": "pool_vip", "name": "VIP codes", "productId": "prod_vip_badge", "prefix": "VIP-"}
done(create_code_pool.sync_detailed(client=client, body=NewCodePool.from_dict(pool)))
done(generate_codes.sync_detailed("pool_vip", client=client, body=CodeGenerationRequest(quantity=3)))
campaign = {
    "name": "Reward Purchases Over $100",
    "triggers": [{"type": "purchase_completed", "conditions": [{"field": "amount", "operator": ">=", "value": 100}]}],
    "effects": [
        {"type": "add_points", "config": {"amount": 500, "reason": "Purchase reward"}},
        {"type": "award_product", "config": {"productId": "prod_vip_badge", "reason": "VIP shopper badge"}},
    ],
}
done(create_campaign.sync_detailed(client=client, body=NewCampaign.from_dict(campaign)))
action = Action(
    user_id="user_123", action="purchase_completed", event_id="ORD-1",
    data=ActionData.from_dict({"amount": 150, "currency": "USD"}),
)
queued = done(report_action.sync_detailed(client=client, body=action)).parsed
assert queued.event_id == "ORD-1" and queued.processed is False
for _ in range(100):
    response = get_profile.sync_detailed("user_123", client=client)
    if response.status_code == 200 and response.parsed.data.points == 500:
        break
    time.sleep(0.1)
profile = response.parsed.data
print(json.dumps([profile.points, profile.badges, len(profile.coupons)]))
"""


@pytest.mark.slow
def test_a_generated_client_runs_the_readmes_story(server_process, tmp_path):
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    description = tmp_path / "openapi.json"
    with server_process.client_of("Generated") as shop:
        description.write_bytes(shop.get("/openapi.json").content)
        made = tmp_path / "client"
        command = [uv, "tool", "run", "--from", GENERATOR, "openapi-python-client", "generate"]
        done = subprocess.run(
            [*command, "--path", str(description), "--output-path", str(made)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Unable to process schema" not in done.stdout + done.stderr
        schemas = json.loads(description.read_bytes())["components"]["schemas"]
        models = (made / "plaudit_client" / "models" / "__init__.py").read_text()
        assert [name for name in schemas if f'"{name}"' not in models] == []  # a class for every response
        story = tmp_path / "story.py"
        story.write_text(STORY)
        secret = shop.headers["Authorization"].removeprefix("Bearer ")
        told = subprocess.run(
            [uv, "run", "--no-project", "--python", sys.executable, "--with", str(made), "python", str(story),
             server_process.url, shop.headers["X-Monterosa-Org-ID"], secret],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert told.returncode == 0, told.stderr[-3000:]
        assert json.loads(told.stdout) == [500, ["prod_vip_badge"], 1]
