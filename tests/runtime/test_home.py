"""Names and directories of runs."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from perdure.errors import UsageError
from perdure.runtime.home import all_runs, find_run, home, new_run_dir


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_runs_live_in_the_working_directory_unless_told_otherwise(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home() == own_home
    monkeypatch.delenv("PERDURE_HOME")
    assert home() == Path(".perdure")


def test_runs_of_a_scenario_are_numbered_from_one(own_home: Path) -> None:
    made = [new_run_dir("survey"), new_run_dir("survey"), new_run_dir("survey-2")]
    assert made == [own_home / "survey-1", own_home / "survey-2", own_home / "survey-2-1"]
    assert all(path.is_dir() and not list(path.iterdir()) for path in made)


def test_a_number_is_not_used_again_while_a_later_run_is_there(own_home: Path) -> None:
    new_run_dir("survey")
    new_run_dir("survey").joinpath("kept").touch()
    (own_home / "survey-1").rmdir()
    assert new_run_dir("survey").name == "survey-3"


def test_runs_made_at_the_same_time_get_directories_of_their_own() -> None:
    made: list[Path] = []
    threads = [
        threading.Thread(target=lambda: made.extend(new_run_dir("a") for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 80


def test_a_home_that_cannot_be_made_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"^no run can be made in file: File exists\. Set PERDURE"):
        new_run_dir("survey")
    assert all_runs() == []


def test_a_run_is_found_by_its_name() -> None:
    path = new_run_dir("survey")
    assert find_run("survey-1") == path


def test_a_directory_is_a_run_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert find_run("./elsewhere") == Path("elsewhere")
    assert find_run("elsewhere") == Path("elsewhere")
    assert find_run(".") == Path()


def test_last_is_the_run_made_last_whatever_was_changed_since() -> None:
    old, new = new_run_dir("survey"), new_run_dir("counter")
    os.utime(new, (1, 1))
    (old / "artifacts").mkdir()
    assert find_run("last") == new
    assert all_runs() == [old, new]


def test_last_falls_back_to_the_newest_when_the_last_was_deleted() -> None:
    older, newer, last = (new_run_dir("survey") for _ in range(3))
    os.utime(older, (1, 1))
    os.utime(newer, (2, 2))
    shutil.rmtree(last)
    assert find_run("last") == newer


def test_an_unknown_run_is_answered_with_the_nearest_and_the_most_recent(own_home: Path) -> None:
    for number, name in enumerate(["survey", "counter", "counter"], start=1):
        os.utime(new_run_dir(name), (number, number))
    (own_home / "no-run").mkdir()
    with pytest.raises(UsageError) as caught:
        find_run("survy-1")
    assert str(caught.value) == (
        "there is no run 'survy-1' in perdure-home. Did you mean 'survey-1'? "
        "Most recent: counter-2, counter-1, survey-1."
    )


@pytest.mark.parametrize("text", ["last", "survey-1"])
def test_an_empty_home_says_how_a_run_is_made(text: str) -> None:
    with pytest.raises(UsageError, match=r"holds none yet\. `perdure run SCENARIO` makes one\."):
        find_run(text)


def test_a_path_that_is_no_directory_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^there is no directory runs/survey-1\."):
        find_run("runs/survey-1")
