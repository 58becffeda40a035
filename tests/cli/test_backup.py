"""`perdure backup` and `verify` of a live run, as people and programs meet them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from perdure.ledger.environment import DATA, FOLDER
from tests.cli.verbs import answer, perdure, sold_in
from tests.desk import at_desk, going_on


@pytest.fixture
def sold(own_home: Path) -> Path:
    return sold_in(own_home)


def test_a_backup_says_what_is_in_it(sold: Path, tmp_path: Path) -> None:
    said = perdure("backup", "last", tmp_path / "copy")
    assert (said.exit_code, said.stderr) == (0, "")
    records = answer("show", "last")["records"]
    assert f" of shop-1 as of record {records}, " in said.stdout
    form = answer("backup", "last", tmp_path / "other")
    assert (form["run"], form["records"], form["ok"]) == ("shop-1", records, True)
    assert (form["artifacts"], form["posts_left_out"]) == (1, 0)
    assert (
        f"copy      of {sold} as of record {records}" in perdure("show", tmp_path / "copy").stdout
    )


def test_a_backup_has_a_name_of_its_own(sold: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for to, said in (
        (sold, "exists already"),
        (tmp_path / "file", "exists already"),
        (tmp_path / "file" / "copy", "there is no directory"),
        (tmp_path / "none" / "copy", "there is no directory"),
        ("", "exists already"),
        ("/proc/copy", "/proc cannot be written to"),
    ):
        result = perdure("backup", "last", to)
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr


def test_a_damaged_run_has_no_backup(sold: Path, tmp_path: Path) -> None:
    data = sold / FOLDER / DATA
    data.write_bytes(data.read_bytes().replace(b"bread", b"broad"))
    result = perdure("backup", "last", tmp_path / "copy", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "does not follow record" in result.stderr
    assert not (tmp_path / "copy").exists()


def test_a_damaged_live_run_is_found_out(tmp_path: Path) -> None:
    words, directory = at_desk(tmp_path)
    with going_on(*words, directory=directory):
        data = directory / FOLDER / DATA
        with data.open("r+b") as file:
            for found in re.finditer(b"only upwards", data.read_bytes()):
                file.seek(found.start())
                file.write(b"also")
        said = perdure("verify", directory)
        assert said.exit_code == 3
        assert "does not follow record" in said.stderr
        assert answer("verify", directory)["ok"] is False
