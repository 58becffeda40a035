"""What a store promises, whichever it is: each test runs on the one on disk and on its twin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import Broken, CommitFailed
from perdure.ledger import gil
from perdure.ledger.group import GENESIS, Group, Head, Store, blob_digest, link
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import FORMAT_VERSION
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from perdure.limits import KEY_BYTES_MAX, READ_ROWS_MAX
from tests.ledger.stores import Stores, blobs, contents, group, large_group


@pytest.fixture(params=["lmdb", "memory"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(request.param, tmp_path)
    yield stores
    for store in stores.open:
        store.close()


@pytest.fixture
def store(stores: Stores) -> Store:
    return stores.new()


# --- the journal


def test_a_new_store_is_empty(store: Store) -> None:
    assert store.head() == Head(0, GENESIS, 0, {})
    assert list(store.records()) == list(store.scan(b"")) == list(store.digests()) == []
    assert store.record(1) is store.get(b"\x01key") is store.blob(blob_digest(b"")) is None


def test_records_are_numbered_from_one_in_order(store: Store) -> None:
    store.commit(group(store, b"a", b"b"))
    store.commit(group(store, b"", kind=9))
    found = [(record.seq, record.kind, record.payload) for record in store.records()]
    assert found == [(1, 4, b"a"), (2, 4, b"b"), (3, 9, b"")]


def test_a_record_is_found_by_its_seq_and_others_are_none(store: Store) -> None:
    store.commit(group(store, b"a", b"b"))
    assert [record and record.payload for record in map(store.record, range(-1, 4))] == [
        None,
        None,
        b"a",
        b"b",
        None,
    ]


def test_a_range_of_records_ends_at_the_head(store: Store) -> None:
    store.commit(group(store, b"a", b"b", b"c", b"d"))
    ranges = [(2, 3), (3, 9), (0, 1), (5, None), (3, 2)]
    found = [[record.seq for record in store.records(*ends)] for ends in ranges]
    assert found == [[2, 3], [3, 4], [1], [], []]


def test_more_records_than_one_read_takes_come_in_order(store: Store) -> None:
    count = 2 * READ_ROWS_MAX + 1
    store.commit(group(store, *(b"%d" % n for n in range(1, count + 1))))
    assert [int(record.payload) for record in store.records()] == list(range(1, count + 1))
    assert next(store.records(READ_ROWS_MAX)).seq == READ_ROWS_MAX


def test_each_hash_covers_the_record_and_the_hash_before(store: Store) -> None:
    store.commit(group(store, b"a", b"b"))
    first, second = store.records()
    assert first.hash == link(GENESIS, 1, 4, b"a", FORMAT_VERSION)
    assert second.hash == link(first.hash, 2, 4, b"b", FORMAT_VERSION)
    assert store.head().hash == second.hash


def test_how_records_are_grouped_does_not_show_in_their_hashes(stores: Stores) -> None:
    together, apart = stores.new(), stores.new()
    together.commit(group(together, b"a", b"b"))
    apart.commit(group(apart, b"a"))
    apart.commit(group(apart, b"b"))
    assert list(together.records()) == list(apart.records())


def test_the_hash_tells_seq_kind_format_and_payload_apart() -> None:
    hashes = {
        link(previous, seq, kind, payload, version)
        for previous in (GENESIS, b"\x01" * 16)
        for seq in (1, 2)
        for kind in (1, 2)
        for version in (1, 2)
        for payload in (b"", b"\x01")
    }
    assert len(hashes) == 32


# --- the tables


def test_rows_are_put_overwritten_and_deleted(store: Store) -> None:
    store.commit(group(store, b"a", puts=[(b"\x01x", b"1"), (b"\x01y", b"")]))
    store.commit(group(store, b"b", puts=[(b"\x01x", b"2")], deletes=[b"\x01y"]))
    assert store.get(b"\x01x") == b"2"
    assert store.get(b"\x01y") is None


def test_the_later_of_two_puts_to_one_key_counts(store: Store) -> None:
    store.commit(group(store, b"a", puts=[(b"\x01x", b"9"), (b"\x01x", b"1")]))
    assert store.get(b"\x01x") == b"1"
    assert store.head().counts == {1: 1}


def test_a_key_that_is_deleted_and_put_is_put(store: Store) -> None:
    store.commit(group(store, b"a", puts=[(b"\x01x", b"1")]))
    store.commit(group(store, b"b", puts=[(b"\x01x", b"2")], deletes=[b"\x01x"]))
    assert store.get(b"\x01x") == b"2"
    assert store.head().counts == {1: 1}


def test_the_head_counts_the_rows_of_each_table(store: Store) -> None:
    rows = [(b"\x01x", b""), (b"\x01y", b""), (b"\x07z", b""), (b"\x7f", b"")]
    store.commit(group(store, b"a", puts=rows))
    assert store.head().counts == {1: 2, 7: 1, 127: 1}
    gone = [b"\x01x", b"\x07z", b"\x07never there"]
    store.commit(group(store, b"b", puts=[(b"\x01y", b"1"), (b"\x02", b"")], deletes=gone))
    assert store.head().counts == {1: 1, 2: 1, 127: 1}


def test_a_scan_takes_what_starts_with_the_prefix_in_key_order(store: Store) -> None:
    keys = [b"\x02", b"\x01b", b"\x01ab", b"\x01a", b"\x01a\xff", b"\x03a"]
    store.commit(group(store, b"a", puts=[(key, key) for key in keys]))
    assert [key for key, _ in store.scan(b"\x01a")] == [b"\x01a", b"\x01ab", b"\x01a\xff"]
    assert list(store.scan(b"")) == [(key, key) for key in sorted(keys)]
    assert list(store.scan(b"\x04")) == []


def test_a_scan_goes_on_after_a_key_and_stops_at_a_limit(store: Store) -> None:
    keys = [b"\x01a", b"\x01b", b"\x01c", b"\x02a"]
    store.commit(group(store, b"a", puts=[(key, b"") for key in keys]))

    def scan(*args: object) -> list[bytes]:
        return [key for key, _ in store.scan(*args)]  # type: ignore[arg-type]

    assert scan(b"\x01", b"\x01a") == [b"\x01b", b"\x01c"]
    assert scan(b"\x01", b"\x01aa", 1) == [b"\x01b"]
    assert scan(b"", b"\x01b", 2) == [b"\x01c", b"\x02a"]
    assert scan(b"\x02", b"\x01a") == [b"\x02a"]
    assert scan(b"\x01", b"\x02") == scan(b"\x01", None, 0) == []


def test_a_scan_of_more_rows_than_one_read_takes_misses_none(store: Store) -> None:
    keys = [b"\x01%06d" % n for n in range(2 * READ_ROWS_MAX + 1)]
    store.commit(group(store, b"a", puts=[(key, b"") for key in keys]))
    assert [key for key, _ in store.scan(b"\x01")] == keys
    assert [key for key, _ in store.scan(b"\x01", limit=READ_ROWS_MAX + 1)] == keys[
        : READ_ROWS_MAX + 1
    ]


def test_rows_may_be_deleted_while_they_are_scanned(store: Store) -> None:
    keys = [b"\x01%06d" % n for n in range(READ_ROWS_MAX + 10)]
    store.commit(group(store, b"a", puts=[(key, b"") for key in keys]))
    scan = store.scan(b"\x01")
    first = [next(scan) for _ in range(READ_ROWS_MAX)]
    store.commit(group(store, b"b", deletes=keys[: READ_ROWS_MAX + 5]))
    assert [key for key, _ in first] + [key for key, _ in scan] == [
        *keys[:READ_ROWS_MAX],
        *keys[READ_ROWS_MAX + 5 :],
    ]


def test_a_reader_in_another_thread_sees_whole_groups_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gil, "COMMIT_SWITCH_SECONDS", 1e-6)  # threads take turns at every chance
    keys = [b"\x01%d" % n for n in range(READ_ROWS_MAX - 1)]  # of one read
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            values = {value for _, value in store.scan(b"\x01")}
            if len(values) > 1:
                torn.append(values)

    reader = threading.Thread(target=read)
    reader.start()
    with gil.ShortWaits():
        for n in range(60):
            store.commit(group(store, b"", puts=[(key, b"%d" % n) for key in keys]))
    done.set()
    reader.join()
    assert torn == []


# --- blobs


def test_a_blob_is_found_by_its_digest_and_stored_once(store: Store) -> None:
    store.commit(group(store, b"a", blobs=blobs(b"report", b"")))
    store.commit(group(store, b"b", blobs=blobs(b"report")))
    assert store.blob(blob_digest(b"report")) == b"report"
    assert store.blob(blob_digest(b"")) == b""
    assert list(store.digests()) == sorted(blobs(b"report", b""))


# --- what cannot be committed


def test_a_group_that_leaves_a_gap_or_repeats_a_seq_is_refused(store: Store) -> None:
    store.commit(group(store, b"a"))
    for seq in (1, 3):
        with pytest.raises(Broken, match=f"starts at seq {seq}, and the ledger ends at 1"):
            store.commit(Group(seq, [(4, b"b")]))
    assert store.head().seq == 1


def test_ledger_time_does_not_go_back(store: Store) -> None:
    store.commit(group(store, b"a", time_ns=10))
    with pytest.raises(Broken, match="from 10 to 9 ns"):
        store.commit(group(store, b"b", time_ns=9))
    assert store.head().time_ns == 10


@pytest.mark.parametrize("key", [b"", b"\x00meta", b"\x80", b"\x01" * (KEY_BYTES_MAX + 1)])
def test_a_key_of_no_table_is_refused(store: Store, key: bytes) -> None:
    with pytest.raises(Broken, match="row key"):
        store.commit(group(store, b"a", puts=[(key, b"")]))
    with pytest.raises(Broken, match="row key"):
        store.commit(group(store, b"a", deletes=[key]))
    assert store.head().seq == 0


def test_a_blob_under_a_wrong_digest_is_refused(store: Store) -> None:
    with pytest.raises(Broken, match="not what its digest"):
        store.commit(group(store, b"a", blobs={blob_digest(b"one"): b"other"}))
    assert store.head().seq == 0


def test_the_longest_key_is_stored(store: Store) -> None:
    key = b"\x01" * KEY_BYTES_MAX
    store.commit(group(store, b"a", puts=[(key, b"value")]))
    assert list(store.scan(b"")) == [(key, b"value")]


# --- failure and reopening


def test_a_refused_group_is_not_there_and_ends_all_further_commits(stores: Stores) -> None:
    store = stores.refusing()
    store.commit(group(store, b"a", puts=[(b"\x01x", b"1")], blobs=blobs(b"kept")))
    before = contents(store)
    for refused in (large_group(store), group(store, b"small")):
        with pytest.raises(CommitFailed, match="last durable record is 1") as caught:
            store.commit(refused)
        assert caught.value.durable_seq == 1
        assert caught.value.exit_code == 4
    assert contents(store) == before
    assert contents(stores.again(store)) == before


def test_a_store_opened_again_goes_on_where_it_was(stores: Stores) -> None:
    store = stores.new()
    store.commit(group(store, b"a", b"b", puts=[(b"\x01x", b"1")], blobs=blobs(b"c"), time_ns=5))
    before = contents(store)
    store = stores.again(store)
    assert contents(store) == before
    assert store.commit(group(store, b"c", deletes=[b"\x01x"])).seq == 3
    assert verify_store(store) == store.head()
    assert store.head().counts == {}


def test_a_closed_store_says_so_and_can_be_closed_again(store: Store) -> None:
    store.commit(group(store, b"a"))
    store.close()
    store.close()
    for use in (lambda: store.get(b"\x01"), lambda: store.record(1), lambda: list(store.scan(b""))):
        with pytest.raises(Broken, match="closed"):
            use()
    with pytest.raises(Broken, match="closed"):
        store.commit(Group(2, [(4, b"b")]))


def test_a_whole_store_verifies_as_its_head(store: Store) -> None:
    assert verify_store(store) == store.head()
    store.commit(group(store, b"a", b"b", puts=[(b"\x01x", b"1")], blobs=blobs(b"c")))
    assert verify_store(store) == store.head()


# --- a model of it

KEYS = st.sampled_from([b"\x01", b"\x01a", b"\x01ab", b"\x02", b"\x02\x00", b"\x7f\xff"])
ROWS = st.lists(st.tuples(KEYS, st.binary(max_size=4)), max_size=6)
GROUPS = st.lists(
    st.tuples(st.lists(st.binary(max_size=5), max_size=3), ROWS, st.lists(KEYS, max_size=4)),
    max_size=5,
)


@settings(max_examples=25)
@given(groups=GROUPS)
def test_both_stores_are_what_a_dict_and_a_list_would_be(
    tmp_path_factory: pytest.TempPathFactory,
    groups: list[tuple[list[bytes], list[tuple[bytes, bytes]], list[bytes]]],
) -> None:
    disk, memory = open_store(tmp_path_factory.mktemp("run"), create=True), MemoryStore()
    payloads: list[bytes] = []
    rows: dict[bytes, bytes] = {}
    for new, puts, deletes in groups:
        for store in (disk, memory):
            store.commit(group(store, *new, puts=puts, deletes=deletes))
        payloads += new
        rows = {key: value for key, value in rows.items() if key not in deletes} | dict(puts)
    for store in (disk, memory):
        assert [record.payload for record in store.records()] == payloads
        assert list(store.scan(b"")) == sorted(rows.items())
    assert contents(disk) == contents(memory)
    assert verify_store(disk) == verify_store(memory)
    disk.close()


def test_an_error_that_is_no_disk_error_passes_through_and_commits_nothing() -> None:
    def stop(commit: int) -> None:
        if commit == 1:
            raise KeyboardInterrupt

    store = MemoryStore(stop)
    with pytest.raises(KeyboardInterrupt):
        store.commit(group(store, b"a"))
    assert store.head().seq == 0
    assert store.commit(group(store, b"a")).seq == 1
