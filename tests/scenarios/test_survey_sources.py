"""Which files a survey is about."""

from __future__ import annotations

import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios import plain_survey
from tests.scenarios.modules import load
from tests.scenarios.plant import Library, planted, unprivileged

sources = load("library_survey", "sources")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with planted(tmp_path / "library") as library:
        yield library


def test_every_planted_file_is_listed_sorted_as_in_the_plain_loop(library: Library) -> None:
    listed = sources.list_sources(str(library.folder)).files
    assert list(listed) == plain_survey.list_files(library.folder)
    assert {"empty.py", "loop_a.py", "folder.py", "folder.py/inside.py", "pipe.py"} <= set(listed)
    assert not [path for path in listed if "left_out" in path or "linked_folder" in path]


def test_what_is_not_entered_is_listed_with_its_reason(library: Library) -> None:
    skipped = sources.list_sources(str(library.folder)).skipped
    assert tuple(skipped) == library.skipped
    assert skipped["linked_folder/"] == "a link to a folder is not followed"


def test_a_folder_without_permission_is_noted_and_the_rest_is_listed() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "open.py").touch()
    (folder / "locked").mkdir(mode=0o700)
    (folder / "locked").chmod(0)
    with unprivileged():
        found = sources.list_sources(str(folder))
    (folder / "locked").chmod(0o700)
    shutil.rmtree(folder)
    assert found.files == ("open.py",)
    assert found.skipped == {"locked/": "PermissionError: Permission denied"}


def test_a_link_to_the_folder_itself_does_not_loop(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert sources.list_sources(str(tmp_path)).files == ("a.py",)


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert sources.list_sources(str(tmp_path)) == sources.Sources((), {})


def test_too_many_files_are_refused_with_the_limit_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(sources, "FILES_MAX", 3)
    assert len(sources.list_sources(str(tmp_path)).files) == 3
    monkeypatch.setattr(sources, "FILES_MAX", 2)
    with pytest.raises(ValueError, match=r"more than 2 Python files.*--set folder=DIR"):
        sources.list_sources(str(tmp_path))


def test_no_folder_means_the_standard_library_and_others_become_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    assert sources.library("") == os.path.abspath(sysconfig.get_path("stdlib"))
    assert sources.library("here") == str(tmp_path / "here")


def test_a_folder_that_is_not_there_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"--set folder=DIR.*gone"):
        sources.library(str(tmp_path / "gone"))
