"""Writes what the clients have for each operation, and each type, of the API's description.

`--check` only says whether it is up to date (non-zero if not). What is written in TypeScript needs Node.js to be written,
but not to be checked.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import typescript
from python_models import models
from python_operations import FOLDERS, operations

from plaudit.api.app import OPERATIONS
from plaudit.api.http.openapi import describe

CLIENT = Path(__file__).parent / "python" / "src" / "plaudit_client"


def described() -> dict[str, Any]:
    """Return the API's description, as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(describe(OPERATIONS)))


def generated(description: dict[str, Any]) -> dict[Path, str]:
    """Return the files of the Python client that are not written by hand."""
    files = {CLIENT / "models.py": models(description)}
    files |= {CLIENT / name: text for name, text in operations(description).items()}
    return {path: formatted(text) for path, text in files.items()}


def formatted(text: str) -> str:
    """A module in the project's style."""
    ruff = Path(sys.executable).parent / "ruff"
    command = [str(ruff), "format", "--stdin-filename", "client.py", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Write the files, or check them."""
    description = described()
    files = generated(description)
    kept = {path for folder in FOLDERS for path in (CLIENT / folder).glob("*.py")}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    surplus = kept - files.keys()
    if "--check" in sys.argv:
        if stale or surplus:
            names = ", ".join(sorted(path.relative_to(CLIENT).as_posix() for path in {*stale, *surplus}))
            sys.exit(f"stale in clients/python: {names}; run make docs")
        if typescript.is_stale(description):
            sys.exit("stale: clients/ts/src/api.ts; run make docs where Node.js is installed")
        return
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    for path in surplus:
        path.unlink()
    if typescript.is_stale(description):
        typescript.write_types(description)


if __name__ == "__main__":
    main()
