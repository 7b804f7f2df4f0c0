"""The benchmark runs through: every row is printed, whatever its figures are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    "events decided and committed", "the same rows without an engine", "campaigns; 10", "two workers; one",
    "single POSTs accepted", "actions in batches of", "from the 202 to the effect, p50", "the same, p99",
    "GET /api/loyalty/profile, p99", "GET /api/loyalty/me, p99", "GET /api/loyalty/history, p99", "GET /api/loyalty/me beside",
    "from an action to its toast", "streak, ladder, segment and challenge live", "rank among", "the top 100, p99",
    "a segment filled over", "a year of history imported", "members imported by line", "memory of serve", "members; 20",
]  # fmt: skip


@pytest.mark.slow
def test_every_row_is_printed_at_a_tiny_size():
    environment = os.environ | {"PLAUDIT_BENCH_SIZE": "tiny", "COLUMNS": "200"}
    command = [sys.executable, "-m", "bench"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = " ".join(done.stdout.split())
    assert [row for row in ROWS if row not in printed] == [], done.stdout
