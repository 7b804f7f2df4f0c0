"""The methods that every path accepts in addition to the table's: OPTIONS, which lists them, and HEAD for each GET."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope, Message, Receive, Send


def named(methods: Iterable[str]) -> str:
    """Return the value of `Allow` for a path whose operations have these methods."""
    found = {*methods, "OPTIONS"}
    return ", ".join(sorted(found | {"HEAD"} if "GET" in found else found))


def options_handlers(handlers: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Yield the handlers of OPTIONS for the paths of `handlers`. Mount them first.

    Litestar's own handler lists only the methods of the first operation that was mounted on a path.
    """
    methods: defaultdict[str, set[str]] = defaultdict(set)
    for handler in handlers:
        for path in handler.paths:
            methods[path].update(handler.http_methods)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for path, method in methods.items():
        alike[named(method)].append(path)
    for allowed, paths in alike.items():
        yield HTTPRouteHandler(paths, http_method="OPTIONS", status_code=204)(_naming(allowed))


def _naming(allowed: str) -> Callable[[], Awaitable[Response[None]]]:
    async def options() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return options


async def respond_to_head(
    app: Callable[[HTTPScope, Receive, Send], Awaitable[None]], scope: HTTPScope, receive: Receive, send: Send
) -> None:
    """Respond to HEAD as to GET, without the body. A stream, which has no end, ends after its headers."""
    scope["method"] = "GET"
    head: Message | None = None
    is_sent = goes_on = False

    async def take_head(message: Message) -> None:
        """Send the head with the first part of the body, which decides its length; a stream may not end by itself."""
        nonlocal head, is_sent, goes_on
        if message["type"] == "http.response.start":
            head = message
        elif message["type"] == "http.response.body" and head is not None and not is_sent:
            is_sent = True
            await send(head)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body"):
                goes_on = True
                getting.cancel()

    getting = asyncio.ensure_future(app(scope, receive, take_head))
    try:
        await getting
    except asyncio.CancelledError:
        if not goes_on:  # the client has gone
            raise
