"""How actions arrive: each says by which way."""

import json

from tests.support.eventually import eventually
from tests.support.http import ok


def test_an_event_says_how_it_arrived(shop, server_process):
    ok(shop.post("/v1/triggers", json={"key": "seen", "name": "Seen", "openToMembers": True}), 201)
    for path, body in (("", {"userId": "ann", "action": "seen"}), ("/batch", [{"userId": "ann", "action": "seen"}])):
        ok(shop.post(f"/api/audience/internal/actions{path}", json=body), 202)
    line = json.dumps({"userId": "ann", "action": "seen"})
    headers = {"Content-Type": "application/x-ndjson"}
    ok(shop.post("/v1/bulk/import?kind=events", content=line, headers=headers))
    with server_process.member_of(shop, "ann") as ann:
        assert ann.post("/api/loyalty/action", json={"action": "seen"}).status_code == 200
    eventually(
        lambda: sorted(
            event["source"] for event in ok(shop.get("/v1/events?userId=ann"))["events"] if event["processed"]
        ),
        ["api", "api", "import", "member"],
    )
