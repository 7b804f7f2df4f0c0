"""The same commands on a database and over the API of a running server do the same, and say the same."""

import json

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.http import ok

PROGRAMME = """
settings: {name: Shop, timeZone: Europe/Paris}
triggers:
  purchase: {key: purchase, name: Purchase, fields: [{key: amount, type: number}]}
campaigns:
  camp_vip:
    name: VIP shoppers
    triggers: [{type: purchase}]
    effects:
      - {type: add_points, config: {amount: 500, reason: VIP}}
      - {type: add_metric, config: {metric: xp, amount: 5}}
ladders:
  club: {name: Club, rungs: [{rungId: a, name: A, threshold: 0}, {rungId: b, name: B, threshold: 100}]}
"""


@pytest.fixture(params=["database", "api"])
def place(request, shop, server_process):
    """The options for the shop's organisation."""
    if request.param == "database":
        return ["--data", server_process.folder, "--org", shop.headers["X-Monterosa-Org-ID"]]
    return ["--url", server_process.url, "--key", shop.headers["Authorization"].removeprefix("Bearer ")]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "programme.yaml"
    path.write_text(PROGRAMME)
    return path


def test_a_programme_is_promoted_without_the_settings_unless_they_are_named(plaudit, place, file, shop):
    result = plaudit("diff", file, *place)
    assert result.status == 1
    assert result.out.splitlines() == [
        "created  campaign camp_vip",
        "created  trigger purchase",
        "created  ladder club",
    ]
    assert result.err == "The settings in the file are left out: pass --settings to include them.\n"
    assert plaudit("apply", file, "--dry-run", *place).out == result.out
    assert ok(shop.get("/v1/campaigns"))["campaigns"] == []
    assert plaudit("apply", file, *place).out == result.out
    assert ok(shop.get("/v1/settings"))["timeZone"] == "UTC"
    assert plaudit("diff", file, *place).status == 0
    assert plaudit("apply", file, *place).out == "Nothing to change.\n"
    named = plaudit("apply", file, "--settings", *place)
    assert (named.err, named.out.splitlines()[0]) == ("", "updated  settings settings")
    assert ok(shop.get("/v1/settings"))["timeZone"] == "Europe/Paris"


def test_only_some_kinds_are_applied_or_all_but_some(plaudit, place, file, shop):
    only = plaudit("apply", file, "--only", "triggers", "--only", "settings", *place)
    assert [line.split()[1] for line in only.out.splitlines() if line[0] != " "] == ["trigger", "settings"]
    without = plaudit("apply", file, "--without", "ladder", *place)
    assert without.out.splitlines() == ["created  campaign camp_vip"]
    assert ok(shop.get("/v1/ladders"))["ladders"] == []
    exported = plaudit("export", "--only", "campaigns", *place)
    assert exported.out.splitlines()[:2] == ["campaigns:", "  camp_vip:"]
    assert "settings" not in exported.out


def test_a_difference_is_told_by_the_field_inside_a_list(plaudit, place, file):
    plaudit("apply", file, *place)
    changed = PROGRAMME.replace("amount: 500", "amount: 600").replace("threshold: 100", "threshold: 90")
    changed = changed.replace("      - {type: add_metric, config: {metric: xp, amount: 5}}\n", "")
    file.write_text(changed)
    assert plaudit("diff", file, *place).out.splitlines() == [
        "updated  campaign camp_vip",
        "         effects[0].config.amount: 500 -> 600",
        '         effects[1]: {"type":"add_metric","config":{"amount":5,"metric":"xp"}} -> null',
        "updated  ladder club",
        "         rungs[1].threshold: 100 -> 90",
    ]


def test_actions_are_imported_once_and_refused_lines_name_the_column(plaudit, place, file, shop, tmp_path):
    plaudit("apply", file, *place)
    events = tmp_path / "events.csv"
    events.write_text("userId,action,data.amount,eventId\nann,purchase,80,e-1\nbob,purchase,x,e-2\n,purchase,1,e-3\n")
    result = plaudit("import", events, "--kind", "events", *place)
    assert result.status == 1
    assert [line for line in result.out.splitlines() if line.startswith("events.csv:")] == [
        "events.csv:3: data.amount must be a number such as 1234.5 (got 'x')",
        "events.csv:4: Missing required fields: userId",
    ]
    assert "3 records in 4 lines: 1 imported, 0 unchanged, 2 refused" in result.out
    eventually(lambda: shop.get("/v1/profiles/ann").json().get("data", {}).get("points") == 500)
    again = plaudit("import", events, "--kind", "events", *place)
    assert "3 records in 4 lines: 0 imported, 1 unchanged, 2 refused" in again.out


def test_members_are_imported_and_the_totals_reconciled(plaudit, place, shop, tmp_path):
    members = tmp_path / "members.csv"
    members.write_text("userId,metrics.points,timezone\nann,7,Mars/X\nbob,5,\n")
    result = plaudit("import", members, *place)
    assert result.status == 1
    assert "members.csv:2: timezone must be an IANA time zone such as Europe/Berlin (got 'Mars/X')" in result.out
    assert "1 imported" in result.out
    assert ok(shop.get("/v1/profiles/bob"))["points"] == 5


def test_a_programme_and_a_campaign_are_simulated(plaudit, place, file, shop, tmp_path):
    plaudit("apply", file, *place)
    wait = {"Prefer": "wait=10"}
    ok(shop.post("/api/audience/internal/actions", json={"userId": "ann", "action": "purchase"}, headers=wait))
    file.write_text(PROGRAMME.replace("amount: 500", "amount: 600"))
    found = json.loads(plaudit("simulate", file, "--days", "1", "--json", *place).out)
    assert found["programme"]["simulated"]["points"] - found["programme"]["actual"]["points"] == 100
    changes = '{"effects": [{"type": "add_points", "config": {"amount": 1}}]}'
    result = plaudit("simulate", "--campaign", "camp_vip", "--changes", changes, *place)
    assert "all campaigns, points: 500 -> 1" in result.out
    missing = plaudit("simulate", "--campaign", "nothing", *place)
    assert (missing.status, missing.err) == (1, "plaudit: Campaign not found\n")


def test_the_books_of_one_organisation_are_checked(plaudit, place, shop, server_process):
    ok(shop.post("/v1/transactions", json={"userId": "ann", "amount": 25}), 201)
    checks = {load["name"]: load for load in json.loads(plaudit("verify", "--json", *place).out)}
    assert checks["balance = sum of transactions"]["counted"] == 1
    assert checks["replaying the log gives the same rows"]["counted"] >= 1
    assert all(check["violations"] == 0 for check in checks.values())
    org_id = shop.headers["X-Monterosa-Org-ID"]
    (row,) = server_process.sql("SELECT member_id FROM members WHERE org_id = $1 AND user_id = 'ann'", org_id)
    change = "UPDATE balances SET amount = amount + $2 WHERE member_id = $1"
    server_process.sql(change, row["member_id"], 1)
    try:
        result = plaudit("verify", *place)
    finally:
        server_process.sql(change, row["member_id"], -1)
    assert result.status == 1
    assert "balance = sum of transactions" in result.out
    assert str(row["member_id"]) in result.out


def test_the_books_of_others_are_not_looked_at(plaudit, server_process, shop):
    with server_process.client_of("Other") as other:
        ok(other.post("/v1/transactions", json={"userId": "cy", "amount": 25}), 201)
        checks = ok(shop.post("/v1/verify"))["checks"]
    counted = {check["name"]: check["counted"] for check in checks}
    assert (counted["balance = sum of transactions"], counted["replaying the log gives the same rows"]) == (0, 0)


def test_a_secret_names_its_organisation_and_no_other(plaudit, shop, server_process):
    key = ["--url", server_process.url, "--key", shop.headers["Authorization"].removeprefix("Bearer ")]
    assert plaudit("export", *key, "--org", "Shop").status == 0
    assert "not to 'Riverside FC'" in plaudit("export", *key, "--org", "Riverside FC").err
    current = ok(server_process_get(server_process, shop))
    assert (current["orgName"], current["isTest"], current["name"]) == ("Shop", True, "first")


def server_process_get(server_process, shop):
    """The call needs no header that names the organisation."""
    import httpx

    headers = {"Authorization": shop.headers["Authorization"]}
    return httpx.get(f"{server_process.url}/v1/api-keys/current", headers=headers, verify=False)


def test_an_organisation_is_created_with_credentials_that_open_it(plaudit, server_process):
    created = plaudit("org", "create", "New club", "--test", "--slug", "new-club", "--data", server_process.folder)
    made = dict(line.split() for line in created.out.splitlines())
    headers = {"Authorization": f"Bearer {made['apiSecret']}", "X-Monterosa-Org-ID": made["orgId"]}
    current = ok(httpx.get(f"{server_process.url}/v1/api-keys/current", headers=headers))
    assert (current["orgName"], current["isTest"], current["name"]) == ("New club", True, "first")
    assert len(made["jwtSecret"]) > 40
    again = plaudit("org", "create", "Other", "--slug", "new-club", "--data", server_process.folder)
    assert (again.status, "An organisation with the slug 'new-club' already exists" in again.err) == (1, True)


def test_organisations_are_listed_and_found_by_name_and_slug(plaudit, server_process):
    rows = json.loads(plaudit("org", "list", "--json", "--data", server_process.folder).out)
    assert [(organisation["name"], organisation["slug"], organisation["isTest"]) for organisation in rows[:2]] == [
        ("Riverside FC", None, False),
        ("demo-test", "demo-test", True),
    ]
    table = plaudit("org", "list", "--data", server_process.folder).out
    assert rows[1]["orgId"] in table
    by_name = plaudit("export", "--org", "Riverside FC", "--only", "settings", "--data", server_process.folder)
    assert "name: Riverside FC" in by_name.out
    by_slug = plaudit("export", "--org", "demo-test", "--only", "settings", "--data", server_process.folder)
    assert by_slug.out == "settings:\n  name: demo-test\n"
