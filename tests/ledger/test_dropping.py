"""What a group takes away, on both stores: records but for some, and blobs; what is asked then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.errors import Broken, Compacted, LedgerDamaged
from perdure.ledger.group import Drop, Group, Prefix, Store, blob_digest
from perdure.ledger.stubs import is_stub
from perdure.ledger.verify import verify_store
from tests.ledger.stores import Stores, blobs, contents, group


@pytest.fixture(params=["lmdb", "memory"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(request.param, tmp_path)
    yield stores
    for store in stores.open:
        store.close()


@pytest.fixture
def store(stores: Stores) -> Store:
    """Twelve records and two blobs; of the first ten, 1, 5 and 9 are left, and the hashes of more.

    Record 10 has its hash left, for record 11.
    """
    store = stores.new()
    store.commit(group(store, *(b"%d" % n for n in range(1, 13)), blobs=blobs(b"old", b"new")))
    gone = ((2, 3), (6, 7))
    store.commit(group(store, drop=Drop(10, gone, (4, 8, 10), (blob_digest(b"old"),))))
    return store


def test_the_head_says_how_much_is_gone(store: Store) -> None:
    head = store.head()
    assert (head.seq, head.cut, head.gone) == (12, 10, 4)
    assert verify_store(store) == head


def test_what_is_left_can_be_read(store: Store) -> None:
    for seq in (1, 5, 9, 11, 12):
        record = store.record(seq)
        assert record is not None
        assert record.payload == b"%d" % seq
    assert [record.seq for record in store.records(11)] == [11, 12]
    rows = [(int.from_bytes(key, "big"), is_stub(row)) for key, row in store.left()]
    assert rows == [(1, False), (4, True), (5, False), (8, True), (9, False), (10, True)]
    assert store.blob(blob_digest(b"old")) is None
    assert list(store.digests()) == [blob_digest(b"new")]


@pytest.mark.parametrize("seq", [2, 3, 4, 6, 7, 8, 10])
def test_what_is_gone_is_told_with_the_cut(store: Store, seq: int) -> None:
    for read in (lambda: store.record(seq), lambda: list(store.records(seq))):
        with pytest.raises(Compacted, match=f"record {seq} is .* up to record 10") as caught:
            read()
        assert (caught.value.seq, caught.value.cut) == (seq, 10)


def test_a_range_ends_at_what_is_gone(store: Store) -> None:
    found = []
    with pytest.raises(Compacted, match="record 2 "):
        found.extend(store.records())
    assert [record.seq for record in store.records(5, 5)] == [5]


def test_the_journal_goes_on_after_a_drop_and_all_of_it_is_there_again(
    stores: Stores, store: Store
) -> None:
    store.commit(group(store, b"13"))
    found = store.head(), list(store.left()), [each.payload for each in store.records(11)]
    assert found[2] == [b"11", b"12", b"13"]
    store = stores.again(store)
    again = store.head(), list(store.left()), [each.payload for each in store.records(11)]
    assert again == found


def test_a_drop_that_is_made_again_changes_nothing(store: Store) -> None:
    before = store.head(), list(store.left())
    store.commit(group(store, drop=Drop(10, ((2, 3), (6, 7)), (4, 8, 10), (blob_digest(b"old"),))))
    assert (store.head(), list(store.left())) == before


@pytest.mark.parametrize(
    "drop", [Drop(9), Drop(12), Drop(11, ((11, 12),)), Drop(11, (), (12,)), Drop(0)]
)
def test_a_cut_does_not_go_back_nor_past_its_records(store: Store, drop: Drop) -> None:
    with pytest.raises(Broken, match="dropped"):
        store.commit(group(store, drop=drop))


def test_a_hole_after_the_cut_is_damage(store: Store, stores: Stores) -> None:
    store.commit(group(store, b"13", drop=Drop(11, ((11, 11),))))
    with pytest.raises(LedgerDamaged, match="record 11 is missing"):
        store.record(12)
    with pytest.raises(LedgerDamaged, match="record 11 is missing"):
        list(store.records(12))


def test_a_ledger_may_begin_with_what_another_has_left(stores: Stores, store: Store) -> None:
    rows = tuple((int.from_bytes(key, "big"), row) for key, row in store.left())
    records = [(raw.kind, raw.payload) for raw in store.records(11)]
    hash_ = dict(rows)[10][2:18]
    other = stores.new()
    other.commit(Group(11, records, prefix=Prefix(10, hash_, rows), blobs=blobs(b"new")))
    assert contents_of(other) == contents_of(store)
    assert contents_of(stores.again(other)) == contents_of(store)


def contents_of(store: Store) -> tuple[object, ...]:
    return store.head(), list(store.left()), list(store.records(store.head().cut + 1))


def test_only_a_new_ledger_is_given_a_beginning(store: Store) -> None:
    before = contents_of(store)
    with pytest.raises(Broken, match="a beginning"):
        store.commit(group(store, prefix=Prefix(3, bytes(16), ())))
    assert contents_of(store) == before


def test_a_ledger_that_was_never_compacted_has_nothing_before_a_cut(stores: Stores) -> None:
    store = stores.new()
    store.commit(group(store, b"1"))
    assert list(store.left()) == []
    assert contents(store)[0] == store.head()
