"""A setting that is wrong is told before anything is begun."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [("PRIVATE_NETWORKS", "perhaps", "Expected `bool`"), ("LEASE_SECONDS", "-1", "Expected `float` > 0.0")],
)
def test_serve_names_the_setting_and_makes_nothing(tmp_path, monkeypatch, name, value, why):
    monkeypatch.setenv(f"PLAUDIT_{name}", value)
    monkeypatch.setenv("COLUMNS", "120")
    command = [sys.executable, "-m", "plaudit", "serve", "--data", str(tmp_path / "data")]
    refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode == 1
    assert f"PLAUDIT_{name} is wrong: {why}" in refused.stderr
    assert not (tmp_path / "data").exists()
