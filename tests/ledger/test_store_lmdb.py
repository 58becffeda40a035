"""What only a ledger on disk has: locks, a map that grows, a disk that fills, files that rot."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import (
    Broken,
    CommitFailed,
    LedgerDamaged,
    LedgerError,
    LedgerExists,
    LedgerInUse,
    NotALedger,
    PerdureError,
)
from perdure.ledger import ahead
from perdure.ledger.environment import DATA, FOLDER
from perdure.ledger.pages import look
from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.verify import verify_store
from perdure.limits import FILE_AHEAD_BYTES, UPKEEP_GROUPS
from tests.ledger.stores import (
    SMALL_MAP_BYTES,
    ask,
    blobs,
    child,
    contents,
    end,
    filled,
    group,
    large_group,
)

COMMIT_FOR_EVER = """
import sys
from perdure.ledger.store import open_store
from tests.ledger.stores import blobs, group
store = open_store(sys.argv[1], map_bytes_first=1 << 18)
while True:
    number = b"%d" % store.head().seq
    puts = [(b"\\x01" + number, number), (b"\\x02last", number)]
    store.commit(group(store, number, bytes(500), puts=puts, blobs=blobs(number)))
    print(store.head().seq, flush=True)
"""

ANSWER = """
import sys
from perdure.ledger.store import open_store
store = open_store(sys.argv[1], write=False, map_bytes_first=1 << 18)
for line in sys.stdin:
    last = list(store.records())[-1]
    size = store.get(b"\\x01size").decode()
    print(store.head().seq, last.seq, len(last.payload), size, flush=True)
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store(run: Path) -> Iterator[LmdbStore]:
    store = open_store(run, create=True, map_bytes_first=SMALL_MAP_BYTES)
    yield store
    store.close()


# --- making and finding


def test_creating_makes_the_directories_and_an_empty_ledger(tmp_path: Path) -> None:
    run = tmp_path / "home" / "survey-1"
    open_store(run, create=True).close()
    assert sorted(path.name for path in run.iterdir()) == ["ledger", "owner"]
    assert verify_store(run).seq == 0


def test_a_ledger_is_not_created_over_another(run: Path) -> None:
    before = filled(run)
    with pytest.raises(LedgerExists, match=rf"{run} holds a ledger already, of 120.*resume"):
        open_store(run, create=True)
    store = open_store(run)
    assert contents(store) == before
    store.close()


def test_an_empty_ledger_counts_as_none(run: Path) -> None:
    open_store(run, create=True).close()
    open_store(run, create=True).close()


def test_opening_what_is_no_ledger_makes_nothing(run: Path) -> None:
    for _ in range(2):
        with pytest.raises(NotALedger, match=str(run)):
            open_store(run)
        with pytest.raises(NotALedger, match=str(run)):
            verify_store(run)
        assert not run.exists()
    run.mkdir()
    with pytest.raises(NotALedger):
        open_store(run, write=False)
    assert list(run.iterdir()) == []


def test_a_run_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LedgerError, match=rf"{tmp_path}/file/run cannot be used"):
        open_store(tmp_path / "file" / "run", create=True)


@pytest.mark.parametrize("calls", [1, 2])
def test_a_kill_while_creating_leaves_none_or_an_empty_ledger(run: Path, calls: int) -> None:
    script = """
import itertools, os, signal, sys
from perdure.ledger import environment
from perdure.ledger.store import open_store
calls = itertools.count(1)
def kill(directory):
    if next(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
environment.sync_directory = kill
open_store(sys.argv[1], create=True)
"""
    process = child(script, run, calls)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    if calls < 2:
        with pytest.raises(NotALedger):
            open_store(run)
    else:
        open_store(run).close()
    store = open_store(run, create=True)
    store.commit(group(store, b"a"))
    store.close()
    assert verify_store(run).seq == 1
    assert sorted(path.name for path in run.iterdir()) == ["ledger", "owner"]


def test_the_file_format_does_not_depend_on_the_environment(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMDB_DEFAULT_LIB_VERSION", "1")
    process = child("import sys; from perdure.ledger.store import open_store as o; "
                    "o(sys.argv[1], create=True).close()", run)  # fmt: skip
    process.communicate()
    assert look(run / FOLDER / DATA).whole  # it takes LMDB 0.9's format only


# --- one owner


def test_a_second_process_is_told_who_owns_the_ledger(run: Path) -> None:
    open_store(run, create=True).close()
    process = child(COMMIT_FOR_EVER, run)
    ask(process)
    for take in (open_store, verify_store):
        with pytest.raises(LedgerInUse, match=rf"{run} is in use by process {process.pid}\. Wait"):
            take(run)
    end(process)
    open_store(run).close()


def test_a_second_owner_in_the_same_process_is_refused(run: Path, store: LmdbStore) -> None:
    with pytest.raises(LedgerInUse, match=f"process {os.getpid()}"):
        open_store(run)
    with pytest.raises(LedgerInUse, match="open in this process"):
        open_store(run, write=False)
    store.commit(group(store, b"still mine"))


def test_a_reader_does_not_write(run: Path) -> None:
    filled(run)
    reader = open_store(run, write=False)
    with pytest.raises(Broken, match="opened for reading"):
        reader.commit(group(reader, b"a"))
    assert verify_store(reader).seq == 120
    reader.close()


def test_a_forked_child_can_neither_use_nor_keep_the_ledger(run: Path) -> None:
    script = """
import os, sys
from perdure.errors import LedgerInUse
from perdure.ledger.store import open_store
from tests.ledger.stores import group
store = open_store(sys.argv[1], create=True)
store.commit(group(store, b"a"))
if os.fork():
    os._exit(0)
refused = 0
for use in (lambda: store.get(b"\\x01"), lambda: store.commit(group(store, b"b"))):
    try:
        use()
    except LedgerInUse:
        refused += 1
print(refused, flush=True)
sys.stdin.read()
"""
    process = child(script, run)
    assert ask(process) == "2"
    process.wait()
    store = open_store(run)  # the owner has ended, its child lives on
    assert store.head().seq == 1
    store.close()
    end(process)


def test_what_was_durable_survives_a_kill_in_the_middle_of_commits(run: Path) -> None:
    open_store(run, create=True).close()
    for commits in (1, 7, 40):
        process = child(COMMIT_FOR_EVER, run)
        said = [int(ask(process)) for _ in range(commits)]
        process.kill()
        assert process.stdout
        said += [int(line) for line in process.stdout if line.endswith("\n")]
        process.communicate()
        head = verify_store(run)
        assert head.seq >= said[-1]
        store = open_store(run)
        last = b"%d" % (head.seq - 2)
        assert store.get(b"\x02last") == last
        assert [record.payload for record in store.records(head.seq - 1)] == [last, bytes(500)]
        store.close()


# --- readers, and the map


def test_a_reader_in_another_process_follows_while_the_map_grows(
    run: Path, store: LmdbStore
) -> None:
    store.commit(group(store, b"", puts=[(b"\x01size", b"0")]))
    reader = child(ANSWER, run)
    for size in (10, SMALL_MAP_BYTES, 4 * SMALL_MAP_BYTES, 16 * SMALL_MAP_BYTES):
        head = store.commit(group(store, bytes(size), puts=[(b"\x01size", b"%d" % size)]))
        assert ask(reader, "and now?") == f"{head.seq} {head.seq} {size} {size}"
    end(reader)
    assert verify_store(store) == store.head()


def test_a_reader_may_open_the_ledger_while_its_owner_commits(run: Path) -> None:
    open_store(run, create=True).close()
    process = child(COMMIT_FOR_EVER, run)
    said = 0
    for _ in range(30):
        while int(ask(process)) <= said:
            pass
        reader = open_store(run, write=False)
        seqs = [record.seq for record in reader.records()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) > said
        said = len(seqs)
        reader.close()
    end(process)


def test_the_map_grows_for_one_large_group_and_keeps_its_size(run: Path) -> None:
    store = open_store(run, create=True, map_bytes_first=SMALL_MAP_BYTES)
    scan = store.scan(b"\x01")
    store.commit(group(store, b"a", puts=[(b"\x01x", b"1"), (b"\x01y", b"2")]))
    assert next(scan) == (b"\x01x", b"1")
    store.commit(group(store, *[bytes(10_000)] * 500, blobs=blobs(b"large" * 10**6)))
    assert next(scan) == (b"\x01y", b"2")
    store.close()
    assert look(run / FOLDER / DATA).map_bytes == 1 << 24
    assert verify_store(run).seq == 501


def test_a_thread_reads_on_while_the_map_grows(run: Path) -> None:
    store = open_store(run, create=True, map_bytes_first=1 << 16)
    rows = [(b"\x01%d" % n, b"value") for n in range(100)]
    store.commit(group(store, b"a", puts=rows))
    counted: set[int] = set()
    failed: list[PerdureError] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                counted.add(sum(1 for _ in store.scan(b"\x01")))
        except PerdureError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for power in range(16, 24):
        store.commit(group(store, bytes(1 << power)))
    done.set()
    reader.join()
    store.close()
    assert failed == []
    assert counted == {100}


def test_a_map_at_its_largest_is_a_failed_commit_that_names_its_size(run: Path) -> None:
    store = open_store(run, create=True, map_bytes_first=1 << 17, map_bytes_max=SMALL_MAP_BYTES)
    with pytest.raises(CommitFailed, match=rf"{run} refused.*from 1 on.*most: 262,144 bytes"):
        store.commit(large_group(store))
    store.close()
    assert verify_store(run).seq == 0


def test_a_process_without_room_for_a_larger_map_fails_and_does_not_crash(run: Path) -> None:
    script = """
import sys
from perdure.errors import PerdureError
from perdure.ledger.store import open_store
from tests.ledger.stores import group, large_group
store = open_store(sys.argv[1], create=True, map_bytes_first=1 << 18, map_bytes_max=1 << 62)
store.commit(group(store, b"a"))
store._file._map_bytes = 1 << 60  # what it grows to next is more than any process has
for use in (lambda: store.commit(large_group(store)), lambda: store.record(1)):
    try:
        use()
        print("none")
    except PerdureError as error:
        print(type(error).__name__)
"""
    out, _ = (process := child(script, run)).communicate()
    assert (process.returncode, out.split()) == (0, ["CommitFailed", "LedgerError"])
    assert verify_store(run).seq == 1


def test_a_killed_reader_is_cleared_away_when_the_ledger_is_opened(run: Path) -> None:
    filled(run)
    script = """
import lmdb, sys
env = lmdb.open(sys.argv[1], readonly=True)
txn = env.begin()
print("reading", flush=True)
sys.stdin.read()
"""
    killed, alive = child(script, run / FOLDER), child(script, run / FOLDER)
    assert ask(killed) == ask(alive) == "reading"
    end(killed)
    store = open_store(run)
    readers = store._file.env.readers()
    assert str(alive.pid) in readers  # without another, LMDB would start an empty list
    assert str(killed.pid) not in readers
    end(alive)
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    mount = subprocess.run(command, capture_output=True, text=True)
    if mount.returncode:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"no small disk can be mounted: {mount.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_fails_one_commit_and_harms_none_before(small_disk: Path) -> None:
    run = small_disk / "run"
    (small_disk / "filler").write_bytes(bytes(1 << 21))
    store = open_store(run, create=True)
    before = contents(store)
    seq = 0
    try:
        for n in range(100):
            store.commit(group(store, bytes([n]) * 100_000, puts=[(b"\x01n", b"%d" % n)]))
            before = contents(store)
    except CommitFailed:
        seq = store.head().seq
    assert seq > 20
    with pytest.raises(
        CommitFailed, match=rf"{run} refused.* bytes are free there.*resume"
    ) as caught:
        store.commit(group(store, b"small"))
    assert caught.value.durable_seq == seq
    store.close()
    assert verify_store(run).seq == seq
    store = open_store(run)
    assert contents(store) == before
    (small_disk / "filler").unlink()
    store.commit(group(store, bytes(1_000_000)))
    store.close()
    assert verify_store(run).seq == seq + 1


def test_a_disk_too_full_to_create_a_ledger_is_named_and_can_be_tried_again(
    small_disk: Path,
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(8 * (1 << 20) - 3 * 4096))
    with pytest.raises(LedgerError, match=r"ledger\.new cannot be used: .*No space"):
        open_store(small_disk / "run", create=True)
    filler.unlink()
    open_store(small_disk / "run", create=True).close()


def test_a_table_of_which_rows_are_passed_over_is_damaged(tmp_path: Path, monkeypatch: Any) -> None:
    filled(tmp_path / "run")
    store = open_store(tmp_path / "run", write=False)
    try:
        assert len(list(store.scan(b"\x01"))) == store.head().counts[1]
        chunk = store._file.chunk
        monkeypatch.setattr(
            store._file, "chunk", lambda *args: (chunk(*args)[0][:-1], chunk(*args)[1])
        )
        with pytest.raises(LedgerDamaged, match="rows, and the meta row of"):
            list(store.scan(b"\x01"))
    finally:
        store.close()


@pytest.mark.parametrize(("plenty", "is_longer"), [(0, True), (1 << 62, False)])
def test_where_there_is_room_the_file_is_longer_than_its_pages_and_as_whole(
    run: Path, monkeypatch: pytest.MonkeyPatch, plenty: int, is_longer: bool
) -> None:
    monkeypatch.setattr(ahead, "DISK_FREE_BYTES_PLENTY", plenty)
    store, sizes = open_store(run, create=True), []
    for _ in range(3):
        for _ in range(UPKEEP_GROUPS):
            store.commit(group(store, b"one", puts=[(b"\x01row", b"value")]))
        sizes.append((run / FOLDER / DATA).stat().st_size)
    env, before = store.file.env, contents(store)
    used = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    store.close()
    assert sizes[0] == sizes[2] > used + FILE_AHEAD_BYTES // 2 if is_longer else sizes[2] == used
    assert verify_store(run).seq == 3 * UPKEEP_GROUPS
    store = open_store(run)
    assert contents(store) == before
    store.close()
