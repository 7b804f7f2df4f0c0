"""The processes of a server that is under test."""

from pathlib import Path

import psutil


def children_of(server, word: str) -> list[psutil.Process]:
    """The processes of the server that run that command, the deepest last."""
    found = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if word in line or (word == "api" and line[:1] == ["granian"]):
            found.append(process)
    return found


def postmaster(server) -> psutil.Process | None:
    """The first process of the server's PostgreSQL, if it runs."""
    path = Path(server.folder) / "postgres" / "postmaster.pid"
    try:
        return psutil.Process(int(path.read_text().split()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess, IndexError):
        return None
