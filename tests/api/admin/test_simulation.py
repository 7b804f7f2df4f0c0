"""Simulation: what a campaign would have given, beside what was; and its being applied to the past, once."""

import subprocess
import sys

import pytest

from tests.support.eventually import eventually
from tests.support.http import ok

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
    assert {(change["userId"], change["change"]) for change in found["sample"]} == {("ann", "gained"), ("cy", "gained")}
    (reason,) = found["sample"][0]["simulated"]["reasons"]
    assert reason["conditions"][0]["sentence"] == "amount >= 100: met (amount was 150)"
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
    assert {change["userId"]: change["change"] for change in found["sample"]} == {
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
    eventually(lambda: ok(shop.get("/v1/profiles/ann"))["points"], 20)
    assert ok(shop.post("/v1/campaigns/camp_pay/apply-to-past", json={}), 202)["queued"] == 0
    ok(shop.post("/v1/clock/advance", json={"seconds": 1}))
    assert [ok(shop.get(f"/v1/profiles/{user}"))["points"] for user in ("ann", "bob", "cy")] == [20, 0, 10]
    assert ok(shop.get("/v1/profiles/ann/export"))["notifications"] == []


def act(shop, user, *triggers):
    for trigger in triggers:
        action = {"userId": user, "action": trigger, "data": {"amount": 10}}
        assert shop.post("/api/audience/internal/actions", json=action, headers=WAIT).status_code == 200


def step(trigger="a", target=2):
    return {"name": trigger, "trigger": trigger, "goal": {"target": target}}


POINTS = [{"type": "add_points", "amount": 7}]
# The campaign, what ann has done, how far she is then: points, completions, how far in the steps, and after one more.
CHALLENGES = [
    ("a goal of two", {"steps": [step()]}, "aa", (7, [2]), "a", 7),
    ("half of a goal", {"steps": [step()]}, "a", (0, [1]), "a", 7),
    ("two steps in order", {"steps": [step("a", 1), step("b", 2)]}, "babb", (7, [1, 2]), "b", 7),
    ("two steps, the second half done", {"steps": [step("a", 1), step("b", 2)]}, "bab", (0, [1, 1]), "b", 7),
    ("again and again", {"steps": [step()], "repeatable": True}, "aaaaa", (14, [1]), "a", 21),
    ("a limit for each member", {"triggers": [{"type": "a"}], "limit": {"perUser": 2}}, "aaa", (14, []), "a", 14),
    ("a formula on what she had then", {"triggers": [{"type": "a"}], "effects": [{"type": "add_points", "amount": "user.points + 1"}]}, "aaa", (7, []), "b", 7),
    ("a condition on what she had then", {"triggers": [{"type": "a", "conditions": [{"field": "user.points", "operator": "<", "value": 7}]}]}, "aaa", (7, []), "b", 7),
]  # fmt: skip


@pytest.mark.parametrize(
    ("campaign", "done", "wanted", "more", "then"), [c[1:] for c in CHALLENGES], ids=[c[0] for c in CHALLENGES]
)
def test_the_past_gives_what_the_simulation_says_and_brings_members_as_far(shop, campaign, done, wanted, more, then):
    act(shop, "ann", *done)
    ok(shop.post("/v1/campaigns", json={"campaignId": "c", "name": "c", "effects": POINTS, **campaign}), 201)
    said = simulate(shop, "c", days=7)["simulated"]["metrics"]
    assert said == ({"points": wanted[0]} if wanted[0] else {})
    for again in range(2):
        queued = ok(shop.post("/v1/campaigns/c/apply-to-past", json={"days": 7}), 202)["queued"]
        assert (queued == 0) == bool(again)
        ok(shop.post("/v1/clock/advance", json={"seconds": 1}))
        found = ok(shop.get("/v1/profiles/ann"))
        shown = [value["current"] for value in found["campaigns"]["c"]["steps"]] if wanted[1] else []
        assert (found["points"], shown) == wanted
    act(shop, "ann", *more)
    assert ok(shop.get("/v1/profiles/ann"))["points"] == then


def test_the_past_has_what_was_done_by_hand(shop):
    ok(shop.post("/v1/transactions", json={"userId": "ann", "amount": 10}), 201)
    to_points = {"type": "metric.changed", "conditions": [{"field": "metric", "operator": "==", "value": "points"}]}
    pays = [{"type": "add_metric", "config": {"metric": "xp", "amount": 7}}]
    ok(shop.post("/v1/campaigns", json={"campaignId": "c", "name": "c", "triggers": [to_points], "effects": pays}), 201)
    said = simulate(shop, "c", days=7)
    assert (said["simulated"]["metrics"], [row["userId"] for row in said["sample"]]) == ({"xp": 7}, ["ann"])
    for queued in (1, 0):
        assert ok(shop.post("/v1/campaigns/c/apply-to-past", json={"days": 7}), 202)["queued"] == queued
        ok(shop.post("/v1/clock/advance", json={"seconds": 1}))
        assert ok(shop.get("/v1/profiles/ann"))["xp"] == 7


def test_what_was_given_later_than_it_would_have_been_is_not_given_twice(shop):
    act(shop, "ann", "a", "a")
    ok(shop.post("/v1/campaigns", json={"campaignId": "c", "name": "c", "steps": [step()], "effects": POINTS}), 201)
    act(shop, "ann", "a", "a")
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 7
    ok(shop.post("/v1/campaigns/c/apply-to-past", json={"days": 7}), 202)
    ok(shop.post("/v1/clock/advance", json={"seconds": 1}))
    assert ok(shop.get("/v1/profiles/ann"))["points"] == 7


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
