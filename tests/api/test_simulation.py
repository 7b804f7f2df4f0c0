"""Simulation: what a campaign would have given, beside what was; and its being applied to the past, once."""

import subprocess
import sys
import time

from tests.journeys.conftest import ok

WAIT = {"Prefer": "wait=10"}
PAYS = {
    "campaignId": "camp_pay", "name": "Pay", "type": "Reward",
    "triggers": [{"type": "purchase", "conditions": [{"field": "amount", "operator": ">=", "value": 100}]}],
    "effects": [{"type": "add_points", "config": {"amount": 10}}],
}  # fmt: skip


def buy(shop, user, amount):
    action = {"userId": user, "action": "purchase", "data": {"amount": amount}}
    assert shop.post("/api/audience/internal/actions", json=action, headers=WAIT).status_code == 200


def history(shop):
    """ann: 150, 120, 50; bob: 80; cy: 300."""
    for user, amount in (("ann", 150), ("bob", 80), ("ann", 120), ("cy", 300), ("ann", 50)):
        buy(shop, user, amount)


def simulate(shop, id="camp_pay", **body):
    return ok(shop.post(f"/v1/campaigns/{id}/simulate", json=body))


def test_a_draft_is_tried_on_what_happened_and_nothing_changes(shop):
    ok(shop.post("/v1/campaigns", json=PAYS | {"status": "draft"}), 201)
    history(shop)
    before = ok(shop.get("/v1/events"))["events"]
    found = simulate(shop)
    assert (found["events"], found["members"]) == (5, 3)
    assert (found["actual"]["fired"], found["actual"]["metrics"]) == (0, {})
    assert (found["simulated"]["fired"], found["simulated"]["members"]) == (3, 2)
    assert found["simulated"]["metrics"] == {"points": 30}
    assert list(found["simulated"]["days"].values()) == [{"points": 30}]
    assert found["difference"] == {
        "metrics": {"points": 30}, "membersGained": 2, "membersLost": 0, "coupons": 0, "products": 0,
    }  # fmt: skip
    assert {(one["userId"], one["change"]) for one in found["sample"]} == {("ann", "gained"), ("cy", "gained")}
    (reason,) = found["sample"][0]["simulated"]["reasons"]
    assert reason["conditions"][0]["sentence"] == "amount >= 100 held with 150"
    assert ok(shop.get("/v1/events"))["events"] == before
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 0


def test_a_change_is_shown_beside_what_was(shop):
    ok(shop.post("/v1/campaigns", json=PAYS), 201)
    history(shop)
    same = simulate(shop)
    assert same["actual"] == same["simulated"]
    assert same["sample"] == []
    looser = [{"type": "purchase", "conditions": [{"field": "amount", "operator": ">=", "value": 60}]}]
    found = simulate(shop, changes={"triggers": looser, "limit": {"overall": 2}})
    assert (found["actual"]["metrics"], found["simulated"]["metrics"]) == ({"points": 30}, {"points": 20})
    assert (found["difference"]["membersGained"], found["difference"]["membersLost"]) == (
        1,
        1,
    )  # bob; cy comes too late
    assert found["simulated"]["capsHit"] == {"limit_overall_reached": 2}
    assert {one["userId"]: one["change"] for one in found["sample"]} == {
        "bob": "gained",
        "cy": "lost",
        "ann": "changed",
    }
    wrong = shop.post("/v1/campaigns/camp_pay/simulate", json={"changes": {"effects": [{"type": "gold"}]}})
    assert wrong.json()["error"]["details"][0]["field"] == "effects[0].type"
    assert shop.post("/v1/campaigns/none/simulate", json={}).status_code == 404


def test_codes_and_what_the_change_sets_off_are_counted(shop):
    ok(shop.post("/v1/products", json={"productId": "vip", "name": "VIP", "sku": "VIP", "type": "badge"}), 201)
    ok(shop.post("/v1/code-pools", json={"poolId": "pool", "name": "P", "productId": "vip"}), 201)
    ok(shop.post("/v1/code-pools/pool/generate", json={"quantity": 1}), 201)
    ok(shop.post("/v1/campaigns", json=PAYS | {"status": "draft"}), 201)
    follow = {"campaignId": "camp_follow", "name": "Follow", "triggers": [{"type": "user.badge_earned"}],
              "effects": [{"type": "add_points", "config": {"amount": 3}}]}  # fmt: skip
    ok(shop.post("/v1/campaigns", json=follow), 201)
    history(shop)
    found = simulate(shop, changes={"effects": [{"type": "award_product", "config": {"productId": "vip"}}]})
    assert (found["simulated"]["products"], found["simulated"]["coupons"]) == (2, 1)
    assert found["programme"] == {"actual": {}, "simulated": {"points": 6}}


def test_a_change_is_applied_to_the_past_quietly_and_once(shop):
    note = {"type": "notify", "config": {"message": "Thank you"}}
    ok(shop.post("/v1/campaigns", json=PAYS | {"status": "draft", "effects": [*PAYS["effects"], note]}), 201)
    history(shop)
    assert shop.post("/v1/campaigns/camp_pay/apply-to-past", json={}).status_code == 409
    ok(shop.post("/v1/campaigns/camp_pay/activate"))
    assert ok(shop.post("/v1/campaigns/camp_pay/apply-to-past", json={}), 202)["queued"] == 3
    deadline = time.monotonic() + 10
    while ok(shop.get("/v1/profiles/ann"))["points"] < 20:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ok(shop.post("/v1/campaigns/camp_pay/apply-to-past", json={}), 202)["queued"] == 0
    ok(shop.post("/v1/clock/advance", json={"seconds": 1}))
    assert [ok(shop.get(f"/v1/profiles/{user}"))["points"] for user in ("ann", "bob", "cy")] == [20, 0, 10]
    assert ok(shop.get("/v1/profiles/ann/export"))["notifications"] == []


def test_what_was_paid_too_little_is_topped_up_once(shop):
    ok(shop.post("/v1/campaigns", json=PAYS), 201)
    history(shop)
    ok(shop.put("/v1/campaigns/camp_pay", json={"effects": [{"type": "add_points", "config": {"amount": 15}}]}))
    assert ok(shop.post("/v1/campaigns/camp_pay/apply-to-past", json={}), 202)["queued"] == 3
    ok(shop.post("/v1/clock/advance", json={"seconds": 1}))
    assert [ok(shop.get(f"/v1/profiles/{user}"))["points"] for user in ("ann", "cy")] == [30, 15]
    assert ok(shop.post("/v1/campaigns/camp_pay/apply-to-past", json={}), 202)["queued"] == 0


def test_a_whole_programme_is_tried_from_the_command_line(server_process, tmp_path):
    with server_process.client_of("Try") as shop:
        ok(shop.post("/v1/campaigns", json=PAYS), 201)
        history(shop)
        file = tmp_path / "programme.yaml"
        file.write_text(
            "campaigns: {camp_more: {name: More, triggers: [{type: purchase}], effects: [{type: add_points, config: {amount: 1}}]}}"
        )
        command = [sys.executable, "-m", "plaudit", "simulate", str(file), "--org", shop.headers["X-Monterosa-Org-ID"]]
        done = subprocess.run(
            [*command, "--data", str(server_process.folder)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "5 events of 3 members" in done.stdout
        assert "all campaigns, points: 30 -> 35" in done.stdout
    assert server_process.verify() == 0
