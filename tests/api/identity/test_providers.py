"""Identity providers that do not respond, or respond with anything: nobody's login waits for them."""

import asyncio
import json
from typing import Any, Self

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from plaudit.api.identity import jwks
from plaudit.api.identity.jwks import FETCH_INTERVAL_SECONDS, FRESH_SECONDS, USABLE_SECONDS, JwksCache
from plaudit.errors import Unavailable
from tests.support.eventually import eventually_async


def keys(*kids) -> bytes:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    shown = ECAlgorithm.to_jwk(public, as_dict=True)
    return json.dumps({"keys": [{**shown, "kid": kid, "use": "sig"} for kid in kids]}).encode()


class Provider:
    """Serves `content`; keeps silent while that is None. `asked` counts the requests."""

    def __init__(self, content: bytes | None, *, head: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.content = content
        self.head = head
        self.asked = 0
        self.now = 0.0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/jwks"
        self.published = JwksCache(private=True, now=lambda: self.now)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.published.close()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        if self.content is None:
            await reader.read()  # until the other side has had enough
        else:
            writer.write(self.head + self.content)
        writer.close()

    async def key(self, kid: str):
        return await self.published.key(self.url, kid)

    async def unavailable(self, kid: str) -> None:
        with pytest.raises(Unavailable, match="cannot be fetched") as error:
            await self.key(kid)
        assert error.value.next_at is not None

    def fetching(self) -> Any:
        return self.published._providers[self.url].fetch


def run(scenario) -> None:
    async def within_reason():
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(within_reason())


def test_many_logins_at_once_are_one_request_and_keys_are_kept():
    async def scenario():
        async with Provider(keys("a", "b")) as provider:
            found = await asyncio.gather(*(provider.key(kid) for kid in "ab" * 50))
            assert all(found)
            assert await provider.key("c") is None
            assert provider.asked == 1
            provider.now += FETCH_INTERVAL_SECONDS  # an unknown key id causes a fetch, but at most one per interval
            provider.content = keys("a", "b", "c")
            assert await provider.key("c")
            assert await asyncio.gather(*(provider.key("junk") for _ in range(50))) == [None] * 50
            assert provider.asked == 2

    run(scenario)


def test_a_provider_that_is_silent_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(jwks, "WAIT_SECONDS", 0.05)

    async def scenario():
        async with Provider(None) as provider:
            await asyncio.gather(*(provider.unavailable("junk") for _ in range(50)))
            await eventually_async(lambda: provider.asked, 1)
            provider.now += 1  # whoever comes later does not even wait for the moment that the first ones do
            await provider.unavailable("ann's")
            assert provider.fetching() is not None
            assert provider.asked == 1

    run(scenario)


def test_keys_are_used_while_their_provider_is_silent_for_a_day_at_most(monkeypatch):
    async def scenario():
        async with Provider(keys("a")) as provider:
            assert await provider.key("a")
            monkeypatch.setattr(jwks, "WAIT_SECONDS", 0.05)
            provider.content = None
            provider.now += FRESH_SECONDS + 1
            assert await provider.key("a")  # at once: the fetch in the background has only begun
            assert provider.fetching() is not None
            junk = [asyncio.create_task(provider.unavailable("junk")) for _ in range(50)]
            assert await provider.key("a")
            await asyncio.gather(*junk)
            await eventually_async(lambda: provider.asked, 1 + 1)
            provider.now += USABLE_SECONDS
            await provider.unavailable("a")

    run(scenario)


def test_a_failure_is_remembered_until_the_next_fetch(monkeypatch):
    async def scenario():
        async with Provider(None) as provider:
            with monkeypatch.context() as impatient:
                impatient.setattr(jwks, "FETCH_SECONDS", 0.5)
                await provider.unavailable("a")
            assert provider.fetching() is None
            provider.content = keys("a")
            for _ in range(50):
                await provider.unavailable("a")
            assert provider.asked == 1
            provider.now += FETCH_INTERVAL_SECONDS
            await provider.unavailable("a")  # nobody waits for a provider that has failed
            while provider.fetching() is not None:
                await provider.fetching()
            assert await provider.key("a")
            assert provider.asked == 2

    run(scenario)


GARBAGE = {
    "a megabyte": b"x" * (1 << 20),
    "a megabyte of JSON": b'{"keys":[' + b'{"kty":"RSA"},' * 80_000 + b"null]}",
    "nothing": b"",
    "not UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"7",
    "no keys": b'{"keys":[]}',
    "keys that are none": b'{"keys":[1,null,"a"]}',
    "keys that are an object": b'{"keys":{"a":1}}',
    "deep nesting": b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_failure_of_the_provider_only(content):
    async def scenario():
        async with Provider(content) as provider:
            await provider.unavailable("a")
            assert provider.fetching() is None
            provider.content = keys("a")
            provider.now += FETCH_INTERVAL_SECONDS
            await provider.unavailable("a")
            while provider.fetching() is not None:
                await provider.fetching()
            assert await provider.key("a")
            # And afterwards: the keys that are known stay.
            provider.content = content
            provider.now += FRESH_SECONDS + 1
            assert await provider.key("a")
            await provider.fetching()
            assert await provider.key("a")

    run(scenario)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 500 Oops\r\n\r\n", b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", b"no HTTP at all\r\n\r\n"]
)
def test_another_status_is_a_failure_too(head):
    async def scenario():
        async with Provider(keys("a"), head=head) as provider:
            await provider.unavailable("a")

    run(scenario)


def test_a_key_with_an_odd_name_spoils_no_other():
    async def scenario():
        content = json.loads(keys("a"))
        content["keys"] += [content["keys"][0] | {"kid": kid} for kid in (["a"], {}, 7, None, "")]
        async with Provider(json.dumps(content).encode()) as provider:
            assert await provider.key("a")
            assert await provider.key("7") is None

    run(scenario)
