"""What responses of the API contain, and that they are as expected."""

from typing import Any
from urllib.parse import quote

import httpx

from tests.support.eventually import eventually
from tests.support.existing import existing


def ok(response: httpx.Response, status: int = 200) -> Any:
    """Return the data of a response with this status."""
    assert response.status_code == status, response.text
    return response.json().get("data", response.json())


def saved(response: httpx.Response) -> Any:
    """Return what a request saved."""
    assert response.status_code in (200, 201), response.text
    return response.json()["data"]


def data_of(response: httpx.Response) -> Any:
    """Return the data of a response of the first generation, which has an envelope of its own."""
    assert response.status_code == 200, response.text
    body = response.json()
    assert body.keys() == {"message", "data"}
    assert body["message"] == "OK"
    return body["data"]


def wrong(response: httpx.Response) -> dict[str, str]:
    """Return the fields that a request has wrong, with the reasons."""
    assert response.status_code == 400, response.text
    return {error["field"]: error["message"] for error in response.json()["error"]["details"]}


def report(client: httpx.Client, user_id: str, action: str) -> None:
    """Report an action, and do not wait until it is decided."""
    body = {"userId": user_id, "action": action}
    assert client.post("/api/audience/internal/actions", json=body).status_code == 202


def decided_event(client: httpx.Client, event_id: str) -> dict[str, Any]:
    """Return an event as soon as it is decided, however."""

    def decided() -> dict[str, Any] | None:
        event = _event(client, event_id)
        return None if event.get("status") in (None, "queued") else event

    return existing(eventually(decided))


def processed_event(client: httpx.Client, event_id: str) -> dict[str, Any]:
    """Return an event as soon as it is processed."""

    def processed() -> dict[str, Any] | None:
        event = _event(client, event_id)
        return event if event.get("processed") else None

    return existing(eventually(processed))


def _event(client: httpx.Client, event_id: str) -> dict[str, Any]:
    response = client.get(f"/v1/events/{quote(event_id, safe='')}")
    assert response.status_code in (200, 404), response.text
    return response.json().get("data", {})
