"""Convert a webhook's saved address to the ASCII form that is sent."""

from urllib.parse import quote, urlsplit, urlunsplit

import idna

_UNQUOTED = "%/:=&?~#+!$,;'@()*[]"  # other characters are percent-encoded


class AddressError(ValueError):
    """An address that cannot be called. The message says why."""


def as_sent(url: str) -> str:
    """Return an address in ASCII: the host by IDNA 2008, path and query percent-encoded. Raise AddressError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host or parts.scheme not in ("http", "https") or parts.username is not None or port == 0:
            raise AddressError("the address must be an http or https URL with a host and without a user name")
        if ":" in host:
            host = f"[{host}]"
        elif not host.isascii():
            host = idna.encode(host, uts46=True).decode()
    except AddressError:
        raise
    except (ValueError, UnicodeError) as problem:  # from urlsplit or idna
        raise AddressError(f"the address cannot be called: {problem}") from None
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, _UNQUOTED) or "/", quote(parts.query, _UNQUOTED), ""))
