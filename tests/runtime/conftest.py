"""Folders that the tests of scenario files work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.survey import TEXT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario's folder, which is the working directory too."""
    (tmp_path / "actors.py").write_text("")
    (tmp_path / "scenario.toml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path
