"""Directories that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from perdure.errors import UsageError
from perdure.ledger.scratch import scratch, whole_directory
from tests.ledger.stores import ask, child, end

HOLDER = """
import sys
from pathlib import Path
from perdure.ledger.scratch import scratch
with scratch(Path(sys.argv[1]), "target") as path:
    print(path.name, flush=True)
    sys.stdin.readline()
"""


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with whole_directory(tmp_path / "target", "it") as partial:
            (partial / "file").touch()
            assert not (tmp_path / "target").exists()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert os.listdir(tmp_path) == []


def test_what_a_dead_process_left_goes_and_what_a_living_one_builds_stays(tmp_path: Path) -> None:
    living, dead = (child(HOLDER, tmp_path) for _ in range(2))
    try:
        kept, left = ask(living), ask(dead)
        end(dead)
        assert sorted(os.listdir(tmp_path)) == sorted((kept, left))
        with whole_directory(tmp_path / "target", "it") as partial:
            assert sorted(os.listdir(tmp_path)) == sorted((kept, partial.name))
        assert sorted(os.listdir(tmp_path)) == sorted((kept, "target"))
    finally:
        end(living)
        end(dead)


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_what_is_there_is_not_touched(tmp_path: Path, there: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UsageError, match="exists already"), whole_directory(tmp_path / there, "it"):
        pass


def test_an_empty_directory_that_comes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="is there now"):  # noqa: SIM117
        with whole_directory(tmp_path / "target", "it"):
            (tmp_path / "target").mkdir()
    assert os.listdir(tmp_path) == ["target"]


def test_a_scratch_directory_goes_when_it_is_done_with(tmp_path: Path) -> None:
    with scratch(tmp_path, "verify") as path:
        assert path.is_dir()
    assert os.listdir(tmp_path) == []
