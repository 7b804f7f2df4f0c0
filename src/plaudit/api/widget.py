"""The script of the embeddable widget. Any page may load it, and browsers cache it."""

from functools import cache
from hashlib import blake2b
from importlib.resources import files

from .http.etags import not_modified_or
from .http.operations import Call, Operation, OperationResult

WIDGET_SECONDS = 3_600


@cache
def _script() -> tuple[bytes, str]:
    content = (files("plaudit") / "static" / "plaudit-member.js").read_bytes()
    return content, blake2b(content, digest_size=12).hexdigest()


async def get_widget(call: Call) -> OperationResult:
    """Return the script that defines `<plaudit-member>`."""
    content, digest = _script()
    response = not_modified_or(call, digest, f"public, max-age={WIDGET_SECONDS}")
    # Loading a module from another origin requires CORS.
    response.headers |= {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
    response.media = "text/javascript"  # the framework adds the charset
    response.content = b"" if response.status == 304 else content
    return response


OPERATIONS = [
    Operation(
        name="getWidget", method="GET", path="/widget/plaudit-member.js",
        summary="Get the script that defines <plaudit-member>", run=get_widget, scope=None, tag="Member API",
        other_statuses=(304,), other_media=("text/javascript",), enveloped=False, response={},
    ),
]  # fmt: skip
