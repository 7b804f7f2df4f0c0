"""Bulk: files of members with what they had elsewhere, line by line, once however often; and what adds up at the end."""

import json
import subprocess
import sys
import time

import pytest

from tests.journeys.conftest import ok

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}


def lines(*records):
    return "\n".join(json.dumps(one) for one in records)


def send(shop, text, query="", path="import", headers=NDJSON):
    return ok(shop.post(f"/v1/bulk/{path}{query}", content=text, headers=headers))


@pytest.fixture
def ready(shop):
    ok(shop.put("/v1/metrics/points", json={"expiry": {"type": "rolling", "days": 365}}))
    ok(shop.post("/v1/ladders", json={"ladderId": "club", "name": "Club", "metric": "points", "rungs": [
        {"rungId": "base", "name": "Base", "threshold": 0}, {"rungId": "gold", "name": "Gold", "threshold": 1000}]}), 201)  # fmt: skip
    ok(shop.post("/v1/products", json={"productId": "cup", "name": "Cup", "sku": "CUP", "type": "badge"}), 201)
    ok(shop.post("/v1/code-pools", json={"poolId": "pool", "name": "P", "productId": "cup"}), 201)
    return shop


ANN = {
    "userId": "ann", "email": "ann@example.com", "firstName": "Ann", "enrolledAt": "2024-05-06T07:08:09Z",
    "metrics": {
        "points": [
            {"amount": 100, "expiresAt": "2027-01-01T00:00:00Z"},
            {"amount": 40, "expiresAt": "2027-06-01T00:00:00Z", "availableAt": "2026-12-01T00:00:00Z"},
        ],
        "xp": 7,
    },
    "ladders": {"club": "gold"}, "products": {"cup": 2}, "codes": [{"poolId": "pool", "code": "OLD-1"}],
}  # fmt: skip


def test_a_member_comes_with_lots_pending_points_rungs_products_and_codes(ready):
    job = send(ready, lines(ANN, {"userId": "bob", "metrics": {"points": 5}}))
    assert (job["state"], job["accepted"], job["refused"]) == ("finished", 2, 0)
    assert job["reconciliation"] == [
        {"metric": "points", "given": 145, "booked": 145, "agrees": True},
        {"metric": "xp", "given": 7, "booked": 7, "agrees": True},
    ]
    ann = ok(ready.get("/v1/profiles/ann"))
    points = ann["metrics"]["points"]
    assert (points["balance"], points["pending"], points["available"]) == (140, 40, 100)
    assert [one["amount"] for one in points["expiring"]] == [100, 40]
    assert (ann["xp"], ann["tier"], ann["badges"], ann["enrolledAt"]) == (
        7,
        "gold",
        ["cup"],
        "2024-05-06T07:08:09.000Z",
    )
    assert [(one["code"], one["status"]) for one in ann["coupons"]] == [("OLD-1", "allocated")]
    ok(ready.post("/v1/code-pools/pool/codes/OLD-1/redeem"))

    again = send(ready, lines(ANN, {"userId": "bob", "metrics": {"points": 5}}))
    assert (again["accepted"], again["unchanged"]) == (0, 2)
    assert again["reconciliation"] == job["reconciliation"]
    assert ok(ready.get("/v1/profiles/ann"))["metrics"]["points"]["balance"] == 140
    changed = send(ready, lines(ANN | {"firstName": "Anne"}))
    assert changed["errors"][0]["message"] == "The user was imported before with other values"


def test_each_wrong_line_is_told_and_spoils_no_other(ready):
    text = "\n".join([
        lines({"userId": "a1"}), "{nonsense", lines({"email": "x@x.org"}), lines({"userId": "a2", "email": "no"}),
        lines({"userId": "a3", "metrics": {"gold": 1}}), "", lines({"userId": "a4", "ladders": {"club": "silver"}}),
        lines({"userId": "a5", "codes": [{"poolId": "pool", "code": "X"}]}),
        lines({"userId": "a6", "codes": [{"poolId": "pool", "code": "X"}]}), lines({"userId": "a1"}),
        lines({"userId": "a7", "email": "same@x.org"}), lines({"userId": "a8", "email": "same@x.org"}),
    ])  # fmt: skip
    job = send(ready, text)
    assert (job["lines"], job["accepted"], job["refused"]) == (12, 3, 8)
    wrong = {one["line"]: [field["field"] for field in one["details"]] or one["message"] for one in job["errors"]}
    assert wrong[2].startswith("The line is not JSON")
    assert (wrong[3], wrong[4], wrong[5]) == (["userId"], ["email"], ["metrics.gold"])
    assert wrong[7] == "The line cannot be taken: rung missing"
    assert (wrong[9], wrong[10]) == (["codes"], "The same user stands in an earlier line")
    assert {11, 12} & wrong.keys() == {11} or {11, 12} & wrong.keys() == {12}
    read = ok(ready.get(f"/v1/bulk/jobs/{job['jobId']}?limit=3"))
    assert len(read["errors"]) == 3
    assert len(ok(ready.get(f"/v1/bulk/jobs/{job['jobId']}?cursor={read['cursor']}"))["errors"]) == 5


def test_csv_has_columns_for_everything_flat(ready):
    text = (
        'userId,email,city,metrics.points,custom.team,tags\r\nann,ann@x.org,"New\nYork",12,Reds,"[""a"",""b""]"\r\n'
        "bob,,Paris,,,\r\nbad,1,2,3,4,5,6\r\n"
    )
    job = send(ready, "\ufeff" + text, headers=CSV)
    assert (job["accepted"], job["refused"], job["errors"][0]["line"]) == (2, 1, 5)
    ann = ok(ready.get("/v1/profiles/ann"))
    assert (ann["city"], ann["points"], ann["team"], ann["tags"]) == ("New\nYork", 12, "Reds", ["a", "b"])
    assert ok(ready.get("/v1/profiles/bob"))["city"] == "Paris"


def test_a_job_that_stopped_goes_on_after_the_lines_that_are_done(ready):
    first = send(ready, lines(*({"userId": f"u{i}"} for i in range(1500))))
    whole = lines(*({"userId": f"u{i}"} for i in range(2000)))
    job = send(ready, whole, f"?job={first['jobId']}")
    assert (job["jobId"], job["lines"], job["accepted"], job["unchanged"]) == (first["jobId"], 2000, 2000, 0)


def test_jobs_are_listed_newest_first_so_that_one_whose_request_broke_off_is_found(ready):
    begun = [send(ready, lines({"userId": f"listed-{number}"})) for number in range(3)]
    found, query = [], "?limit=2"
    while query:
        page = ok(ready.get(f"/v1/bulk/jobs{query}"))
        found += page["jobs"]
        query = f"?limit=2&cursor={page['cursor']}" if page["cursor"] else ""
    shown = [{name: value for name, value in job.items() if name not in ("errors", "cursor")} for job in begun]
    assert found[:3] == shown[::-1]
    assert found[0]["state"] == "finished"
    assert found[0]["lines"] == 1


def test_profiles_are_updated_in_bulk(ready):
    send(ready, lines({"userId": "ann", "city": "Rome"}))
    job = send(ready, lines({"userId": "ann", "country": "IT"}, {"userId": "zed", "country": "IT"}), path="update")
    assert (job["accepted"], job["errors"][0]["details"]) == (
        1,
        [{"field": "userId", "message": "must be a user that there is"}],
    )
    ann = ok(ready.get("/v1/profiles/ann"))
    assert (ann["city"], ann["country"]) == ("Rome", "IT")


def test_codes_are_imported_in_bulk(ready):
    text = lines(*({"poolId": "pool", "code": f"C-{i}"} for i in range(2500)), {"poolId": "none", "code": "x"})
    job = send(ready, text, "?kind=codes")
    assert (job["accepted"], job["refused"]) == (2500, 1)
    assert send(ready, text, "?kind=codes")["unchanged"] == 2500
    assert ok(ready.get("/v1/code-pools/pool"))["availableCodes"] == 2500


def test_events_are_imported_in_bulk_each_once(ready):
    pays = {"name": "Pay", "triggers": [{"type": "buy"}], "effects": [{"type": "add_points", "config": {"amount": 1}}]}
    ok(ready.post("/v1/campaigns", json=pays), 201)
    old = {"userId": "ann", "action": "buy", "timestamp": "2026-10-01T00:00:00Z"}
    text = lines(*(old | {"eventId": f"e{i % 1200}"} for i in range(1500)), {"userId": "ann"}, old)
    job = send(ready, text, "?kind=events")
    assert (job["accepted"], job["unchanged"], job["refused"]) == (1201, 300, 1)
    assert job["errors"][0]["line"] == 1501
    again = send(ready, text, f"?kind=events&job={job['jobId']}")
    assert (again["accepted"], again["lines"]) == (1201, 1502)
    deadline = time.monotonic() + 30
    # Who has only acted so far is nobody until a worker has come to it.
    while (found := ready.get("/v1/profiles/ann")).status_code == 404 or ok(found)["points"] < 1201:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_command_line_imports_too(server_process, tmp_path):
    file = tmp_path / "members.ndjson"
    file.write_text(lines({"userId": "ann", "metrics": {"points": 9}}, {"userId": ""}))
    with server_process.client_of("Import") as shop:
        command = [sys.executable, "-m", "plaudit", "import", str(file), "--org", shop.headers["X-Monterosa-Org-ID"]]
        done = subprocess.run(
            [*command, "--data", str(server_process.folder)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr
        assert "2 lines: 1 taken, 0 as they were, 1 refused" in done.stdout
        assert "line 2:" in done.stdout
        assert ok(shop.get("/v1/profiles/ann"))["points"] == 9
    assert server_process.verify() == 0
