"""Commands as a user types them, in this process: their status, and what they print."""

import sys
from dataclasses import dataclass

import pytest

from plaudit import telemetry
from plaudit.cli.main import main


@dataclass
class CommandResult:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def plaudit(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(telemetry, "configure_logs", lambda: None)  # it would keep what is captured, for all tests
    for name in ("PLAUDIT_URL", "PLAUDIT_KEY", "PLAUDIT_ORG"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["plaudit", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return CommandResult(int(ended.value.code or 0), captured.out, captured.err)

    return run
