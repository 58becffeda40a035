"""What only a ledger on disk has: locks, a map that grows, a disk that fills, files that rot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import lmdb
import pytest

from perdure.errors import (
    Broken,
    CommitFailed,
    LedgerDamaged,
    LedgerError,
    LedgerExists,
    LedgerInUse,
    LedgerTooNew,
    NotALedger,
)
from perdure.ledger import group as rules
from perdure.ledger.environment import DATA, DATABASES, FOLDER, LedgerFile, Txn
from perdure.ledger.pages import look
from perdure.ledger.records import FORMAT_VERSION
from perdure.ledger.store import LmdbStore, open_store
from perdure.ledger.verify import verify_store
from perdure.limits import MAP_BYTES_FIRST, READ_ROWS_MAX
from tests.ledger.stores import SMALL_MAP_BYTES, blobs, contents, group, large_group

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
    print(store.head().seq, last.seq, len(last.payload), store.get(b"\\x01size").decode(), flush=True)
"""


def child(script: str, *args: object, **options: object) -> subprocess.Popen[str]:
    """A Python process that runs `script` with the same modules."""
    command = [sys.executable, "-c", script, *map(str, args)]
    places = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=places, **pipes, **options)  # type: ignore[call-overload,no-any-return]


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    """The line that a child answers."""
    assert process.stdin and process.stdout
    if line:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def store(run: Path) -> Iterator[LmdbStore]:
    store = open_store(run, create=True, map_bytes_first=SMALL_MAP_BYTES)
    yield store
    store.close()


def filled(run: Path) -> tuple[object, ...]:
    """A ledger of a few pages at `run`, closed, with values of all sizes; and what it holds."""
    store = open_store(run, create=True)
    for n in range(1, 31):
        payloads = (b"%d" % n, bytes([n]) * 40 * n, b"", bytes([n]) * 150)
        puts = [(bytes([1 + n % 3, n, m]), bytes([m]) * m) for m in range(20)]
        gone = [key for key, _ in store.scan(b"", limit=4)]
        data = blobs(bytes([n]) * 1500)
        store.commit(group(store, *payloads, puts=puts, deletes=gone, blobs=data, time_ns=n))
    found = contents(store)
    store.close()
    return found


def tamper(run: Path, change: Callable[[Txn, list[lmdb._Database]], object]) -> None:
    """Change a closed ledger in ways that leave LMDB's own structure whole."""
    file = LedgerFile(run, MAP_BYTES_FIRST, MAP_BYTES_FIRST, readonly=False)
    with file.env.begin(write=True) as txn:
        change(txn, [file.journal, file.tables, file.blobs])
    file.close()


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
    with pytest.raises(LedgerError, match=rf"{tmp_path}/file/run cannot be opened"):
        open_store(tmp_path / "file" / "run", create=True)


@pytest.mark.parametrize("calls", [1, 2, 3])
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
    if calls < 3:
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
store.close()
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


def test_a_map_at_its_largest_is_a_failed_commit_that_names_its_size(run: Path) -> None:
    store = open_store(run, create=True, map_bytes_first=1 << 17, map_bytes_max=SMALL_MAP_BYTES)
    with pytest.raises(CommitFailed, match=rf"{run} refused.*from 1 on.*most: 262,144 bytes"):
        store.commit(large_group(store))
    store.close()
    assert verify_store(run).seq == 0


def test_a_process_without_room_for_a_larger_map_fails_and_does_not_crash(run: Path) -> None:
    script = """
import resource, sys
from perdure.errors import PerdureError
from perdure.ledger.store import open_store
from tests.ledger.stores import group, large_group
store = open_store(sys.argv[1], create=True, map_bytes_first=1 << 18)
store.commit(group(store, b"a"))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 17), -1))
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
    process = child(
        "import lmdb, sys; env = lmdb.open(sys.argv[1], readonly=True); txn = env.begin();"
        "print('reading', flush=True); sys.stdin.read()",
        run / FOLDER,
    )
    assert ask(process) == "reading"
    end(process)
    store = open_store(run)
    file = store._file
    assert str(process.pid) not in file.env.readers()
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
    with pytest.raises(
        CommitFailed, match=rf"{run} refused.* bytes are free there.*resume"
    ) as caught:
        for n in range(100):
            store.commit(group(store, bytes([n]) * 100_000, puts=[(b"\x01n", b"%d" % n)]))
            before = contents(store)
    assert caught.value.durable_seq == store.head().seq > 20
    with pytest.raises(CommitFailed):
        store.commit(group(store, b"small"))
    store.close()
    assert verify_store(run).seq == caught.value.durable_seq
    store = open_store(run)
    assert contents(store) == before
    (small_disk / "filler").unlink()
    store.commit(group(store, bytes(1_000_000)))
    store.close()
    assert verify_store(run).seq == caught.value.durable_seq + 1


def test_a_disk_too_full_to_create_a_ledger_is_named_and_can_be_tried_again(
    small_disk: Path,
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(8 * (1 << 20) - 3 * 4096))
    with pytest.raises(LedgerError, match=r"run cannot be (opened|locked)|refused"):
        open_store(small_disk / "run", create=True)
    filler.unlink()
    open_store(small_disk / "run", create=True).close()


# --- damage


def test_a_ledger_of_a_later_format_is_refused_with_both_versions(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(rules, "FORMAT_VERSION", FORMAT_VERSION + 1)
        filled(run)
    for take in (open_store, verify_store):
        with pytest.raises(LedgerTooNew, match=f"{FORMAT_VERSION + 1}.* up to {FORMAT_VERSION}"):
            take(run)


def key(seq: int) -> bytes:
    return seq.to_bytes(8, "big")


RECORDS = {
    "a byte of a payload": (60, lambda txn, db: txn.put(key(60), txn.get(key(60), db=db)[:-1] + b"?", db=db)),
    "its kind": (60, lambda txn, db: txn.put(key(60), b"\x05" + txn.get(key(60), db=db)[1:], db=db)),
    "its format": (60, lambda txn, db: txn.put(key(60), b"\x04\x02" + txn.get(key(60), db=db)[2:], db=db)),
    "its hash": (60, lambda txn, db: txn.put(key(60), b"\x04\x01" + bytes(16) + txn.get(key(60), db=db)[18:], db=db)),
    "all of it": (60, lambda txn, db: txn.put(key(60), b"", db=db)),
    "another in its place": (60, lambda txn, db: txn.put(key(60), txn.get(key(61), db=db), db=db)),
    "a record under a later seq": (60, lambda txn, db: txn.put(key(200), txn.pop(key(60), db=db), db=db)),
}  # fmt: skip


@pytest.mark.parametrize("what", RECORDS)
def test_a_changed_record_is_named(run: Path, what: str) -> None:
    filled(run)
    seq, change = RECORDS[what]
    tamper(run, lambda txn, databases: change(txn, databases[0]))
    with pytest.raises(LedgerDamaged, match=f"record {seq}") as caught:
        verify_store(run)
    assert (caught.value.seq, caught.value.exit_code) == (seq, 3)
    store = open_store(run)
    for read in (lambda: store.record(seq), lambda: list(store.records())):
        with pytest.raises(LedgerDamaged, match=f"record {seq}"):
            read()
    assert len(list(store.records(1, seq - 1))) == seq - 1
    store.close()


def test_a_journal_that_ends_early_is_seen_when_opened(run: Path) -> None:
    filled(run)
    tamper(run, lambda txn, databases: txn.delete(key(120), db=databases[0]))
    for take in (open_store, verify_store):
        with pytest.raises(LedgerDamaged, match=r"119, .* and its meta row says \[120, "):
            take(run)


def test_a_last_record_that_is_not_the_heads_is_seen_when_opened(run: Path) -> None:
    filled(run)
    tamper(run, lambda txn, databases: txn.put(key(120), bytes(20), db=databases[0]))
    for take in (open_store, verify_store):
        with pytest.raises(LedgerDamaged, match="record 120 is not the one") as caught:
            take(run)
        assert caught.value.seq == 120


ROW = bytes([2, 10, 12])  # 2: 1 + 10 % 3
TABLE_CHANGES = {
    "a byte of its value": lambda txn, db: txn.put(ROW, b"?" + txn.get(ROW, db=db)[1:], db=db),
    "its checksum": lambda txn, db: txn.put(ROW, txn.get(ROW, db=db)[:-1] + b"\x00", db=db),
    "all of it": lambda txn, db: txn.put(ROW, b"", db=db),
    "another's value": lambda txn, db: txn.put(ROW, txn.get(bytes([2, 10, 13]), db=db), db=db),
}


@pytest.mark.parametrize("what", TABLE_CHANGES)
def test_a_changed_row_is_named(run: Path, what: str) -> None:
    filled(run)
    tamper(run, lambda txn, databases: TABLE_CHANGES[what](txn, databases[1]))
    store = open_store(run)
    for read in (
        lambda: store.get(ROW),
        lambda: list(store.scan(ROW)),
        lambda: verify_store(store),
    ):
        with pytest.raises(LedgerDamaged, match=f"row {ROW.hex()} of table 2"):
            read()
    assert store.get(bytes([2, 10, 13])) == bytes([13]) * 13
    store.close()


def test_a_missing_row_is_seen_when_opened(run: Path) -> None:
    filled(run)
    tamper(run, lambda txn, databases: txn.delete(ROW, db=databases[1]))
    for take in (open_store, verify_store):
        with pytest.raises(LedgerDamaged, match="records, rows and blobs"):
            take(run)


def test_a_row_moved_to_another_table_is_seen_by_verify(run: Path) -> None:
    filled(run)
    moved, value = bytes([9, 10, 12]), bytes([12]) * 12
    sealed = rules.seal_rows([(moved, value)])[0][1]

    def move(txn: Txn, databases: list[lmdb._Database]) -> None:
        txn.delete(ROW, db=databases[1])
        txn.put(moved, sealed, db=databases[1])

    tamper(run, move)
    with pytest.raises(LedgerDamaged, match="the tables have .* 9: 1"):
        verify_store(run)


def test_a_changed_blob_is_named_and_a_missing_one_is_seen(run: Path) -> None:
    filled(run)
    ((digest, data),) = blobs(bytes([7]) * 1500).items()
    tamper(run, lambda txn, databases: txn.put(digest, data[:-1], db=databases[2]))
    with pytest.raises(LedgerDamaged, match=f"blob {digest.hex()}"):
        verify_store(run)
    tamper(run, lambda txn, databases: txn.delete(digest, db=databases[2]))
    with pytest.raises(LedgerDamaged, match="records, rows and blobs"):
        verify_store(run)


@pytest.mark.parametrize("name", [*DATABASES, b"the meta row"])
def test_a_missing_database_or_meta_row_is_damage(run: Path, name: bytes) -> None:
    filled(run)

    def lose(txn: Txn, databases: list[lmdb._Database]) -> None:
        if name in DATABASES:
            txn.drop(databases[DATABASES.index(name)])
        else:
            txn.delete(rules.META_KEY, db=databases[1])

    tamper(run, lose)
    for take in (open_store, verify_store):
        with pytest.raises(LedgerDamaged):
            take(run)


def test_damaged_pages_are_reported_with_how_far_the_journal_can_be_read(run: Path) -> None:
    filled(run)
    data = run / FOLDER / DATA
    raw = bytearray(data.read_bytes())
    page = max(
        at for at in range(2 * 4096, len(raw), 4096) if bytes([20]) * 150 in raw[at : at + 4096]
    )
    raw[page] ^= 0xFF
    data.write_bytes(raw)
    with pytest.raises(LedgerDamaged, match=r"page.* Of its records, \d+ can be read") as caught:
        verify_store(run)
    assert caught.value.seq is not None
    assert 40 < caught.value.seq <= 80
    with pytest.raises(LedgerDamaged, match="page"):
        open_store(run)


READ_ALL = """
import random, sys
from pathlib import Path
from perdure.errors import LedgerDamaged
from perdure.ledger import verify
from perdure.ledger.store import open_store
from tests.ledger.stores import contents
run, mode, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
verify._readable = lambda path: None  # what it finds out has its own test
data = run / "ledger" / "data.mdb"
raw = data.read_bytes()
store = open_store(run, write=False)
whole = contents(store)
store.close()
pages = len(raw) // 4096
found = {"damaged": 0, "harmless": 0}
for case in range(first, last):
    chance = random.Random(case)
    spoilt = bytearray(raw)
    if mode == "cut":
        del spoilt[case * len(raw) // last :]
    else:
        page = chance.choice((0, 1, chance.randrange(2, pages), chance.randrange(2, pages)))
        at = page * 4096 + chance.choice((chance.randrange(160), chance.randrange(4096)))
        spoilt[at] ^= 1 << chance.randrange(8)
    data.write_bytes(spoilt)
    seen = []
    for look in (lambda: verify.verify_store(run), lambda: None):
        try:
            look()
            store = open_store(run, write=False)
            try:
                seen.append(contents(store) == whole)
            finally:
                store.close()
        except LedgerDamaged:
            seen.append(None)
    assert False not in seen, (case, seen)
    found["harmless" if seen[0] else "damaged"] += 1
data.write_bytes(raw)
print(found["damaged"], found["harmless"])
"""


def test_a_flipped_bit_anywhere_is_damage_or_changes_nothing(run: Path) -> None:
    filled(run)
    process = child(READ_ALL, run, "flip", 0, 200)  # in a child: a crash would be an exit by signal
    out, _ = process.communicate()
    assert process.returncode == 0
    damaged, harmless = map(int, out.split())
    assert damaged + harmless == 200
    assert damaged > 60


def test_a_file_cut_short_is_damage_wherever_it_ends(run: Path) -> None:
    filled(run)
    process = child(READ_ALL, run, "cut", 0, 25)
    out, _ = process.communicate()
    assert (process.returncode, out.split()) == (0, ["25", "0"])
    size = (run / FOLDER / DATA).stat().st_size
    for length in (0, 1, 4096, 8192, size - 4096):
        os.truncate(run / FOLDER / DATA, length)
        for take in (open_store, verify_store):
            with pytest.raises(LedgerDamaged):
                take(run)


def test_records_before_a_read_boundary_are_checked_against_it(run: Path) -> None:
    store = open_store(run, create=True)
    store.commit(group(store, *(b"%d" % n for n in range(READ_ROWS_MAX + 5))))
    store.close()
    seq = READ_ROWS_MAX + 1
    tamper(run, lambda txn, databases: txn.put(key(seq), bytes(30), db=databases[0]))
    with pytest.raises(LedgerDamaged, match=f"record {seq} "):
        verify_store(run)
