"""Bodies that come slowly, or not at all, are given up."""

import asyncio
import json
import os
import socket
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from litestar import Request, post

from plaudit.api.http import bodies
from plaudit.api.http.errors import status_of
from plaudit.errors import TooSlow
from tests.support.server import Server, new_folder

IMPATIENT = Path(__file__).parent / "impatient"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "BYTES_A_SECOND", 1000)


async def coming(part: bytes, every: float, number: int):
    for _ in range(number):
        await asyncio.sleep(every)  # a slow sender
        yield part


@post("/", request_max_body_size=None)
async def call() -> None:
    """Take any body."""


def request_with(parts) -> Request:
    """A request whose body comes like this."""

    async def receive() -> Any:
        part = await anext(parts, b"")
        return {"type": "http.request", "body": part, "more_body": part != b""}

    scope: Any = {"type": "http", "method": "POST", "headers": [], "state": {}, "route_handler": call}
    return Request(scope, receive)


async def all_of(parts) -> bytes:
    return b"".join([part async for part in parts])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("every", [3_600, 0.05])
def test_a_body_that_does_not_come_or_byte_by_byte_is_given_up_however_large_it_might_be(every):
    with pytest.raises(TooSlow, match=r"plus one for each 1000 bytes \(got \d+ bytes and no end in 0 sec") as raised:
        asyncio.run(bodies.body_of(request_with(coming(b"x", every, 10_000))))
    assert status_of(raised.value) == 408


@pytest.mark.usefixtures("impatient")
def test_a_whole_body_that_is_fast_enough_is_taken_however_long_it_takes():
    body = asyncio.run(bodies.body_of(request_with(coming(b"x" * 1_000_000, 0.05, 10))))
    assert body == b"x" * 10_000_000


@pytest.mark.usefixtures("impatient")
def test_a_streamed_body_that_comes_byte_by_byte_is_given_up():
    with pytest.raises(TooSlow):
        asyncio.run(all_of(bodies.paced(coming(b"x", 0.05, 10_000))))


@pytest.mark.usefixtures("impatient")
def test_a_streamed_body_that_is_fast_enough_is_taken_however_long_it_takes():
    assert asyncio.run(all_of(bodies.paced(coming(b"x" * 1_000_000, 0.05, 10)))) == b"x" * 10_000_000


@pytest.mark.usefixtures("impatient")
def test_what_is_done_with_a_body_may_take_its_time():
    async def slowly() -> int:
        parts = 0
        async for _ in bodies.paced(coming(b"x", 0.001, 5)):
            await asyncio.sleep(0.1)  # a slow receiver
            parts += 1
        return parts

    assert asyncio.run(slowly()) == 5


@pytest.fixture(scope="module")
def impatient_server():
    """A server of its own, which waits for a body for a second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(IMPATIENT), prepend=os.pathsep)
        server = Server(new_folder()).start()
    yield server
    assert server.stop() == 0, server.log()


def end_of(server: Server, path: str, framing: str, begin: bytes, more: bytes, secret: str | None = None) -> bytes:
    """Return all that comes until the server closes the connection. `more` is sent again and again."""
    headers = server.headers if secret is None else server.headers | {"Authorization": f"Bearer {secret}"}
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", framing]
    head += [f"{name}: {value}" for name, value in headers.items()]
    came = b""
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall("\r\n".join([*head, "", ""]).encode() + begin)
        line.settimeout(0.1)
        for _ in repeat(None, 600):  # a minute: far more than it may take
            try:
                part = line.recv(1 << 16)
                if not part:
                    return came
                came += part
            except TimeoutError:
                line.sendall(more)
            except ConnectionError:
                return came
    raise AssertionError(f"the connection stays (got {came!r})")


@pytest.mark.parametrize("path", ["/v1/track", "/v1/profiles", "/api/audience/internal/actions", "/v1/bulk/import"])
@pytest.mark.parametrize(
    ("framing", "begin", "more"),
    [
        ("Content-Length: 100000", b"{", b""),
        ("Content-Length: 100000", b"{", b" "),
        ("Transfer-Encoding: chunked", b"1\r\n{\r\n", b""),
        ("Transfer-Encoding: chunked", b"1\r\n{\r\n", b"1\r\n \r\n"),
    ],
    ids=["it stops", "it drips", "chunks stop", "chunks drip"],
)
def test_a_call_whose_body_has_no_end_is_a_408_and_its_connection_is_closed(
    impatient_server, path, framing, begin, more
):
    head, _, body = end_of(impatient_server, path, framing, begin, more).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), head
    assert json.loads(body)["error"]["code"] == "too_slow"


@pytest.mark.parametrize("more", [b"", b" "])
def test_a_refused_call_whose_body_has_no_end_is_closed_too(impatient_server, more):
    head = end_of(impatient_server, "/v1/profiles", "Content-Length: 60000", b"{", more, secret="wrong")
    assert head.startswith(b"HTTP/1.1 401 "), head
