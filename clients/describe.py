"""Prints the API's description, each operation once, for the generator of the TypeScript client's types."""

import sys

import msgspec

from plaudit.api.app import OPERATIONS
from plaudit.api.http.openapi import describe


def without_twins() -> bytes:
    """The description without what is mounted a second time under another path, and without examples."""
    description = describe(OPERATIONS)
    paths = {
        path: own
        for path, calls in description["paths"].items()
        if (own := {method: call for method, call in calls.items() if "x-alias-of" not in call})
    }
    return msgspec.json.encode(description | {"paths": paths})


if __name__ == "__main__":
    sys.stdout.buffer.write(without_twins())
