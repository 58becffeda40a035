"""`compact` of a run nobody is at: where it is cut, what it says, and what a kill leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run, field
from perdure.errors import LedgerDamaged, LedgerInUse, UsageError
from perdure.ledger.audit import audit_store
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from perdure.runtime.compact import (
    compact,
    cut_at_end,
    cut_before,
    cut_keeping_age,
    cut_keeping_turns,
)
from perdure.runtime.program import Program
from perdure.runtime.view import View
from tests.kit import SECONDS, program, settle
from tests.ledger.stores import child
from tests.ledger.test_verify import tamper


class Diary(Actor, name="tests.compact.diary"):
    pages: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> int:
        self.pages.append(message)
        if message.startswith("mark"):
            self.mark(message.split()[1])
        if message == "letter":
            self.tell("../nobody", message)
        return len(self.pages)


DIARY = program(Child("diary", Diary))


def written(path: Path, *messages: str, resume: Program | None = None) -> Path:
    """A run on disk whose diary was told those messages, each a group."""
    clock = FakeClock(jumps=False)
    if resume is None:
        run = Run(DIARY, path, seed=1, clock=clock)
    else:
        run = Run.resume(path, program=resume, clock=clock)
    with run:
        for message in messages:
            run.tell("/r/diary", message).get(timeout=SECONDS)
        settle(run)
    return path


def pages(path: Path) -> list[str]:
    with View(path) as view:
        found: list[str] = view.state("/r/diary")["pages"]
        return found


def whole(path: Path) -> None:
    verify_store(path)
    with View(path) as view:
        assert audit_store(view.store) == []


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return written(tmp_path / "run", "one", "mark half", "two", "x" * 9_000, "three", "four")


def test_a_compacted_run_is_whole_says_the_same_and_goes_on(diary: Path) -> None:
    before = pages(diary)
    with View(diary) as view:
        head, totals = view.head.seq, view.totals()
    found = compact(diary, head)
    assert (found.at, found.head, found.marks) == (head, head + 1, 1)
    assert found.records + found.left == head
    whole(diary)
    assert pages(diary) == before
    with View(diary) as view:
        assert view.totals() == totals
    written(diary, "five", resume=DIARY)
    assert pages(diary) == [*before, "five"]
    whole(diary)


def test_a_dry_run_says_what_would_go_and_changes_nothing(diary: Path) -> None:
    with View(diary) as view:
        head = view.head
    would = compact(diary, head.seq, dry_run=True)
    with View(diary) as view:
        assert view.head == head
    did = compact(diary, head.seq)
    assert would[:1] + would[2:8] == did[:1] + did[2:8]


def test_a_run_that_is_compacted_again_and_again_does_not_grow(tmp_path: Path) -> None:
    path, sizes = tmp_path / "run", []
    written(path, "one")
    for number in range(6):
        written(path, *[f"{number}"] * 40, resume=DIARY)
        with View(path) as view:
            at = cut_at_end(view)
        sizes.append(compact(path, at).file_after)
    assert sizes[-1] <= sizes[1] + 8_192
    whole(path)


def test_what_a_compaction_kept_goes_with_the_next_one(diary: Path) -> None:
    with View(diary) as view:
        kept = cut_keeping_turns(view, 2)
    compact(diary, kept)
    with View(diary) as view:
        end = cut_at_end(view)
        assert end == view.head.seq  # there is more to drop than that word
    assert compact(diary, end).records >= 2
    with View(diary) as view:
        assert cut_at_end(view) == view.head.seq - 1
    whole(diary)


def test_it_is_cut_before_a_record_a_mark_or_a_time(diary: Path) -> None:
    with View(diary) as view:
        mark = cut_before(view, "half")
        assert view.record(mark + 1).body.marks == ("half",)  # type: ignore[union-attr]
        assert cut_before(view, "9") == 8
        assert cut_before(view, "2999-01-01T00:00:00Z") == view.head.seq - 1


def test_the_last_turns_are_kept(diary: Path) -> None:
    with View(diary) as view:
        cut = cut_keeping_turns(view, 2)
        bodies = [record.body for record in view.records(cut + 1)]
        assert sum(getattr(b, "sched", (0, 0, 0))[2] > 0 for b in bodies) == 2
        assert cut_keeping_turns(view, 99) == 0


def test_what_is_younger_than_an_age_is_kept(diary: Path) -> None:
    with View(diary) as view:
        end = view.head.time_ns
        assert cut_keeping_age(view, 3_600.0, end + 7_200 * 10**9) == view.head.seq
        assert cut_keeping_age(view, 3_600.0, end) == 0
        times = [record.body.time for record in view.records()]
        middle = times[len(times) // 2]
        cut = cut_keeping_age(view, (end - middle) / 1e9, end)
        assert all(time < middle for time in times[:cut])
        assert all(time >= middle for time in times[cut:])


def test_there_must_be_a_record_to_cut_at(diary: Path) -> None:
    with pytest.raises(UsageError, match="no record 999 to cut at"):
        compact(diary, 999)


def test_a_run_that_somebody_owns_is_left_alone(diary: Path) -> None:
    store = open_store(diary)
    with pytest.raises(LedgerInUse):
        compact(diary, 5)
    store.close()


VICTIM = """
import os, sys
from perdure.runtime.compact import compact
from perdure.ledger import compaction, shrinking
compaction.DROP_RECORDS_MAX = 9
left = int(sys.argv[2])
def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
exchange = shrinking.exchange
def both(*folders):
    count()
    exchange(*folders)
    count()
shrinking.exchange = both
compact(sys.argv[1], int(sys.argv[3]), progress=lambda stage, *_: stage == "fold" or count())
"""


def test_kill_nine_after_each_step_leaves_a_whole_ledger_that_goes_on(tmp_path: Path) -> None:
    steps = 0
    while True:
        path = written(tmp_path / str(steps), "one", "mark half", "two", "x" * 9_000, "three")
        before = pages(path)
        with View(path) as view:
            at = view.head.seq - 4
        process = child(VICTIM, path, steps, at)
        process.communicate()
        whole(path)
        assert pages(path) == before
        if steps % 6 == 0:
            written(path, "four", resume=DIARY)
            assert pages(path) == [*before, "four"]
            whole(path)
        compact(path, at)
        whole(path)
        with View(path) as view:
            assert view.head.cut == at
        assert sorted(os.listdir(path / "ledger")) == ["data.mdb", "lock.mdb"]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        steps += 2
    assert steps > 6


def changed(path: Path, database: int, key: bytes, at: int) -> None:
    """Flip a bit of a row of a closed ledger, and leave LMDB's own structure whole."""

    def flip(txn: Any, databases: list[Any]) -> None:
        row = bytearray(txn.get(key, db=databases[database]))
        row[at % len(row)] ^= 4
        txn.put(key, bytes(row), db=databases[database])

    tamper(path, flip)


def test_a_flipped_bit_of_what_is_left_before_the_cut_is_found(tmp_path: Path) -> None:
    diary = written(tmp_path / "run", "one", "letter", "two", "mark half", "three", "four")
    with View(diary) as view:
        at = view.head.seq - 3
    compact(diary, at)
    whole(diary)
    store = open_store(diary, write=False)
    left = [(0, key) for key, _ in store.left()]
    parts = [(2, digest) for digest in store.digests()]
    store.close()
    assert len(left) > 4
    assert len(parts) > 4
    for database, key in [*left, *parts]:
        for place in (0, 1, 2, 9, 17, -1):
            changed(diary, database, key, place)
            with pytest.raises((LedgerDamaged, AssertionError)):
                whole(diary)
            changed(diary, database, key, place)
    whole(diary)
