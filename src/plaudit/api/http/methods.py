"""Methods that every path accepts in addition to those in the table: OPTIONS, and HEAD wherever there is a GET."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope, Message, Receive, Send


def named(methods: Iterable[str]) -> str:
    """Return the value of `Allow` for a path whose operations have these methods."""
    allowed = {*methods, "OPTIONS"}
    return ", ".join(sorted(allowed | {"HEAD"} if "GET" in allowed else allowed))


def options_handlers(handlers: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Yield OPTIONS handlers for the paths of `handlers`, to be mounted before them.

    Litestar's own handler lists only the methods of the first operation that was mounted on a path.
    """
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for handler in handlers:
        for path in handler.paths:
            methods[path].update(handler.http_methods)
    paths_by_allowed: defaultdict[str, list[str]] = defaultdict(list)
    for path, method in methods.items():
        paths_by_allowed[named(method)].append(path)
    for allowed, paths in paths_by_allowed.items():
        yield HTTPRouteHandler(paths, http_method="OPTIONS", status_code=204)(_naming(allowed))


def _naming(allowed: str) -> Callable[[], Awaitable[Response[None]]]:
    async def options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return options


async def respond_to_head(
    app: Callable[[HTTPScope, Receive, Send], Awaitable[None]], scope: HTTPScope, receive: Receive, send: Send
) -> None:
    """Respond to HEAD like to GET, without the body. A stream is cancelled after its headers."""
    scope["method"] = "GET"
    head: Message | None = None
    is_sent = is_stream = False

    async def send_head(message: Message) -> None:
        """Send the head once the first part of the body is ready; if more parts follow, cancel the operation."""
        nonlocal head, is_sent, is_stream
        if message["type"] == "http.response.start":
            head = message
        elif message["type"] == "http.response.body" and head is not None and not is_sent:
            is_sent = True
            await send(head)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body"):
                is_stream = True
                getting.cancel()

    getting = asyncio.ensure_future(app(scope, receive, send_head))
    try:
        await getting
    except asyncio.CancelledError:
        if not is_stream:  # the client has gone
            raise
