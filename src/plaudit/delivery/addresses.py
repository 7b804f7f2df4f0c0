"""The address of an attempt as it is sent: ASCII, whatever was saved."""

from urllib.parse import quote, urlsplit, urlunsplit

import idna

_KEPT = "%/:=&?~#+!$,;'@()*[]"  # what an address may have as it is; the rest is percent-encoded


class AddressError(ValueError):
    """An address that nothing can be sent to. The message says why."""


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
    except (ValueError, UnicodeError) as problem:  # of brackets, ports, names
        raise AddressError(f"the address cannot be called: {problem}") from None
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, _KEPT) or "/", quote(parts.query, _KEPT), ""))
