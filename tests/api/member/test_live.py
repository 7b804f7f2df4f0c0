"""Live streams: what a member is told, at once, each thing once, wherever the line broke."""

import httpx
import pytest

from plaudit.delivery.live import STREAMS_OF_MEMBER_MAX
from tests.support.eventually import eventually
from tests.support.existing import existing
from tests.support.http import data_of, ok, report
from tests.support.stream_reader import StreamReader


@pytest.fixture(scope="module")
def club(server_process):
    with server_process.client_of("Live", is_test=True) as client:
        campaign = {"name": "Clap", "triggers": [{"type": "clapped"}], "effects": [{"type": "add_points", "amount": 3}],
                    "notification": {"title": "Thanks", "message": "You have {{ metrics.points }}"}}  # fmt: skip
        ok(client.post("/v1/campaigns", json={"campaignId": "clap", **campaign}), 201)
        quiet = {"name": "Walk", "triggers": [{"type": "walked"}], "effects": [{"type": "add_points", "amount": 1}]}
        ok(client.post("/v1/campaigns", json=quiet), 201)
        yield client


def test_what_happens_is_heard_and_what_was_missed_is_heard_on_return(club, server_process):
    with server_process.member_of(club, "ann") as ann:
        stream = StreamReader(ann)
        assert [event for event, _, _ in stream.events] == ["ready"]
        report(club, "ann", "clapped")
        stream.wait_for(lambda: len(stream.events) >= 3)
        assert [event for event, _, _ in stream.events] == ["ready", "notification", "changed"]
        (note,) = stream.notes()
        assert note == data_of(ann.get("/api/loyalty/me/notifications"))["notifications"][0]
        assert (note["message"], note["metrics"]) == ("You have 3", {"points": {"from": 0, "to": 3}})
        report(club, "ann", "walked")  # nothing to be told, but something to look at
        stream.wait_for(lambda: len(stream.events) == 4)
        assert stream.events[3][0] == "changed"
        stream.close()

        last = stream.events[1][1]
        for _ in range(3):
            report(club, "ann", "clapped")
        resumed = StreamReader(ann, **{"Last-Event-ID": last})
        resumed.wait_for(lambda: len(resumed.notes()) == 3)
        report(club, "ann", "clapped")
        resumed.wait_for(lambda: len(resumed.notes()) == 4)
        report(club, "ann", "clapped")
        resumed.wait_for(lambda: resumed.notes()[-1]["message"] == "You have 19")
        assert [notification["message"] for notification in resumed.notes()] == [
            f"You have {n}" for n in (7, 10, 13, 16, 19)
        ]
        resumed.close()


def test_a_stream_hears_its_own_member_only(club, server_process):
    with server_process.member_of(club, "bob") as bob, server_process.member_of(club, "eve") as eve:
        bobs, eves = StreamReader(bob), StreamReader(eve)
        report(club, "bob", "clapped")
        bobs.wait_for(lambda: len(bobs.notes()) == 1)
        before_it = str(int(bobs.events[1][1]) - 1)
        for _ in range(2):
            report(club, "eve", "clapped")
        eves.wait_for(lambda: len(eves.notes()) == 2)
        resumed = StreamReader(eve, **{"Last-Event-ID": before_it})
        resumed.wait_for(lambda: len(resumed.notes()) == 2)
        own = data_of(eve.get("/api/loyalty/me/notifications"))["notifications"]
        assert eves.notes() == resumed.notes() == own[::-1]
        assert len(bobs.notes()) == 1
        resumed.close()
        eves.close()
        bobs.close()


def test_a_member_holds_so_many_streams_and_no_more(club, server_process):
    with server_process.member_of(club, "many") as many:
        held = [StreamReader(many) for _ in range(STREAMS_OF_MEMBER_MAX)]
        refused = many.get("/api/loyalty/me/stream")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
        held.pop().close()
        # Until the server notices that the line is gone.
        again = existing(eventually(lambda: stream if (stream := StreamReader(many)).status == 200 else None))
        held.append(again)
        report(club, "many", "clapped")
        for heard in held:
            heard.wait_for(lambda heard=heard: len(heard.notes()) == 1)
            heard.close()


def test_a_server_that_stops_ends_its_streams_and_another_takes_them_up(own_server):
    server = own_server("--no-demo").start()
    with server.client_of("Restart") as club, server.member_of(club, "ann") as ann:
        campaign = {"name": "Clap", "triggers": [{"type": "clapped"}], "effects": [{"type": "add_points", "amount": 3}],
                    "notification": {"message": "Thanks"}}  # fmt: skip
        ok(club.post("/v1/campaigns", json=campaign), 201)
        stream = StreamReader(ann)
        report(club, "ann", "clapped")
        stream.wait_for(lambda: len(stream.notes()) == 1)
        assert server.stop() == 0
        assert "Killing" not in server.log()  # it waited for nobody
        server.start()
        report(club, "ann", "clapped")
        again = StreamReader(ann, **{"Last-Event-ID": stream.events[1][1]})
        again.wait_for(lambda: len(again.notes()) == 1)
        assert again.notes()[0]["metrics"] == {"points": {"from": 3, "to": 6}}
        again.close()


@pytest.mark.parametrize("place", ["99999", "9" * 18])
def test_a_place_that_the_server_has_not_reached_is_reset_to_its_present(club, server_process, place):
    """As after a restore: whoever resumes there is told so, and hears what comes from now on."""
    with server_process.member_of(club, f"later-{place}") as member:
        user_id = f"later-{place}"
        report(club, user_id, "clapped")  # before the stream: not told again
        eventually(lambda: data_of(member.get("/api/loyalty/me/notifications"))["notifications"])
        stream = StreamReader(member, **{"Last-Event-ID": place})
        stream.wait_for(lambda: len(stream.events) == 3)
        (ready, present, _), (reset, _, _), (changed, _, _) = stream.events
        assert (ready, reset, changed) == ("ready", "reset", "changed")
        assert 0 < int(present) < 99_999
        report(club, user_id, "clapped")
        stream.wait_for(lambda: len(stream.notes()) == 1)
        assert stream.notes()[0]["message"] == "You have 6"
        stream.close()
        # From the place that it was given, it goes on as ever.
        resumed = StreamReader(member, **{"Last-Event-ID": present})
        resumed.wait_for(lambda: len(resumed.notes()) == 1)
        assert [event for event, _, _ in resumed.events][:2] == ["ready", "notification"]
        resumed.close()


def test_wrong_places_to_resume_are_refused(club, server_process):
    with server_process.member_of(club, "ann") as ann:
        for wrong in ("x", "-1", "1" * 30, "1.5", "1e3", "\u0661", "0x1", "NaN"):
            response = ann.get("/api/loyalty/me/stream", headers={"Last-Event-ID": wrong.encode("utf-8")})
            assert (response.status_code, response.json()["error"]["details"][0]["field"]) == (400, "Last-Event-ID")


def test_the_widget_is_served_to_any_page_and_small(server_process):
    import gzip

    response = httpx.get(f"{server_process.url}/widget/plaudit-member.js")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert len(gzip.compress(response.content)) < 15_000
    again = httpx.get(
        f"{server_process.url}/widget/plaudit-member.js", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
