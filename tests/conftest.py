"""What every test has: its own place for runs, plain output, the same examples each time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

collect_ignore = ["data"]  # planted faults: files that no parser reads

# `suite` draws the same examples every time: a red `make test` is red again. `search` looks
# for new ones: HYPOTHESIS_PROFILE=search .venv/bin/python -m pytest tests/supervisors
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where runs of this test go, child processes included: tests may run side by side."""
    home = tmp_path / "perdure-home"
    monkeypatch.setenv("PERDURE_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is the same in every terminal: no colour, 100 columns."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
