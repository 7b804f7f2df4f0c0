"""What a server writes into its log: no personal data, whatever is asked and whatever fails."""

import io
import json
import logging
import sys
from urllib.parse import quote

import asyncpg
import httpx
import jwt
import pytest
import structlog

from plaudit import telemetry
from plaudit.tracebacks import described, facts_of
from tests.support.eventually import eventually
from tests.support.http import ok

# Each person is known by an id, an e-mail address and a phone number that appear nowhere else.
ANN = {"userId": "ann.known", "email": "ann.known@example.com", "phone": "+4915155550001"}
BROKEN = {"userId": "bob.broken", "email": "bob.broken@example.com", "phone": "+4915155550002"}
LATE = {"userId": "cy.broken", "email": "cy.broken@example.com", "phone": "+4915155550003"}
MARKS = ("ann.known", "bob.broken", "cy.broken", "1515555")

# The database refuses a person as it would for any reason of its own: naming them.
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'refused' USING DETAIL = NEW.user_id, CONSTRAINT = 'test_refusal'; END $$;
"""


def everything_logged(server) -> str:
    files = [path for path in server.folder.parent.rglob("*") if path.suffix == ".log" or path.name == "log"]
    return "\n".join(file.read_text(errors="replace") for file in files if file.is_file())


def use_everything(server, client, person) -> None:
    """Calls of all generations about a person: those that work, those that are wrong, those that are nobody's."""
    user_id, email, phone = (quote(person[name], safe="") for name in ("userId", "email", "phone"))
    paths = [f"/api/audience/{user_id}", f"/api/audience/{email}", f"/api/audience/{phone}",
             f"/api/audience/profile?user_ids={user_id}", f"/v1/profiles?email={email}", f"/v1/profiles/{user_id}",
             f"/v1/profiles/{user_id}/consents", f"/v1/profiles/{user_id}/export", f"/v1/profiles/{user_id}/no/such/call",
             f"/api/loyalty/admin/users/{user_id}", f"/loyalty/api/loyalty/admin/users/{email}/consents",
             f"/v1/events?userId={user_id}", f"/v1/events/{email}/explain", f"/api/loyalty/{email}"]  # fmt: skip
    for path in paths:
        for method in ("GET", "PUT", "POST", "DELETE") if path.endswith("call") else ("GET", "PATCH"):
            client.request(method, path, json={"email": person["email"]})
    client.put(f"/v1/profiles/{user_id}", json={"email": person["email"], "points": person["phone"]})
    client.post(f"/v1/profiles/{user_id}/consents", json={"purpose": "mail", "granted": True})
    client.post("/v1/users/enroll", json={"userId": person["userId"], "profile": {"email": person["email"]}})
    client.post("/v1/transactions", json={"userId": person["userId"], "metric": "points", "amount": 1})
    client.post("/api/audience/internal/actions", json={"userId": person["userId"], "action": "a", "data": person})
    client.post("/api/audience/internal/actions", content=json.dumps(person)[:-1])
    client.post("/v1/track", json={"userId": person["email"], "event": "a"})
    client.post("/v1/bulk/import", content=json.dumps(person | {"points": person["email"]}))
    forged = jwt.encode({"sub": person["userId"], "org": client.headers["X-Monterosa-Org-ID"], "exp": 10**10}, "x" * 32)
    for token in (server.token_of(client, person["userId"]), forged):
        for path in (
            "/api/loyalty/profile",
            "/api/loyalty/me",
            "/api/audience/profile",
            f"/api/loyalty/coupons/{email}",
        ):
            httpx.get(server.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=60)


@pytest.mark.breaks_tables("takes a table away, and lets the database refuse people")
def test_the_log_names_nobody(own_server):
    server = own_server("--no-demo").start()
    with server.client_of("Club") as client:
        use_everything(server, client, ANN)
        server.sql(REFUSE)
        for table in ("members", "inbox"):
            server.sql(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW"
                       f" WHEN (NEW.user_id = '{BROKEN['userId']}') EXECUTE FUNCTION refuse()")  # fmt: skip
        server.sql(f"CREATE TRIGGER later BEFORE INSERT ON members FOR EACH ROW"
                   f" WHEN (NEW.user_id = '{LATE['userId']}') EXECUTE FUNCTION refuse()")  # fmt: skip
        server.sql("ALTER TABLE consents RENAME TO elsewhere")
        use_everything(server, client, BROKEN)
        client.post("/api/audience/internal/actions", json={"userId": LATE["userId"], "action": "a", "data": LATE})
        eventually(lambda: ok(client.get("/v1/events?status=failed"))["events"])
        server.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        server.sql("SELECT pg_reload_conf()")
        eventually(lambda: client.post("/v1/profiles", json=ANN | {"userId": "ann.known.2"}).status_code == 503)
        use_everything(server, client, ANN)
    assert server.stop() == 0
    logged = everything_logged(server)
    for mark in MARKS:
        assert mark not in logged, logged[max(0, logged.index(mark) - 2_000) : logged.index(mark) + 200]
    entries = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    # It would prove little if nothing had failed, or if the log did not say where and why.
    failed = [entry for entry in entries if entry["event"] == "request_failed"]
    assert {value["route"] for value in failed} >= {"/api/audience/internal/actions", "/v1/profiles/{userId}/consents"}
    assert any("RaiseError: P0001, test_refusal" in value["exception"] for value in failed)
    assert any("UndefinedTableError: 42P01" in value["exception"] for value in failed)
    assert [entry for entry in entries if entry["event"] == "event_failed" and "RaiseError" in entry["exception"]]
    refused = [entry for entry in entries if entry["event"] == "request_refused"]
    assert {value["route"] for value in refused} >= {"/v1/profiles"}
    assert all(value["correlation_id"] for value in [*failed, *refused])


def _raised(error: Exception) -> Exception:
    try:
        try:
            raise ValueError("no such user: ann.known@example.com")
        except ValueError as cause:
            raise error from cause
    except Exception as caught:
        return caught


def test_a_traceback_says_where_and_what_but_not_with_which_values():
    text = described(_raised(KeyError("ann.known")))
    assert "ann.known@" not in text.replace('raise ValueError("no such user: ann.known@example.com")', "")
    assert text.index("ValueError") < text.index("During its handling") < text.rindex("KeyError")
    assert "in _raised" in text
    assert facts_of(OSError(2, "No such file", "/home/ann.known")) == "FileNotFoundError: No such file"
    taken = asyncpg.UniqueViolationError.new({"C": "23505", "M": "duplicate", "D": "Key (ann.known)", "n": "one_email"})
    assert facts_of(taken) == "asyncpg.exceptions.UniqueViolationError: 23505, one_email"
    group = ExceptionGroup("of ann.known", [ValueError("ann.known")])
    assert "together with: ValueError" in described(group)
    assert "ann.known" not in described(group)


@pytest.fixture
def written(monkeypatch):
    """What is written by the logs as a server configures them."""
    handlers, level = logging.root.handlers[:], logging.root.level
    output = io.StringIO()
    monkeypatch.setattr(sys, "stderr", output)
    telemetry.configure_logs()
    yield output
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_what_libraries_log_is_an_entry_without_values(written):
    try:
        raise ValueError("ann.known")
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: <Task ann.known>")
    entry = json.loads(written.getvalue())
    assert (entry["logger"], entry["message"]) == ("asyncio", "Task exception was never retrieved")
    assert "ValueError" in entry["exception"]
    assert "<Task" not in str(entry)
    assert "known" not in str(entry).replace('raise ValueError("ann.known")', "")
