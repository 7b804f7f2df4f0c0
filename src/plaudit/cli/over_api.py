"""`Remote`: commands work through a running server's API, with only its address and an API secret."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from plaudit import __version__
from plaudit.errors import FieldError, PlauditError
from plaudit.imports.reader import is_csv_name

from .places import Json, OnProgress, SimulationInput

PART_BYTES = 1 << 18
CONNECT_SECONDS = 20


class Remote:
    """An organisation on a server; see `Place`."""

    def __init__(self, url: str, key: str, org: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"plaudit/{__version__}"}
        # No read timeout: imports, simulations and checks of large ledgers can take hours.
        self._options: Any = {"headers": headers, "timeout": httpx.Timeout(None, connect=CONNECT_SECONDS)}
        self._url = url
        self._org = org
        self._known_org_id = ""

    def programme(self) -> Json:
        """Return the whole programme, by sections."""
        return self._call("GET", "/v1/config")

    def change(self, programme: Any, *, prune: bool, dry_run: bool) -> list[Json]:
        """Apply a programme document, or only return what would change."""
        query = {name: "true" for name, is_set in {"prune": prune, "dryRun": dry_run}.items() if is_set}
        return self._call("PUT", "/v1/config", query, msgspec.json.encode(programme))["changes"]

    def import_file(self, file: Path, kind: str, job: str, on_progress: OnProgress) -> Json:
        """Import a file. Return the job, with the first lines that were refused."""

        def parts() -> Generator[bytes]:
            with file.open("rb") as opened:
                while part := opened.read(PART_BYTES):
                    on_progress(opened.tell(), "sent")
                    yield part

        query = {"job": job} if job else {}
        media = "text/csv" if is_csv_name(file.name) else "application/x-ndjson"
        if kind == "update":
            return self._call("POST", "/v1/bulk/update", query, parts(), media)
        return self._call("POST", "/v1/bulk/import", query | {"kind": kind}, parts(), media)

    def simulate(self, inputs: SimulationInput, on_progress: Callable[[int, int], None]) -> Json:  # noqa: ARG002
        """Simulate another programme on past events. The server does not report progress."""
        common: Json = {"days": inputs.days, "sample": inputs.sample}
        if not inputs.campaign:
            body = msgspec.json.encode(common | {"programme": inputs.programme})
            return self._call("POST", "/v1/config/simulate", {}, body)
        path = f"/v1/campaigns/{quote(inputs.campaign, safe='')}/simulate"
        return self._call("POST", path, {}, msgspec.json.encode(common | {"changes": inputs.changes}))

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
        """Return the id of the secret's organisation. Raise PlauditError if the command names another one."""
        if not self._known_org_id:
            api_key = self._send("GET", "/v1/api-keys/current", {})
            self._known_org_id = str(api_key["orgId"])
            if self._org and self._org not in (api_key["orgId"], api_key["slug"], api_key["orgName"]):
                raise PlauditError(
                    f"the API secret belongs to the organisation {api_key['orgName']!r} ({api_key['orgId']}), "
                    f"not to {self._org!r}"
                )
        return self._known_org_id

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
            body: Any = msgspec.json.decode(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            body = None
        if response.is_success and isinstance(body, dict) and "data" in body:
            return body["data"]  # pyright: ignore[reportUnknownVariableType]
        raise _error_in(body, response, self._url)


def _error_in(body: Any, response: httpx.Response, url: str) -> PlauditError:
    """Return the error in a response."""
    try:
        error = msgspec.convert(body, _ErrorBody).error
    except msgspec.ValidationError:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        return PlauditError(f"{url} does not respond like a Plaudit server ({status})")
    return PlauditError(error.message, code=error.code, fields=error.details)


class _Error(msgspec.Struct):
    message: str
    code: str = ""
    details: list[FieldError] = []


class _ErrorBody(msgspec.Struct):
    error: _Error
