"""Bulk: files of members with what they had elsewhere, line by line, once however often; and what adds up at the end."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.http import ok

NDJSON = {"Content-Type": "application/x-ndjson"}
CSV = {"Content-Type": "text/csv"}


def lines(*records):
    return "\n".join(json.dumps(record) for record in records)


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
    assert [lot["amount"] for lot in points["expiring"]] == [100, 40]
    assert (ann["xp"], ann["tier"], ann["badges"], ann["enrolledAt"]) == (
        7,
        "gold",
        ["cup"],
        "2024-05-06T07:08:09.000Z",
    )
    assert [(coupon["code"], coupon["status"]) for coupon in ann["coupons"]] == [("OLD-1", "allocated")]
    ok(ready.post("/v1/code-pools/pool/codes/OLD-1/redeem"))

    again = send(ready, lines(ANN, {"userId": "bob", "metrics": {"points": 5}}))
    assert (again["accepted"], again["unchanged"]) == (0, 2)
    assert again["reconciliation"] == job["reconciliation"]
    assert ok(ready.get("/v1/profiles/ann"))["metrics"]["points"]["balance"] == 140
    changed = send(ready, lines(ANN | {"firstName": "Anne"}))
    assert changed["errors"][0]["message"] == "This user was already imported with different values"


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
    wrong: dict[int, Any] = {
        error["line"]: [field["field"] for field in error["details"]] or error["message"] for error in job["errors"]
    }
    assert wrong[2].startswith("The line is not JSON")
    assert (wrong[3], wrong[4], wrong[5]) == (["userId"], ["email"], ["metrics.gold"])
    assert wrong[7] == "The ladder has no such rung"
    assert (wrong[9], wrong[10]) == (["codes"], "This user already appears in line 1")
    assert {11, 12} & wrong.keys() == {11} or {11, 12} & wrong.keys() == {12}
    read = ok(ready.get(f"/v1/bulk/jobs/{job['jobId']}?limit=3"))
    assert len(read["errors"]) == 3
    assert len(ok(ready.get(f"/v1/bulk/jobs/{job['jobId']}?cursor={read['cursor']}"))["errors"]) == 5


def test_an_amount_that_a_metric_cannot_hold_is_reported_and_not_rounded(ready):
    job = send(ready, "userId,metrics.points\nann,700.5\nbob,700\n", headers=CSV)
    assert [(error["line"], error["message"]) for error in job["errors"]] == [
        (2, "metrics.points must have at most 0 decimal places (got 700.5)")
    ]
    assert job["reconciliation"] == [{"metric": "points", "given": 700, "booked": 700, "agrees": True}]


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


def test_a_quote_that_is_never_closed_costs_its_line_only(ready):
    text = 'userId,firstName,metrics.points\nr1,Ann,1\nr2,"pipe,2\nr3,Cy,3\nr4,Di,4\nr5,5" pipe,5\n'
    job = send(ready, text, headers=CSV)
    assert (job["state"], job["lines"], job["accepted"], job["refused"]) == ("finished", 6, 4, 1)
    assert [(error["line"], error["message"]) for error in job["errors"]] == [
        (3, "The line has a quote that is not closed")
    ]
    assert job["reconciliation"] == [{"metric": "points", "given": 13, "booked": 13, "agrees": True}]
    assert ok(ready.get("/v1/profiles/r5"))["firstName"] == '5" pipe'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"userId,metrics.points,Gr\xf6\xdfe\nl1,10,M\nl2,20,L\n", "The header is not UTF-8"),
        (b"userId,metrics.points,email,metrics.points\nl1,10,a@x.org,9\n", "The header must have each column once (got 'metrics.points' twice)"),
        (b"userId,metrics.gold\nl1,10\n", ""),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_read_fails_the_job_before_any_row_is_taken(ready, text, sentence):
    response = ready.post("/v1/bulk/import", content=text, headers=CSV)
    if sentence:
        assert response.status_code == 400
        assert sentence in response.json()["error"]["message"]
        assert ok(ready.get("/v1/bulk/jobs"))["jobs"][0]["state"] == "failed"
    assert ready.get("/v1/profiles/l1").status_code == 404


def test_what_spreadsheets_and_other_systems_send_is_read(ready):
    excel = "userId;city;metrics.points\r\nann;Rom, Italien;7\r\n".encode("utf-16")
    assert send(ready, excel, headers={"Content-Type": "application/vnd.ms-excel"})["accepted"] == 1
    assert ok(ready.get("/v1/profiles/ann"))["city"] == "Rom, Italien"
    marked = send(ready, b'\xef\xbb\xbf{"userId":"n1"}\n{"userId":"n2"}\n')
    assert (marked["accepted"], marked["refused"]) == (2, 0)


def points_reach(shop, points):
    """Wait for Ann's points; a user who has only acted does not exist until a worker has processed the action."""

    def current():
        response = shop.get("/v1/profiles/ann")
        return None if response.status_code == 404 else ok(response)["points"]

    eventually(current, points)


def test_actions_are_imported_from_columns(ready):
    pays = {
        "name": "Pay",
        "triggers": [{"type": "buy"}],
        "effects": [{"type": "add_points", "config": {"amount": "data.amount"}}],
    }
    ok(ready.post("/v1/campaigns", json=pays), 201)
    text = "eventId;action;userId;timestamp;data.amount\ne1;buy;ann;2026-10-01T00:00:00Z;12\ne2;buy;ann;soon;3\n"
    job = send(ready, text, "?kind=events", headers=CSV)
    assert (job["state"], job["accepted"], [error["line"] for error in job["errors"]]) == ("finished", 1, [3])
    points_reach(ready, 12)


@pytest.mark.parametrize(
    "text",
    [
        "id,coupon\n1,X5\n", "coupon_code\nX5\n", "value\tcodes\n1\tX5\n", "code,Code\nX5,X6\n", "X5;10\nX6;10\n", "X5\nX6;10\n",
        "Gutscheincode\nX5\nX6\n", "Codigo\nABCDE\nVWXYZ\n",
    ],
)  # fmt: skip
def test_a_header_of_codes_never_becomes_a_code(ready, text):
    refused = ready.post("/v1/code-pools/pool/import", content=text, headers=CSV)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_header")
    assert ok(ready.get("/v1/code-pools/pool"))["totalCodes"] == 0


def test_codes_are_taken_from_a_column_without_the_blanks_around_them(ready):
    sent = ready.post("/v1/code-pools/pool/import", content="id, Code\n1, X5 \n\n2,X6\n", headers=CSV)
    assert (sent.status_code, sent.json()["imported"]) == (201, 2)
    assert (
        ready.post("/v1/code-pools/pool/import", content="\ufeffX5\nX7\n".encode(), headers=CSV).json()["imported"] == 1
    )
    blank = ready.post("/v1/code-pools/pool/import", content="id,code\n1,\n", headers=CSV)
    assert (blank.status_code, blank.json()["error"]["message"]) == (400, "line 2 has no code")
    several = ready.post("/v1/code-pools/pool/import", content='code\nX8\n"X9\nY1\n', headers=CSV)
    assert several.json()["error"]["message"] == "line 3 cannot be read: The line has a quote that is not closed"
    for rows in ("X\n" * 10_002, "\n" * 50_001):
        many = ready.post("/v1/code-pools/pool/import", content="code\n" + rows, headers=CSV)
        assert many.json()["error"]["message"] == "The file may have 10,000 codes and 50,000 lines at most"


@pytest.mark.parametrize(
    "text",
    [
        "code;value\nX5;1\nX6;2\n",
        "value\tCode\r\n1\tX5\r\n2\tX6\r\n",
        "sep=|\ncode|value\nX5|1\nX6|2\n",
        "sep=;\nX5\nX6\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_codes_are_taken_from_files_of_any_separator(ready, text, encoding):
    sent = ready.post("/v1/code-pools/pool/import", content=text.encode(encoding), headers=CSV)
    assert (sent.status_code, sent.json().get("imported")) == (201, 2), sent.text
    assert [code["code"] for code in ok(ready.get("/v1/code-pools/pool/codes"))["codes"]] == ["X5", "X6"]


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
        [{"field": "userId", "message": "must reference an existing user (got 'zed')"}],
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
    points_reach(ready, 1201)


def programme_that_time_moves(shop):
    """A daily streak whose end costs something, points that expire, a ladder whose windows end."""
    ok(shop.put("/v1/metrics/points", json={"expiry": {"type": "rolling", "days": 30}}))
    ok(shop.post("/v1/streaks", json={
        "streakId": "daily", "name": "Daily", "triggers": [{"type": "visit"}], "cadence": "daily",
        "milestones": [{"length": 7, "effects": [{"type": "add_points", "config": {"amount": 5}}]}],
    }), 201)  # fmt: skip
    ok(shop.post("/v1/ladders", json={
        "ladderId": "club", "name": "Club", "metric": "points", "window": {"type": "rolling", "days": 60},
        "rungs": [{"rungId": "base", "name": "B", "threshold": 0}, {"rungId": "top", "name": "T", "threshold": 40}],
    }), 201)  # fmt: skip
    for trigger, effect in (
        ("visit", {"type": "add_points", "config": {"amount": 1}}),
        ("streak.broken", {"type": "add_metric", "config": {"metric": "coins", "amount": 1}}),
        ("metric.expired", {"type": "add_metric", "config": {"metric": "xp", "amount": 1}}),
    ):
        body = {"name": trigger, "triggers": [{"type": trigger}], "effects": [effect]}
        ok(shop.post("/v1/campaigns", json=body), 201)


def history_of_visits():
    """Twenty members visit on two days of three, for a hundred and fifty days; day by day."""
    first = datetime(2025, 3, 1, 12, tzinfo=UTC)
    return [
        {"userId": f"u{user}", "action": "visit", "timestamp": (first + timedelta(days=day)).isoformat()}
        for day in range(150)
        for user in range(20)
        if (day + user) % 21 < 14
    ]


def what_they_have(shop):
    return [
        {name: value[name] for name in ("points", "xp", "coins", "streak", "longestStreak", "tier", "lastActiveAt")}
        for value in (ok(shop.get(f"/v1/profiles/u{user}")) for user in range(20))
    ]


def test_an_import_of_history_with_a_pause_gives_what_it_gives_without_one(server_process):
    """Timers run in the pause, as they would for everybody else; when the import has ended they run up to now."""
    history = history_of_visits()
    found = []
    for pause in (False, True):
        with server_process.client_of("Past", is_test=True) as shop, server_process.client() as other:
            other.headers.update(shop.headers)
            programme_that_time_moves(shop)

            def body(shop=shop, other=other, pause=pause):
                yield lines(*history[:1000]).encode() + b"\n"
                if pause:
                    eventually(lambda: (jobs := ok(other.get("/v1/bulk/jobs"))["jobs"]) and jobs[0]["lines"] == 1000)
                    job = ok(other.get("/v1/bulk/jobs"))["jobs"][0]
                    assert (job["state"], job["timersWaitUntil"] > job["movedAt"]) == ("running", True)
                    assert ok(other.post("/v1/clock/advance", json={"seconds": 1}))["timers"] == 0
                yield lines(*history[1000:]).encode()

            job = ok(shop.post("/v1/bulk/import?kind=events", content=body(), headers=NDJSON))
            assert (job["state"], job["accepted"], job["timersWaitUntil"]) == ("finished", len(history), None)
            assert ok(shop.post("/v1/clock/advance", json={"seconds": 1}))["timers"] > 0  # up to now
            found.append(what_they_have(shop))
    assert found[0] == found[1]
    assert all((profile["points"], profile["streak"], profile["xp"] > 0) == (0, 0, True) for profile in found[0])
    assert {profile["coins"] for profile in found[0]} <= {7, 8}  # one for each pause of a member, not one more


def test_a_job_that_was_cancelled_holds_nobody_and_is_not_taken_up(shop):
    programme_that_time_moves(shop)
    sent = iter(history_of_visits())

    def body():
        yield lines(*(next(sent) for _ in range(1000))).encode() + b"\n"
        eventually(lambda: (jobs := ok(shop.get("/v1/bulk/jobs"))["jobs"]) and jobs[0]["lines"] == 1000)
        job_id = ok(shop.get("/v1/bulk/jobs"))["jobs"][0]["jobId"]
        cancelled = ok(shop.post(f"/v1/bulk/jobs/{job_id}/cancel"))
        assert (cancelled["state"], cancelled["timersWaitUntil"]) == ("cancelled", None)
        assert ok(shop.post("/v1/clock/advance", json={"seconds": 1}))["timers"] > 0
        yield lines(*sent).encode()

    refused = shop.post("/v1/bulk/import?kind=events", content=body(), headers=NDJSON)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_cancelled")
    job = ok(shop.get("/v1/bulk/jobs"))["jobs"][0]
    assert job["state"] == "cancelled"
    again = shop.post(f"/v1/bulk/import?kind=events&job={job['jobId']}", content=b"{}", headers=NDJSON)
    assert again.json()["error"]["code"] == "job_not_found"
    assert ok(shop.post(f"/v1/bulk/jobs/{job['jobId']}/cancel"))["state"] == "cancelled"  # said twice, it is no error
    finished = send(shop, lines({"userId": "zed"}))
    told = shop.post(f"/v1/bulk/jobs/{finished['jobId']}/cancel")
    assert (told.status_code, told.json()["error"]["code"]) == (409, "job_finished")
    assert shop.post("/v1/bulk/jobs/job_1/cancel").status_code == 404


def test_the_command_line_imports_too(server_process, tmp_path):
    file = tmp_path / "members.ndjson"
    file.write_text(lines({"userId": "ann", "metrics": {"points": 9}}, {"userId": ""}))
    with server_process.client_of("Import") as shop:
        command = [sys.executable, "-m", "plaudit", "import", str(file), "--org", shop.headers["X-Monterosa-Org-ID"]]
        done = subprocess.run(
            [*command, "--data", str(server_process.folder)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1, done.stderr
        assert "2 records in 2 lines: 1 imported, 0 unchanged, 1 refused" in " ".join(done.stdout.split())
        assert "members.ndjson:2: userId must be" in done.stdout
        assert ok(shop.get("/v1/profiles/ann"))["points"] == 9
    assert server_process.verify() == 0
