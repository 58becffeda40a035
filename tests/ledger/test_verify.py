"""What is wrong with a ledger on disk is found, named, and never ends the process that looks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import lmdb
import pytest

from perdure.errors import LedgerDamaged, LedgerTooNew, NotALedger
from perdure.ledger import group as rules
from perdure.ledger import metarow
from perdure.ledger.environment import DATA, DATABASES, FOLDER, LedgerFile, Txn
from perdure.ledger.records import FORMAT_VERSION
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from perdure.limits import MAP_BYTES_FIRST, READ_ROWS_MAX
from tests.ledger.stores import blobs, child, contents, filled, group


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


def tamper(run: Path, change: Callable[[Txn, list[lmdb._Database]], object]) -> None:
    """Change a closed ledger in a way that leaves LMDB's own structure whole."""
    file = LedgerFile(run, MAP_BYTES_FIRST, MAP_BYTES_FIRST, readonly=False)
    with file.env.begin(write=True) as txn:
        meta = metarow.unpack_meta(txn.get(metarow.META_KEY, db=file.main) or b"")
        txn.put(metarow.META_KEY, metarow.pack_meta(meta._replace(txn=txn.id())), db=file.main)
        change(txn, [file.journal, file.tables, file.blobs, file.main])
    file.close()


def test_a_ledger_of_a_later_format_is_refused_with_both_versions(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(metarow, "FORMAT_VERSION", FORMAT_VERSION + 1)
        filled(run)
    for take in (open_store, verify_store):
        with pytest.raises(LedgerTooNew, match=f"{FORMAT_VERSION + 1}.* up to {FORMAT_VERSION}"):
            take(run)


def key(seq: int) -> bytes:
    return seq.to_bytes(8, "big")


RECORDS = {
    "a byte of its payload": lambda row, other: row[:-1] + b"?",
    "its kind": lambda row, other: b"\x05" + row[1:],
    "its format": lambda row, other: b"\x04\x02" + row[2:],
    "its hash": lambda row, other: row[:2] + bytes(16) + row[18:],
    "all of it": lambda row, other: b"",
    "another in its place": lambda row, other: other,
}


@pytest.mark.parametrize("what", RECORDS)
def test_a_changed_record_is_named(run: Path, what: str) -> None:
    filled(run)
    seq = 60
    change = RECORDS[what]

    def put(txn: Txn, databases: list[lmdb._Database]) -> None:
        row, other = (txn.get(key(n), db=databases[0]) for n in (seq, seq + 1))
        txn.put(key(seq), change(row, other), db=databases[0])

    tamper(run, put)
    with pytest.raises(LedgerDamaged, match=f"record {seq}") as caught:
        verify_store(run)
    assert (caught.value.seq, caught.value.exit_code) == (seq, 3)
    store = open_store(run)
    for read in (lambda: store.record(seq), lambda: list(store.records())):
        with pytest.raises(LedgerDamaged, match=f"record {seq}"):
            read()
    assert len(list(store.records(1, seq - 1))) == seq - 1
    store.close()


def test_a_record_under_another_seq_is_a_hole(run: Path) -> None:
    filled(run)

    def move(txn: Txn, databases: list[lmdb._Database]) -> None:
        txn.put(key(200), txn.pop(key(60), db=databases[0]) or b"", db=databases[0])

    tamper(run, move)
    store = open_store(run)
    for read in (lambda: store.record(60), lambda: store.record(61), lambda: verify_store(store)):
        with pytest.raises(LedgerDamaged, match="record 60 is missing") as caught:
            read()
        assert caught.value.seq == 60
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
    with pytest.raises(LedgerDamaged, match=r"the tables have .* 9: 1"):
        verify_store(run)


def test_a_changed_blob_is_named_and_a_missing_one_is_seen(run: Path) -> None:
    filled(run)
    ((digest, data),) = blobs(bytes([107]) * 1500).items()
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
            txn.delete(metarow.META_KEY, db=databases[3])

    tamper(run, lose)
    for take in (open_store, verify_store):
        with pytest.raises(LedgerDamaged):
            take(run)


def test_damaged_pages_are_reported_with_how_far_the_journal_can_be_read(run: Path) -> None:
    filled(run)
    data = run / FOLDER / DATA
    raw = bytearray(data.read_bytes())
    for page in range(2 * 4096, len(raw), 4096):
        if bytes([20]) * 150 in raw[page : page + 4096]:
            raw[page : page + 4096] = bytes(4096)
    data.write_bytes(raw)
    with pytest.raises(LedgerDamaged, match=r"page.* Of its records, \d+ can be read") as caught:
        verify_store(run)
    assert caught.value.seq is not None
    assert 40 < caught.value.seq <= 80
    with pytest.raises(LedgerDamaged, match="page"):
        open_store(run)


TXN_AT = 144  # in a meta page
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
    assert damaged > 40


@pytest.mark.parametrize("meta", [0, 1])
def test_a_flipped_bit_in_the_number_of_a_transaction_brings_no_older_state_back(
    run: Path, meta: int
) -> None:
    whole, data = filled(run), run / FOLDER / DATA
    raw = data.read_bytes()
    refused = 0
    for bit in range(64):
        spoilt = bytearray(raw)
        spoilt[meta * 4096 + TXN_AT + bit // 8] ^= 1 << bit % 8
        data.write_bytes(spoilt)
        try:
            store = open_store(run, write=False)
        except LedgerDamaged:
            refused += 1
            continue
        assert contents(store) == whole
        store.close()
    assert refused > 55


def test_a_file_that_never_was_lmdbs_is_no_ledger(run: Path) -> None:
    filled(run)
    (run / FOLDER / DATA).write_bytes(b"a letter to my aunt, " * 1_000)
    for take in (open_store, verify_store):
        with pytest.raises(NotALedger, match="is no LMDB file"):
            take(run)


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
