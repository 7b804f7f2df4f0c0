"""Routing by the raw path, as the client sent it: an id with an encoded slash (`%2F`) is one segment.

The ASGI server decodes paths, and then `/v1/profiles/a%2Fb` looks like an endpoint below the profile `a`. So we route
raw paths and decode each parameter afterwards. The fixed segments of a path must be sent unencoded.
"""

from collections.abc import Mapping
from urllib.parse import quote, unquote

from litestar import Litestar
from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

from plaudit.api.views.standing import with_rate_limit_headers
from plaudit.errors import FieldError, invalid_fields

from .methods import respond_to_head


class App(Litestar):
    """Litestar, with routing by the raw path, and with HEAD for every GET."""

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        if scope["type"] == "http":
            raw = scope["raw_path"].partition(b"?")[0]  # some servers include the query
            if b"%" in raw or not raw.isascii():
                scope["path"] = quote(raw, safe="/%")
            send = with_rate_limit_headers(self.state.services, scope, send)
            if scope["method"] == "HEAD":
                return await respond_to_head(super().__call__, scope, receive, send)
        return await super().__call__(scope, receive, send)


def decoded(parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Return the decoded parameters of a raw path. Raise Invalid if they are not UTF-8."""
    values: dict[str, str] = {}
    for name, value in parameters.items():
        try:
            values[name] = unquote(value, errors="strict") if "%" in value else value
        except UnicodeDecodeError:
            raise invalid_fields([FieldError(name, "must be percent-encoded UTF-8")]) from None
    return values
