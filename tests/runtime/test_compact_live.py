"""A run is compacted while it goes on: it never stops, and nothing that it uses is dropped."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from perdure.errors import NotTaken, Refused, Unanswered
from perdure.ledger.audit import audit_store
from perdure.ledger.handover import PLANS, hand_over, take_over
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from perdure.runtime import compact as module
from perdure.runtime.compact import compact, compact_live
from perdure.runtime.ingress import outcome, post
from perdure.runtime.view import View
from tests.ledger.stores import ask, child, end

BUSY = """
import os, sys
from perdure import Actor, Child, Run, SupervisorSpec
from perdure.runtime.program import Program
from perdure.actors import barrier
from perdure.ledger import compaction
compaction.DROP_RECORDS_MAX = 50

class Busy(Actor, name="tests.live.busy"):
    count: int = 0
    page: str = ""
    async def on_receive(self, message: str) -> None:
        self.count += 1
        self.page = str(self.count % pages) * 5_000  # a blob: with few, each is used again soon
        if self.count == 40:
            self.mark("forty")
        self.send_after(0.002, self.address, "go on")

busy = Child("busy", Busy)
spec = SupervisorSpec(strategy="one_for_one", children=(busy,), intensity=1_000)
program = Program.of(Child("r", supervisor=spec))
path, kill_at, pages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
groups = 0

def made(commit):
    def counted(self, group, *rest):
        global groups
        if group.drop is not None:
            groups += 1
            if groups == kill_at:
                os.kill(os.getpid(), 9)
        head = commit(self, group, *rest)
        if group.drop is not None:
            groups += 1
            if groups == kill_at:
                os.kill(os.getpid(), 9)
        return head
    return counted

from perdure.ledger.store import LmdbStore
LmdbStore.commit = made(LmdbStore.commit)
run = Run.resume(path, program=program) if os.path.exists(path + "/ledger") else Run(program, path)
with run:
    if run.kernel.book.seq < 30:
        run.tell("/r/busy", "go").get(timeout=30)
    for line in sys.stdin:
        seq = run.kernel.book.durable
        while run.kernel.book.durable < seq + int(line):
            run.kernel.ended.wait(0.005)
        print(run.kernel.book.durable, flush=True)
"""


def busy(path: Path, kill_at: int = 0, pages: int = 10**9) -> subprocess.Popen[str]:
    process = child(BUSY, path, kill_at, pages)
    assert int(ask(process, "120")) > 120
    return process


def whole(path: Path) -> int:
    verify_store(path)
    with View(path) as view:
        assert audit_store(view.store) == []
        count: int = view.state("/r/busy")["count"]
        return count


def head_of(path: Path) -> int:
    with View(path) as view:
        return view.head.seq


def test_a_run_that_goes_on_is_compacted_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = busy(path)
    try:
        for _ in range(3):
            found = compact_live(path, head_of(path) - 30)
            assert found.records > 50
            assert int(ask(process, "100")) > found.head
        with View(path) as view:
            assert view.head.cut == found.at
            assert view.head.gone == found.at - found.left
            assert len(list(view.store.digests())) < view.state("/r/busy")["count"] - 50
    finally:
        end(process)
    assert not list((path / PLANS).iterdir())
    counted = whole(path)
    process = busy(path)  # and the next process goes on
    end(process)
    assert whole(path) > counted


@pytest.mark.parametrize("kill_at", [1, 2, 5])
def test_whenever_the_owner_dies_meanwhile_the_ledger_is_whole(
    tmp_path: Path, kill_at: int
) -> None:
    path = tmp_path / "run"
    process = busy(path, kill_at)
    with suppress(NotTaken, Unanswered):  # who posts is told that the owner has gone
        compact_live(path, head_of(path) - 10)
    process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGKILL, 0)
    counted = whole(path)
    process = busy(path)
    end(process)
    assert whole(path) > counted
    compact(path, head_of(path) - 5)
    whole(path)


def test_a_blob_that_is_used_again_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is held between the word that blobs are suspects and their end."""
    path = tmp_path / "run"
    process = busy(path, pages=50)
    posted, suspects = module._posted, []
    try:

        def slowly(run: Path, verb: str, found: module.Plan) -> dict[str, int]:
            if verb == "compact-blobs":
                suspects.extend(found.unused)
                ask(process, "130")  # all pages come again
            said = posted(run, verb, found)
            ask(process, "60")
            return said

        monkeypatch.setattr(module, "_posted", slowly)
        compact_live(path, head_of(path) - 3)
        assert suspects
        with View(path) as view:
            assert {*suspects} <= {*view.store.digests()}
    finally:
        end(process)
    whole(path)


def test_two_compactions_of_a_run_at_once_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one drops what the first has still to read."""
    path = tmp_path / "run"
    process = busy(path)
    posted, between = module._posted, []
    try:

        def meanwhile(run: Path, verb: str, found: module.Plan) -> dict[str, int]:
            said = posted(run, verb, found)
            if not between:
                between.append(verb)
                ask(process, "60")
                between.append(compact_live(path, head_of(path) - 5).at)
            return said

        monkeypatch.setattr(module, "_posted", meanwhile)
        found = compact_live(path, head_of(path) - 10)
        assert found.at < between[1]
        assert found.blobs == 0  # those are left to the one that got further
    finally:
        end(process)
    whole(path)


def test_a_blob_that_was_used_again_while_the_journal_was_folded_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    process = busy(path, pages=50)
    posted = module._posted
    try:

        def slowly(run: Path, verb: str, found: module.Plan) -> dict[str, int]:
            if verb == "compact":
                ask(process, "130")  # all pages come again, and the run knows that it has them
            return posted(run, verb, found)

        monkeypatch.setattr(module, "_posted", slowly)
        assert compact_live(path, head_of(path) - 3).blobs == 0
    finally:
        end(process)
    whole(path)


def test_a_plan_that_does_not_fit_is_refused_and_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = busy(path)
    try:
        with View(path) as view:
            found = module.plan(view.store, 100, is_still=False)
        compact_live(path, 110)
        with pytest.raises(Refused, match="compacted up to 110 meanwhile"):
            module._posted(path, "compact", found)
        for name in ("x", "0" * 32):
            with pytest.raises(Refused, match="plan"):
                outcome(path, post(path, "compact", {"plan": name}))
        ask(process, "20")
    finally:
        end(process)
    whole(path)


def test_a_plan_is_read_as_it_was_written_or_not_at_all(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    store.close()
    made = module.Plan(7, b"h" * 16, ((7, b"d" * 32),), blobs={b"d" * 32: b"data"})
    name = hand_over(tmp_path, made)
    again = take_over(tmp_path, name)
    assert (again.fields(), again.blobs) == (made.fields(), made.blobs)
    file = tmp_path / PLANS / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Exception, match="not what was written"):
        take_over(tmp_path, name)
    assert os.listdir(tmp_path / PLANS) == [name]
