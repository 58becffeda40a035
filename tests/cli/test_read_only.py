"""A run's directory that one may read and not write to: it can be looked at while nobody writes."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perdure.errors import LedgerInUse
from perdure.ledger.owner import Owner
from perdure.ledger.store import open_store
from tests.cli.verbs import perdure
from tests.desk import desk

NOBODY = 65534
LOOKS = [
    ("show",), ("tree",), ("ps",), ("trace",), ("trace", "--causal"), ("why", "9"), ("dead",),
    ("state", "/desk/counter"), ("diff", "5", "9"), ("doubt",), ("verify",),
    ("replay",), ("export",),
]  # fmt: skip

WRITES = [
    ("suspend", "/desk/spare"), ("tell", "/desk/counter", '{"$": "Add", "number": 3}'),
    ("resume", "--no-wait"),
]  # fmt: skip


@pytest.fixture(scope="module")
def waiting() -> Iterator[Path]:
    """A run that waits. Each verb was used: a stranger may not be able to import what it needs."""
    folder = Path(tempfile.mkdtemp(prefix="waiting-"))  # nobody else may enter pytest's own
    folder.chmod(0o755)
    desk(folder / "desk")
    for run in (folder / "run", folder / "tried"):
        begun = perdure("run", folder / "desk", "--ledger", run, "--seed", "7", "--no-wait")
        assert begun.exit_code == 4
    for verb in (*LOOKS, *WRITES):
        perdure(verb[0], run, *verb[1:])
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def theirs(waiting: Path) -> Iterator[Path]:
    """The run of somebody who lets others only read, where others may go."""
    folder = Path(tempfile.mkdtemp(prefix="theirs-"))
    shutil.copytree(waiting / "run", folder / "run", ignore=shutil.ignore_patterns("door"))
    yield folder / "run"
    shutil.rmtree(folder, ignore_errors=True)


def close_up(run: Path) -> None:
    """Take everybody's leave to write away."""
    for path in (run.parent, *run.parent.rglob("*")):
        if not path.is_socket():
            path.chmod(0o555 if path.is_dir() else 0o444)


def open_up(run: Path) -> None:
    for path in (run.parent, *run.parent.rglob("*")):
        if path.is_dir():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def as_stranger(act: Callable[[], bool]) -> bool:
    """What `act` comes to in a process that may not write to what it does not own."""
    pid = os.fork()
    if not pid:
        code = 70
        try:
            if os.geteuid() == 0:
                os.setegid(NOBODY)
                os.seteuid(NOBODY)
            code = 0 if act() else 1
        except BaseException:  # noqa: BLE001 - whatever it is, it is shown
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_run_that_one_may_only_read_is_looked_at_and_says_the_same(theirs: Path) -> None:
    said = {verb: perdure(verb[0], theirs, *verb[1:]).stdout for verb in LOOKS}
    close_up(theirs)

    def look() -> bool:
        for verb, before in said.items():
            result = perdure(verb[0], theirs, *verb[1:])
            assert (result.exit_code, result.stdout) == (0, before), (verb, result.stderr)
        return True

    try:
        assert as_stranger(look)
    finally:
        open_up(theirs)


def test_a_run_that_one_may_only_read_is_refused_while_somebody_is_at_it(theirs: Path) -> None:
    owner = Owner(theirs)
    close_up(theirs)

    def refused() -> bool:
        result = perdure("show", theirs)
        assert result.exit_code == 2, result.stdout
        assert "a process is at" in result.stderr
        assert "`perdure backup`" in result.stderr
        return True

    try:
        assert as_stranger(refused)
    finally:
        owner.release()
        open_up(theirs)


def test_nobody_becomes_the_owner_while_an_onlooker_reads(theirs: Path) -> None:
    close_up(theirs)

    def nobody() -> bool:
        store = open_store(theirs, write=False)
        os.seteuid(os.getuid())
        os.chmod(theirs / "owner", 0o644)
        with pytest.raises(LedgerInUse):
            Owner(theirs)
        store.close()
        Owner(theirs).release()
        return True

    try:
        assert as_stranger(nobody)
    finally:
        open_up(theirs)


def test_verbs_that_write_say_that_they_may_not(theirs: Path) -> None:
    close_up(theirs)

    def refused() -> bool:
        for verb in WRITES:
            result = perdure(verb[0], theirs, *verb[1:])
            assert result.exit_code == 2, (verb, result.stdout)
            assert result.stderr.startswith("perdure: "), result.stderr
            assert "bug" not in result.stderr
        return True

    try:
        assert as_stranger(refused)
    finally:
        open_up(theirs)
