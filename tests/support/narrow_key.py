"""Clients whose API key does not open everything."""

from contextlib import contextmanager

import httpx

from tests.support.http import ok


class Narrow(httpx.Client):
    """A client, and the id of its key."""

    key_id: str


@contextmanager
def key_of(client, *scopes, **fields):
    """A client with a key of these scopes only."""
    made = ok(client.post("/v1/api-keys", json={"name": "Narrow", "scopes": list(scopes), **fields}), 201)
    headers = {**client.headers, "authorization": f"Bearer {made['apiSecret']}"}
    with Narrow(base_url=client.base_url, headers=headers, timeout=60) as narrow:
        narrow.key_id = made["keyId"]
        yield narrow
