"""The store with faults: what goes wrong at a commit, and what the next process finds."""

from __future__ import annotations

import pytest

from perdure.errors import CommitFailed
from perdure.ledger.faults import Died, Fault, FaultStore
from tests.ledger.stores import group


def committed(store: FaultStore, number: int) -> None:
    for n in range(number):
        store.commit(group(store, b"%d" % n))


@pytest.mark.parametrize(("kind", "kept"), [("before", 2), ("after", 3)])
def test_a_process_that_dies_at_a_write_leaves_what_was_durable(kind: str, kept: int) -> None:
    store = FaultStore(Fault(3, kind))  # type: ignore[arg-type]
    with pytest.raises(Died):
        committed(store, 5)
    with pytest.raises(Died):
        committed(store, 1)  # a dead process writes nothing more
    assert store.has_struck
    assert store.successor().head().seq == kept


@pytest.mark.parametrize("kind", ["full", "once"])
def test_a_disk_that_refuses_ends_the_process_with_the_last_durable_record(kind: str) -> None:
    store = FaultStore(Fault(2, kind))  # type: ignore[arg-type]
    with pytest.raises(CommitFailed, match="The last durable record is 1"):
        committed(store, 2)
    with pytest.raises(CommitFailed):
        committed(store, 1)
    next_one = store.successor()
    committed(next_one, 2)
    assert next_one.head().seq == 3


def test_the_next_process_may_meet_a_fault_of_its_own() -> None:
    store = FaultStore(Fault(2))
    with pytest.raises(Died):
        committed(store, 2)
    with pytest.raises(Died):
        committed(store.successor(Fault(1)), 1)
    assert store.successor().head().seq == 1


def test_a_store_without_a_fault_is_the_twin_in_memory() -> None:
    store = FaultStore()
    committed(store, 4)
    assert (store.writes, store.has_struck, store.head().seq) == (4, False, 4)
