"""The project that `perdure new` writes: it is whole, and its own tests pass as written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from perdure.errors import UsageError
from perdure.runtime.code import actor_classes, load_code
from perdure.runtime.new import write_project
from perdure.runtime.scenario import load_scenario

ROOT = Path(__file__).parent.parent.parent
NAMES = ["README.md", "actors.py", "scenario.toml", "tests/test_project.py"]


def test_a_new_project_is_a_scenario_named_after_its_directory(tmp_path: Path) -> None:
    written = write_project(tmp_path / "my words")
    assert [path.relative_to(tmp_path / "my words").as_posix() for path in written] == NAMES
    scenario = load_scenario(tmp_path / "my words")
    assert scenario.name == "my-words"
    assert {tell.to for tell in scenario.tells} == {"/my-words/tally"}
    assert scenario.code is not None
    scenario.check_actors(actor_classes(load_code(scenario.code)))
    assert not any("myproject" in path.read_text() for path in written)


def test_the_tests_of_a_new_project_pass_as_written(tmp_path: Path) -> None:
    write_project(tmp_path / "words")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "words",
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


def test_a_directory_with_other_files_in_it_will_do(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    write_project(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "actors.py").exists()


def test_nothing_is_overwritten_and_what_is_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words").mkdir()
    for name in ("scenario.toml", "actors.py"):
        (Path("words") / name).write_text("mine")
    with pytest.raises(UsageError) as caught:
        write_project("words")
    assert str(caught.value) == (
        "words has actors.py, scenario.toml already, and nothing is overwritten. "
        "Choose another directory."
    )
    assert sorted(path.name for path in Path("words").iterdir()) == ["actors.py", "scenario.toml"]
    assert Path("words/actors.py").read_text() == "mine"


def test_a_project_that_cannot_be_finished_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str) -> str:
        if name.endswith(".toml"):
            raise OSError(28, "No space left on device")
        return ""

    with monkeypatch.context() as patch:
        patch.setattr("perdure.runtime.new._template", full)
        with pytest.raises(UsageError, match="No space left"):
            write_project(tmp_path / "words")
    assert len(write_project(tmp_path / "words")) == len(NAMES)


def test_a_place_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file cannot be written: File exists"):
        write_project(tmp_path / "file")
