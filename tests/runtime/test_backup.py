"""Backups: consistent, checked, whole or not there; and what is gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure import Run
from perdure.errors import LedgerDamaged, UsageError
from perdure.ledger.environment import DATA, FOLDER
from perdure.ledger.group import Group
from perdure.ledger.keys import Table
from perdure.ledger.rows import ActorRow, pack_row, unpack_row
from perdure.ledger.store import open_store
from perdure.ledger.whole import check_ledger
from perdure.runtime.backup import backup
from perdure.runtime.compact import compact
from perdure.runtime.ingress import post
from perdure.runtime.view import View
from tests.cli.verbs import ROOT, answer, perdure, sold_in
from tests.desk import at_desk, going_on

KILLS = """
import os, sys
from pathlib import Path
from perdure.runtime.backup import backup
from tests.crashes.steps import at_each_step
run, folder = map(Path, sys.argv[1:])
for number in at_each_step(lambda: backup(run, folder / "copy")):
    if (folder / "copy").exists():
        break  # killed when it was durable, and about to tidy up
print(number, flush=True)
"""


@pytest.fixture
def sold(own_home: Path) -> Path:
    """A finished run with an artifact."""
    return sold_in(own_home)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    words, directory = at_desk(tmp_path)
    with going_on(*words, directory=directory) as owner:
        yield owner, directory


def test_a_backup_is_the_run_itself_with_its_artifacts(sold: Path, tmp_path: Path) -> None:
    made = backup(sold, tmp_path / "copy")
    with View(sold) as view, View(tmp_path / "copy") as copy:
        assert (copy.run, copy.head) == (view.run, view.head)
        assert made.head == copy.head
        assert list(copy.records()) == list(view.records())
    assert (tmp_path / "copy" / "artifacts" / "receipt.txt").read_text() == "1 sold"
    assert check_ledger(tmp_path / "copy").wrong == []


def test_a_backup_of_a_live_run_is_one_moment_of_it(live: Any, tmp_path: Path) -> None:
    owner, directory = live
    add = '{"$": "Add", "number": 3}'
    assert perdure("tell", directory, "/desk/counter", add, "--ask").exit_code == 0
    os.kill(owner.pid, signal.SIGSTOP)
    post(directory, "tell", {"to": "/desk/counter", "message": {"$": "Add", "number": 4}})
    made = backup(directory, tmp_path / "copy")
    assert made.posts == 1
    with View(tmp_path / "copy") as copy:
        assert copy.state("/desk/counter") == {"numbers": [3]}
        assert copy.status.status == "interrupted"
    assert check_ledger(tmp_path / "copy").wrong == []


def test_a_compacted_run_has_a_backup_that_is_compacted(sold: Path, tmp_path: Path) -> None:
    with View(sold) as view:
        at = view.head.seq - 2
    cut = compact(sold, at).at
    made = backup(sold, tmp_path / "copy")
    assert made.head.cut == cut
    assert check_ledger(tmp_path / "copy").wrong == []
    assert (tmp_path / "copy" / "artifacts" / "receipt.txt").read_text() == "1 sold"


def test_a_ledger_that_contradicts_itself_gives_no_backup(sold: Path, tmp_path: Path) -> None:
    store = open_store(sold)
    key, raw = list(store.scan(bytes([Table.ACTOR])))[-1]
    head = store.head()
    forged = pack_row(unpack_row(ActorRow, raw)._replace(crashes=99))
    last = store.record(head.seq)
    assert last is not None
    store.commit(
        Group(head.seq + 1, [(last.kind, last.payload)], [(key, forged)], time_ns=head.time_ns)
    )
    store.close()
    with pytest.raises(LedgerDamaged, match=r"shop-1 contradicts itself.*crashes 99") as caught:
        backup(sold, tmp_path / "copy")
    assert caught.value.seq == head.seq + 1
    assert not [path for path in tmp_path.iterdir() if "copy" in path.name]


def test_a_damaged_page_gives_no_backup(sold: Path, tmp_path: Path) -> None:
    data = sold / FOLDER / DATA
    data.write_bytes(data.read_bytes().replace(b"bread", b"broad"))
    with pytest.raises(LedgerDamaged, match="does not follow record"):
        backup(sold, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_full_disk_gives_no_backup(sold: Path, tmp_path: Path) -> None:
    script = (
        "import resource, sys; from perdure.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); main()"
    )
    words = ["backup", str(sold), str(tmp_path / "copy")]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.iterdir() if "copy" in path.name]


def test_a_kill_at_any_step_leaves_no_half_backup_and_the_next_one_clears_up(
    sold: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(sold), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) > 10, done.stderr
    assert check_ledger(tmp_path / "copy").wrong == []
    backup(sold, tmp_path / "other")
    left = [path.name for path in tmp_path.glob(".copy*")]
    assert len(left) <= 1  # of the process that was killed after the rename: none


# --- going on with one


def test_a_backup_is_gone_on_with_when_its_run_is_lost(live: Any, tmp_path: Path) -> None:
    owner, directory = live
    made = backup(directory, tmp_path / "copy")
    owner.kill()
    owner.wait()
    directory.rename(tmp_path / "away")
    resumed = perdure("resume", tmp_path / "copy", "--no-wait")
    assert resumed.exit_code == 4, resumed.stderr
    assert "twice" not in resumed.stderr
    form = answer("show", tmp_path / "copy")
    assert (form["run_id"], form["copied_at"]) == (made.run_id.hex(), made.head.seq)
    assert check_ledger(tmp_path / "copy").wrong == []


def test_a_backup_is_not_gone_on_with_while_its_run_is_and_warns_when_it_is_there(
    live: Any, tmp_path: Path
) -> None:
    owner, directory = live
    backup(directory, tmp_path / "copy")
    refused = perdure("resume", tmp_path / "copy", "--no-wait")
    assert refused.exit_code == 2
    assert f"process {owner.pid} is at that run now: both would act" in refused.stderr
    with pytest.raises(UsageError, match="both would act"):
        Run.resume(tmp_path / "copy")
    owner.kill()
    owner.wait()
    warned = perdure("resume", tmp_path / "copy", "--no-wait")
    assert warned.exit_code == 4
    assert "Go on with one of the two only" in warned.stderr
    (tmp_path / "copy").rename(tmp_path / "moved")
    directory.rename(tmp_path / "away")
    (tmp_path / "moved").rename(directory)  # in the place of what it is a copy of
    assert "one of the two" not in perdure("resume", directory, "--no-wait").stderr
