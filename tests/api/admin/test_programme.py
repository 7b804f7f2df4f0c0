"""A programme as one document: written out, changed as a whole or not at all, restored."""

import subprocess
import sys

import yaml

from tests.support.http import ok

YAML = {"Content-Type": "application/yaml"}
PROGRAMME = """
# Comments are welcome, and order means nothing.
campaigns:
  camp_vip:
    name: VIP shoppers
    triggers:
      - type: purchase
        conditions: [{field: amount, operator: ">=", value: 100}]
    effects:
      - type: award_product
        config: {productId: VIP badge}     # by its name
      - {type: add_points, config: {amount: 500}}
products:
  prod_vip: {name: VIP badge, sku: VIP, type: badge}
codePools:
  pool_vip: {name: VIP codes, productId: prod_vip, expiresAt: 2030-01-01T00:00:00Z}
settings:
  name: Shop
  timeZone: Europe/Paris
"""


def put(shop, text, query="", status=200):
    return ok(shop.put(f"/v1/config{query}", content=text, headers=YAML), status)


def test_a_programme_is_applied_as_a_whole_and_comes_out_as_it_went_in(shop):
    dry = put(shop, PROGRAMME, "?dryRun=true")
    assert {(change["change"], change["kind"], change["id"]) for change in dry["changes"]} == {
        ("created", "campaign", "camp_vip"), ("created", "product", "prod_vip"),
        ("created", "code_pool", "pool_vip"), ("updated", "settings", "settings"),
    }  # fmt: skip
    assert ok(shop.get("/v1/campaigns"))["campaigns"] == []
    done = put(shop, PROGRAMME)
    assert done["changes"] == dry["changes"]
    assert put(shop, PROGRAMME)["changes"] == []
    out = shop.get("/v1/config", headers={"Accept": "application/yaml"})
    assert out.headers["content-type"].startswith("application/yaml")
    told = yaml.safe_load(out.text)
    assert told["campaigns"]["camp_vip"]["effects"][0]["config"]["productId"] == "prod_vip"
    assert told["products"]["prod_vip"] == {"name": "VIP badge", "sku": "VIP", "type": "badge"}
    assert put(shop, out.text)["changes"] == []
    wait = {"Prefer": "wait=10"}
    action = {"userId": "ann", "action": "purchase", "data": {"amount": 150}}
    shop.post("/api/audience/internal/actions", json=action, headers=wait)
    profile = ok(shop.get("/v1/profiles/ann"))
    assert (profile["points"], profile["badges"]) == (500, ["prod_vip"])


def test_all_that_is_wrong_is_told_from_the_top_and_nothing_is_done(shop):
    bad = (
        PROGRAMME.replace("VIP badge}     #", "Gold badge}     #")
        .replace("sku: VIP, ", "")
        .replace("Paris", "Atlantis")
    )
    response = shop.put("/v1/config", content=bad, headers=YAML)
    assert {error["field"] for error in response.json()["error"]["details"]} == {
        "campaigns.camp_vip.effects[0].config.productId", "products.prod_vip.sku", "settings.timeZone",
    }  # fmt: skip
    bad = PROGRAMME.replace("VIP badge}     #", "Gold badge}     #")
    (wrong,) = shop.put("/v1/config", content=bad, headers=YAML).json()["error"]["details"]
    assert wrong["field"] == "campaigns.camp_vip.effects[0].config.productId"
    assert ok(shop.get("/v1/products"))["products"] == []
    for text, code in (
        ("a: [", "bad_yaml"),
        ("a: &x [1]\nb: *x", "bad_yaml"),
        ("- 1", "invalid"),
        ("gold: {}", "invalid"),
    ):
        response = shop.put("/v1/config", content=text, headers=YAML)
        assert (response.status_code, response.json()["error"]["code"]) == (400, code), text


def test_what_is_no_longer_there_goes_if_so_asked_but_leaves_no_orphan(shop):
    put(shop, PROGRAMME)
    without = PROGRAMME.replace(
        "  prod_vip: {name: VIP badge, sku: VIP, type: badge}", "  prod_cup: {name: Cup, sku: CUP, type: ticket}"
    )
    assert [change["change"] for change in put(shop, without)["changes"]] == ["created"]
    response = shop.put("/v1/config?prune=true", content=without, headers=YAML)
    assert response.status_code == 400
    for query in ("?prune=true&dryRun=true", "?prune=true"):  # a dry run is refused as it would be refused
        response = shop.put(
            f"/v1/config{query}", headers=YAML, content="products: {prod_cup: {name: Cup, sku: CUP, type: ticket}}"
        )
        assert (response.status_code, response.json()["error"]["code"]) == (409, "referred_to")
    assert len(ok(shop.get("/v1/products"))["products"]) == 2


def test_any_version_can_be_restored(shop):
    first = put(shop, PROGRAMME)["programVersion"]
    put(shop, "campaigns: {camp_more: {name: More, status: draft}}")
    ok(shop.put("/v1/campaigns/camp_vip", json={"name": "Changed"}))
    restored = ok(shop.post("/v1/config/restore", json={"programVersion": first}))
    assert {(change["change"], change["id"]) for change in restored["changes"]} == {
        ("updated", "camp_vip"),
        ("deleted", "camp_more"),
    }
    assert ok(shop.get("/v1/campaigns"))["campaigns"][0]["name"] == "VIP shoppers"
    assert shop.post("/v1/config/restore", json={"programVersion": 0}).status_code == 404


def test_the_command_line_does_the_same(server_process, tmp_path):
    def plaudit(*words):
        command = [sys.executable, "-m", "plaudit", *words, "--data", str(server_process.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with server_process.client_of("CLI") as shop:
        org = ("--org", shop.headers["X-Monterosa-Org-ID"])
        file = tmp_path / "programme.yaml"
        file.write_text(PROGRAMME)
        told = plaudit("diff", str(file), *org)
        assert told.returncode == 1
        assert "created  campaign camp_vip" in told.stdout
        assert plaudit("apply", str(file), *org).returncode == 0
        assert plaudit("diff", str(file), *org).returncode == 0
        assert "Nothing to change." in plaudit("apply", str(file), *org).stdout
        assert "camp_vip" in plaudit("export", *org).stdout
        assert len(ok(shop.get("/v1/campaigns"))["campaigns"]) == 1
        file.write_text("gold: {}")
        failed = plaudit("apply", str(file), *org)
        assert failed.returncode == 1
        assert failed.stderr.startswith("plaudit: gold is not a known collection (known: campaigns, rules, ")
