"""The transport of the synchronous clients: sends requests, and retries them where that is safe."""

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, ParamSpec, Self, TypeVar

import httpx

from . import requests
from .paging import Page
from .requests import DryRunResult, Request
from .streams import ServerEvent, events_in

T = TypeVar("T")
P = ParamSpec("P")

SILENCE_SECONDS = 40.0  # a stream has a heartbeat every 15 seconds


class Transport:
    """A connection to a server. `timeout` is the limit per try, in seconds; `tries` is the maximum number of tries."""

    def __init__(self, url: str, org: str | None, bearer: str | None, timeout: float, tries: int) -> None:
        headers = requests.headers_of(org, bearer)
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)
        self._timeout = timeout
        self._tries = tries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, request: Request[T]) -> T:
        """Send a request, with retries, and return the data of its response. Raise PlauditError."""
        tries = self._tries if request.is_repeatable else 1
        request = requests.with_dry_run(request)
        for attempt in range(1, tries + 1):
            retry_after = None
            try:
                response = self._http.request(
                    request.method,
                    request.path,
                    params=request.parameters(),
                    content=request.sent_content(),
                    headers=request.sent_headers(),
                )
            except httpx.TransportError as error:
                if attempt == tries:
                    raise requests.unreachable(error) from error
            else:
                if attempt == tries or not requests.is_retryable(response.status_code, response.content):
                    return requests.read_response(request, response.status_code, response.content)
                retry_after = response.headers.get("retry-after")
            time.sleep(requests.retry_delay(attempt, retry_after))
        raise AssertionError("unreachable")

    def stream(self, request: Request[Any]) -> Generator[str]:
        """Send a request and yield the lines of its response as they arrive. Raise PlauditError."""
        timeout = httpx.Timeout(self._timeout, read=SILENCE_SECONDS)
        try:
            with self._http.stream(
                request.method,
                request.path,
                params=request.parameters(),
                headers=request.sent_headers(),
                timeout=timeout,
            ) as response:
                if response.status_code >= 400:
                    raise requests.read_error(response.status_code, response.read())
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise requests.unreachable(error) from error

    def stream_events(self, request: Request[Any]) -> Generator[ServerEvent]:
        """Send a request and yield the server-sent events of its response as they arrive. Raise PlauditError."""
        yield from events_in(self.stream(request))

    def iterate(self, list_page: Callable[P, Page[T]], *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        """Yield the items of all pages of a list: `iterate(plaudit.list_campaigns, status="active")`."""
        arguments: dict[str, Any] = dict(kwargs)
        while True:
            page = list_page(*args, **arguments)  # pyright: ignore[reportCallIssue]
            yield from page.items
            if page.cursor is None:
                return
            arguments["cursor"] = page.cursor

    def dry_run(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> DryRunResult[T]:
        """Return what a write would return and lead to, and change nothing: `dry_run(plaudit.create_transaction, {…})`."""
        with requests.trial() as trial:
            data = write(*args, **kwargs)
        return DryRunResult(data=data, dry_run=trial.dry_run)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Send any request, even one that this client has no method for, and return the data of its response."""
        return self.send(requests.any_request(method, path, body, query, idempotency_key))
