"""A disk with no room left: each verb that writes says so, harms nothing, and works again after."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.verbs import answer, perdure
from tests.desk import desk

NOT_DONE = (2, 4)
VERBS = [
    ("resume", "{run}", "--no-wait"),
    ("tell", "{run}", "/desk/counter", '{"$": "Add", "number": 3}'),
    ("suspend", "{run}", "/desk/spare"),
    ("cancel", "{run}", "/desk/spare"),
    ("dead", "{run}", "requeue", "{letter}"),
    ("fork", "{run}", "--at", "12", "--to", "{disk}/fork"),
    ("run", "{scenario}", "--ledger", "{disk}/new", "--no-wait"),
    ("backup", "{run}", "{disk}/backup"),
    ("export", "{run}", "--to", "{disk}/export.jsonl"),
]


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 24 MB."""
    disk = tmp_path_factory.mktemp("small") / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
    mount = subprocess.run(command, capture_output=True, text=True)
    if mount.returncode:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no small disk can be mounted: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def disk(mounted: Path) -> Iterator[Path]:
    """It, with nothing on it."""
    yield mounted
    for path in mounted.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return desk(tmp_path_factory.mktemp("scenario") / "desk")


def fill(disk: Path) -> Path:
    """Leave room for nothing."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                if file.write(bytes(size)) < size:
                    size //= 2
            except OSError:
                size //= 2
    return filler


@pytest.mark.parametrize("verb", VERBS, ids=[verb[0] for verb in VERBS])
def test_a_verb_on_a_full_disk_says_so_and_is_done_when_there_is_room(
    disk: Path, scenario: Path, verb: tuple[str, ...]
) -> None:
    run = disk / "run"
    begun = perdure("run", scenario, "--ledger", run, "--seed", "7", "--no-wait")
    assert begun.exit_code == 4, begun.stderr
    (letter,) = answer("dead", run)["dead_letters"]
    words = {"run": run, "disk": disk, "scenario": scenario, "letter": letter["id"]}
    args = [part if "$" in part else part.format(**words) for part in verb]
    before = answer("show", run)["records"]
    filler = fill(disk)
    try:
        said = perdure(*args)
        is_done = said.exit_code == 0  # in pages of the ledger that are free
        assert is_done or said.exit_code in NOT_DONE, said.stdout
        assert is_done or said.stderr.startswith("perdure: ") or " bytes left" in said.stdout, said
        assert "Traceback" not in said.stderr
        assert "bug" not in said.stderr
        for look in ("show", "tree", "trace"):
            assert perdure(look, run).exit_code == 0
        is_resume = verb[0] == "resume"  # it writes down that it drains, while there is room
        assert is_done or is_resume or answer("show", run)["records"] == before
    finally:
        filler.unlink()
    assert perdure("verify", run).exit_code == 0
    if is_done:
        return
    again = perdure(*args)
    assert again.exit_code == (4 if verb[0] in ("resume", "run") else 0), again.stderr
    assert [path.name for path in disk.iterdir() if path.name.startswith(".")] == []
