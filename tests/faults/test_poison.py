"""Events that raise, hang, eat memory or kill their process affect themselves alone, wherever they are decided."""

import json
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.support.eventually import eventually
from tests.support.http import ok
from tests.support.receiver import Receiver

ACTIONS = "/api/audience/internal/actions"
POISON = Path(__file__).parent / "poison"
HANGING = "hanging"  # a file that is written by what hangs
WHY = {
    "raise": "RuntimeError: poison",
    "panic": "Panic",
    "eat": "MemoryError",
    "hang": "the process was silent for 5 seconds",
    "die": "the process was ended by signal 9",
}
CLAP = {"campaignId": "clap", "name": "Clap", "triggers": [{"type": "clapped"}],
        "effects": [{"type": "add_points", "amount": 3}]}  # fmt: skip


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def poisoned_server(own_server, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(POISON), prepend=os.pathsep)
    monkeypatch.setenv("PLAUDIT_PRIVATE_NETWORKS", "true")
    monkeypatch.setenv("PLAUDIT_MEMORY_MB", "1024")
    monkeypatch.setenv("POISON_HANGING", str(tmp_path / HANGING))
    return own_server("--no-demo").start()


@pytest.fixture
def club_of():
    """A client of an organisation of its own, with a campaign, and a webhook if one is given."""
    with ExitStack() as stack:

        def made(server, called: str, **webhook) -> httpx.Client:
            club = stack.enter_context(server.client_of(called))
            ok(club.post("/v1/campaigns", json=CLAP), 201)
            if webhook:
                ok(club.post("/v1/webhooks", json={"events": ["campaign.completed"]} | webhook), 201)
            return club

        yield made


def clap(club: httpx.Client, event_id: str, *, at_once: bool = False, **data) -> httpx.Response:
    action = {"userId": "ann", "action": "clapped", "eventId": event_id, "data": data}
    return club.post(ACTIONS, json=action, headers={"Prefer": "wait=20"} if at_once else {})


def state_of(club: httpx.Client, event_id: str) -> dict:
    with suppress(httpx.TransportError):  # while the API is replaced
        response = club.get(f"/v1/events/{event_id}")
        if response.status_code == 200:
            return response.json()["data"]
    return {"status": "unknown"}


def goes_on(victim: httpx.Client, receiver: Receiver, event_id: str) -> None:
    """Its events are decided, and its messages delivered."""
    before = len(receiver.messages)
    is_decided(victim, event_id)
    receiver.wait_for(before + 1)


def is_decided(club: httpx.Client, event_id: str) -> None:
    """An event is accepted and decided, however long that takes; a caller who waits for the outcome gets 202 after a while."""
    eventually(lambda: _taken(club, event_id))
    eventually(lambda: state_of(club, event_id)["status"] == "processed")


def _taken(club: httpx.Client, event_id: str) -> bool:
    with suppress(httpx.TransportError):
        return clap(club, event_id).status_code == 202
    return False


@pytest.mark.slow
@pytest.mark.parametrize("where", ["worker", "api"])
def test_an_event_that_its_process_does_not_survive_is_set_aside_alone(poisoned_server, club_of, receiver, where):
    server = poisoned_server
    victim = club_of(server, "Victim", name="there", url=receiver.url)
    for poison, why in WHY.items():
        poisoner = club_of(server, f"Poisoner {poison}")
        name = f"{where}-{poison}"
        with suppress(httpx.TransportError):  # its process dies
            clap(poisoner, name, at_once=where == "api", poison=poison)
        goes_on(victim, receiver, f"{name}-meanwhile")
        shown = eventually(lambda: (found := state_of(poisoner, name))["status"] == "failed" and found)  # noqa: B023
        assert why in str(shown), shown
        # Asked for again, it is not tried here again; another event of the same organisation is decided.
        if where == "api" and poison == "hang":
            again = clap(poisoner, name, at_once=True, poison=poison)
            assert (again.status_code, again.json()["error"]["code"]) == (500, "event_stopped")
        is_decided(poisoner, f"{name}-next")
    assert server.stop() == 0
    server.start()
    goes_on(victim, receiver, f"{where}-after")
    server.verify()


@pytest.mark.slow
def test_a_server_that_is_killed_while_an_event_hangs_comes_to_its_end_all_the_same(
    poisoned_server, club_of, receiver, tmp_path
):
    server = poisoned_server
    victim = club_of(server, "Victim", name="there", url=receiver.url)
    poisoner = club_of(server, "Poisoner")
    assert clap(poisoner, "poison", poison="hang").status_code == 202
    eventually((tmp_path / HANGING).exists)  # it is being decided
    server.process.kill()
    server.process.wait()
    server.start()
    goes_on(victim, receiver, "meanwhile")
    eventually(lambda: state_of(poisoner, "poison")["status"] == "failed")


def org_of(club: httpx.Client) -> str:
    return club.headers["X-Monterosa-Org-ID"]


def deliveries_of(club: httpx.Client) -> list[dict]:
    with suppress(httpx.TransportError):
        return ok(club.get("/v1/webhooks/bad/deliveries"))["deliveries"]
    return []


@pytest.mark.slow
def test_a_message_whose_conditions_delivery_does_not_survive_is_given_up_alone(poisoned_server, club_of, receiver):
    server = poisoned_server
    victim = club_of(server, "Victim", name="there", url=receiver.url)
    named = [{"field": "campaignId", "operator": "equals", "value": "clap"}]
    for poison, why in WHY.items():
        bad = {"webhookId": "bad", "name": f"judge-{poison}", "url": receiver.url, "conditions": named}
        poisoner = club_of(server, f"Poisoner {poison}", **bad)
        assert clap(poisoner, poison).status_code == 202
        goes_on(victim, receiver, f"{poison}-meanwhile")
        eventually(lambda: [delivery["state"] for delivery in deliveries_of(poisoner)] == ["dead"])  # noqa: B023
        assert why in deliveries_of(poisoner)[0]["error"]
    assert server.stop() == 0
    server.start()
    goes_on(victim, receiver, "after")


@pytest.mark.slow
def test_a_message_that_delivery_does_not_survive_sending_is_given_up_alone(poisoned_server, club_of, receiver):
    server = poisoned_server
    victim = club_of(server, "Victim", name="there", url=receiver.url)
    poisoners = {}
    for poison, why in WHY.items():
        bad = {"webhookId": "bad", "name": "Bad", "url": f"{receiver.url}/send-{poison}"}
        poisoner = poisoners[poison] = club_of(server, f"Poisoner {poison}", **bad)
        assert clap(poisoner, poison).status_code == 202
        goes_on(victim, receiver, f"{poison}-meanwhile")
        # What raises is an attempt that has failed: the next one is made later.
        wanted = "dead" if poison in ("hang", "die") else "waiting"
        eventually(lambda: [why in (delivery["error"] or "") for delivery in deliveries_of(poisoner)] == [True])  # noqa: B023
        assert [delivery["state"] for delivery in deliveries_of(poisoner)] == [wanted]
    assert server.stop() == 0
    server.start()
    goes_on(victim, receiver, "after")
    # Asked for, it is tried anew.
    poisoner = poisoners["die"]
    ok(poisoner.put("/v1/webhooks/bad", json={"url": receiver.url}))
    (dead,) = deliveries_of(poisoner)
    ok(poisoner.post(f"/v1/webhooks/bad/deliveries/{dead['deliveryId']}/retry"), 202)
    eventually(lambda: [delivery["state"] for delivery in deliveries_of(poisoner)] == ["delivered"])


SEGMENT = {"name": "All", "include": [{"field": "userId", "operator": "not_equals", "value": "nobody"}]}
CUP = {"name": "Cup", "score": {"metric": "points"}, "settleAfterMinutes": 0,
       "startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-02T00:00:00Z",
       "prizes": [{"fromRank": 1, "toRank": 1, "effects": [{"type": "add_points", "amount": 1}]}]}  # fmt: skip
LEAGUE = {"name": "League", "score": {"metric": "points"}, "settleAfterMinutes": 0,
          "leagues": {"divisions": ["bronze", "silver"], "promote": 1, "relegate": 1}}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("poison", ["raise", "panic", "hang", "die"])
def test_a_chore_that_its_process_does_not_survive_is_left_out_alone(poisoned_server, club_of, receiver, poison):
    server = poisoned_server
    poisoner, victim = club_of(server, "Poisoner"), club_of(server, "Victim", name="there", url=receiver.url)
    named = f"chore-{poison}"
    ok(poisoner.post("/v1/segments", json=SEGMENT | {"segmentId": named}), 201)
    ok(poisoner.post("/v1/competitions", json=CUP | {"competitionId": named}), 201)
    ok(victim.post("/v1/segments", json=SEGMENT | {"segmentId": "all"}), 201)
    ok(victim.post("/v1/competitions", json=CUP | {"competitionId": "cup"}), 201)
    goes_on(victim, receiver, "meanwhile")
    filled = "SELECT FROM segment_fills WHERE segment_id = 'all' AND finished_at IS NOT NULL"
    eventually(lambda: server.sql(filled))
    eventually(
        lambda: server.sql("SELECT FROM competition_results WHERE competition_id = 'cup' AND settled_at IS NOT NULL")
    )

    def left_out() -> bool:
        with suppress(httpx.TransportError):
            found = httpx.get(f"{server.url}/readyz").json().get("warnings", [])
            return [value["code"] for value in found] == ["chore_left_out"] * 2
        return False

    eventually(left_out)
    is_decided(poisoner, "next")


@pytest.mark.slow
def test_a_league_that_hangs_a_worker_is_left_out_alone(poisoned_server, club_of, receiver):
    server = poisoned_server
    poisoner, victim = club_of(server, "Poisoner"), club_of(server, "Victim", name="there", url=receiver.url)
    ok(poisoner.post("/v1/competitions", json=LEAGUE | {"competitionId": "chore-hang"}), 201)
    eventually(lambda: [row["kind"] for row in server.sql("SELECT kind FROM suspects WHERE tries >= 2")] == ["league"])
    goes_on(victim, receiver, "meanwhile")
    ok(victim.post("/v1/segments", json=SEGMENT | {"segmentId": "all"}), 201)
    eventually(lambda: server.sql("SELECT FROM segment_fills WHERE finished_at IS NOT NULL"))


@pytest.mark.slow
@pytest.mark.breaks_tables("a member is made to be due, of whom nothing is")
def test_what_falls_due_and_hangs_a_worker_is_set_aside_for_its_member_alone(poisoned_server, club_of, receiver):
    server = poisoned_server
    poisoner, victim = club_of(server, "Poisoner"), club_of(server, "Victim", name="there", url=receiver.url)
    action = {"userId": "tick-hang", "action": "clapped", "eventId": "first"}
    assert poisoner.post(ACTIONS, json=action).status_code == 202
    eventually(lambda: state_of(poisoner, "first")["status"] == "processed")
    server.sql("UPDATE members SET due_at = now() WHERE user_id = 'tick-hang'")
    eventually(lambda: server.sql("SELECT FROM suspects WHERE kind = 'tick' AND tries >= 2"))
    goes_on(victim, receiver, "meanwhile")
    (failed,) = eventually(lambda: ok(poisoner.get("/v1/events", params={"status": "failed"}))["events"])
    assert WHY["hang"] in str(failed)


@pytest.mark.slow
def test_a_document_or_a_programme_that_hangs_the_api_is_looked_at_no_more(poisoned_server, club_of, receiver):
    server = poisoned_server
    poisoner, victim = club_of(server, "Poisoner"), club_of(server, "Victim", name="there", url=receiver.url)
    saved = {**CLAP, "campaignId": "bad", "name": "save-hang"}
    with suppress(httpx.TransportError):  # its process is ended
        poisoner.post("/v1/campaigns", json=saved)
    goes_on(victim, receiver, "saved")
    refused = poisoner.post("/v1/campaigns", json=saved)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "document_stopped")
    with suppress(httpx.TransportError):
        poisoner.post("/v1/campaigns", json=saved | {"name": "compile-hang"})
        poisoner.get("/v1/clock")
    goes_on(victim, receiver, "compiled")
    refused = poisoner.get("/v1/clock")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "programme_stopped")
    # What can be changed can be found; a change makes another version of it.
    assert [campaign["campaignId"] for campaign in ok(poisoner.get("/v1/campaigns"))["campaigns"]] == ["clap", "bad"]
    ok(poisoner.put("/v1/campaigns/bad", json={"name": "Good"}))
    is_decided(poisoner, "next")


@pytest.mark.slow
def test_a_line_of_an_import_that_hangs_the_api_is_refused_alone(poisoned_server, club_of, receiver):
    server = poisoned_server
    poisoner, victim = club_of(server, "Poisoner"), club_of(server, "Victim", name="there", url=receiver.url)
    lines = "".join(json.dumps({"userId": name}) + "\n" for name in ("ann", "user-hang", "bob"))

    def import_members() -> httpx.Response:
        return poisoner.post("/v1/bulk/import?kind=members", content=lines)

    with suppress(httpx.TransportError):
        import_members()
    goes_on(victim, receiver, "meanwhile")
    done = ok(import_members())
    assert (done["accepted"], done["refused"]) == (2, 1)
    there = server.sql("SELECT user_id FROM members WHERE org_id = $1 ORDER BY user_id", UUID(org_of(poisoner)))
    assert [row["user_id"] for row in there] == ["ann", "bob"]


@pytest.mark.slow
def test_an_organisation_of_which_three_events_end_a_worker_has_its_others_set_aside(
    poisoned_server, club_of, receiver
):
    server = poisoned_server
    poisoner, victim = club_of(server, "Poisoner"), club_of(server, "Victim", name="there", url=receiver.url)
    for number in range(5):
        assert clap(poisoner, f"poison-{number}", poison="hang").status_code == 202
    goes_on(victim, receiver, "meanwhile")
    eventually(lambda: all(state_of(poisoner, f"poison-{number}")["status"] == "failed" for number in range(5)))
    assert len(server.sql("SELECT FROM suspects WHERE tries >= 2")) == 3
    assert clap(poisoner, "good").status_code == 202
    eventually(lambda: state_of(poisoner, "good")["status"] == "failed")
    goes_on(victim, receiver, "after")
