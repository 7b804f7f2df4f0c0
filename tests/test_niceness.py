"""Who gets a core first."""

import os
import subprocess
import sys
from pathlib import Path

from plaudit.runtime import set_niceness

SESSION = Path("/proc/self/autogroup")
TAKE_FIVE = """
import os, pathlib
from plaudit.runtime import set_niceness
set_niceness(5)
session = pathlib.Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), session.read_text().split()[-1] if session.exists() else 5)
"""


def test_a_process_and_its_session_take_a_niceness():
    done = subprocess.run(
        [sys.executable, "-c", TAKE_FIVE], start_new_session=True, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["5", "5"]


def test_a_session_of_others_is_left_alone_and_a_refusal_is_no_trouble(monkeypatch):
    asked = []

    def refused(*niceness):
        asked.append(niceness)
        raise PermissionError

    before = SESSION.read_text() if SESSION.exists() else None
    monkeypatch.setattr(os, "setpriority", refused)
    set_niceness(-5)
    assert asked == [(os.PRIO_PROCESS, 0, -5)]
    monkeypatch.setattr(os, "setpriority", lambda *_: None)
    monkeypatch.setattr(os, "getsid", lambda _: 1)
    set_niceness(-5)
    assert before == (SESSION.read_text() if SESSION.exists() else None)
