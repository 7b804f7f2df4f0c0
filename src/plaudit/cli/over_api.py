"""The commands' work through a running server's API, which needs only its address and an API secret."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from plaudit import __version__
from plaudit.errors import FieldError, PlauditError
from plaudit.imports.reader import is_csv_name

from .places import Heard, Json, Simulated

PART_BYTES = 1 << 18
CONNECT_SECONDS = 20


class Remote:
    """An organisation on a server (see Place)."""

    def __init__(self, url: str, key: str, org: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"plaudit/{__version__}"}
        # A request may take any time: an import, a simulation, the ledger of millions of members.
        self._options: Any = {"headers": headers, "timeout": httpx.Timeout(None, connect=CONNECT_SECONDS)}
        self._url = url
        self._org = org
        self._org_known = ""

    def programme(self) -> Json:
        """Return the whole programme, by sections."""
        return self._call("GET", "/v1/config")

    def change(self, programme: Any, *, prune: bool, dry_run: bool) -> list[Json]:
        """Apply a programme document, or only return what would change."""
        query = {name: "true" for name, said in {"prune": prune, "dryRun": dry_run}.items() if said}
        return self._call("PUT", "/v1/config", query, msgspec.json.encode(programme))["changes"]

    def take_in(self, file: Path, kind: str, job: str, heard: Heard) -> Json:
        """Import a file. Return the job, with the first lines that were refused."""

        def parts() -> Generator[bytes]:
            with file.open("rb") as opened:
                while part := opened.read(PART_BYTES):
                    heard(opened.tell(), "sent")
                    yield part

        query = {"job": job} if job else {}
        media = "text/csv" if is_csv_name(file.name) else "application/x-ndjson"
        if kind == "update":
            return self._call("POST", "/v1/bulk/update", query, parts(), media)
        return self._call("POST", "/v1/bulk/import", query | {"kind": kind}, parts(), media)

    def simulate(self, wanted: Simulated, heard: Callable[[int, int], None]) -> Json:  # noqa: ARG002
        """Simulate another programme on the past. The server does not report progress."""
        asked: Json = {"days": wanted.days, "sample": wanted.sample}
        if not wanted.campaign:
            body = msgspec.json.encode(asked | {"programme": wanted.programme})
            return self._call("POST", "/v1/config/simulate", {}, body)
        path = f"/v1/campaigns/{quote(wanted.campaign, safe='')}/simulate"
        return self._call("POST", path, {}, msgspec.json.encode(asked | {"changes": wanted.changes}))

    def verify(self) -> list[Json]:
        """Verify the organisation's ledger."""
        return self._call("POST", "/v1/verify")["checks"]

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        content: bytes | Generator[bytes] | None = None,
        media: str = "application/json",
    ) -> Any:
        """Call the API. Return the data of its response. Raise PlauditError."""
        headers = {"X-Monterosa-Org-ID": self._org_id(), "Content-Type": media}
        return self._send(method, path, headers, query, content)

    def _org_id(self) -> str:
        """Return the organisation's id: the one that the secret belongs to. Raises PlauditError if another is named."""
        if not self._org_known:
            told = self._send("GET", "/v1/api-keys/current", {})
            self._org_known = str(told["orgId"])
            if self._org and self._org not in (told["orgId"], told["slug"], told["orgName"]):
                raise PlauditError(
                    f"the API secret belongs to the organisation {told['orgName']!r} ({told['orgId']}), "
                    f"not to {self._org!r}"
                )
        return self._org_known

    def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        query: dict[str, str] | None = None,
        content: bytes | Generator[bytes] | None = None,
    ) -> Any:
        try:
            with httpx.Client(base_url=self._url, **self._options) as client:
                response = client.request(method, path, params=query, headers=headers, content=content)
        except httpx.TransportError as error:
            raise PlauditError(f"no server responds at {self._url} ({error or type(error).__name__})") from None
        try:
            given: Any = msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            given = None
        if response.is_success and isinstance(given, dict) and "data" in given:
            return given["data"]  # pyright: ignore[reportUnknownVariableType]
        raise _error_in(given, response, self._url)


def _error_in(given: Any, response: httpx.Response, url: str) -> PlauditError:
    """Return the error that a response is."""
    try:
        told = msgspec.convert(given, _Refused).error
    except msgspec.ValidationError:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        return PlauditError(f"{url} does not respond like a Plaudit server ({status})")
    return PlauditError(told.message, code=told.code, fields=told.details)


class _Error(msgspec.Struct):
    message: str
    code: str = ""
    details: list[FieldError] = []


class _Refused(msgspec.Struct):
    error: _Error
