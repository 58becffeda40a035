"""The simulated disk under the real store: whole transactions, faults, and bits that flip."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from perdure.errors import CommitFailed, LedgerError
from perdure.ledger.group import Group, Store
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from perdure.simulation.damage import _is_found, _ways
from perdure.simulation.disk import Disk, Platter, at_once, open_platter
from tests.ledger.stores import blobs, contents, group


def fill(store: Store) -> None:
    for n in range(1, 6):
        puts = [(bytes([1 + n % 2, n, m]), bytes([m]) * m) for m in range(1, 8)]
        gone = [key for key, _ in store.scan(b"", limit=2)]
        data = blobs(bytes([n]) * 500)
        made = group(store, b"one", b"two" * n, puts=puts, deletes=gone, blobs=data, time_ns=n)
        store.commit(made)


def test_it_holds_what_a_real_file_holds(tmp_path: Path) -> None:
    simulated, real = open_platter(Platter(), at_once()), open_store(tmp_path / "a", create=True)
    fill(simulated)
    fill(real)
    assert contents(simulated) == contents(real)
    assert verify_store(simulated) == simulated.head()
    real.close()


def test_a_process_that_dies_as_it_flushes_leaves_the_group_before() -> None:
    platter = Platter()

    def die(_: Platter) -> bool:
        raise KeyboardInterrupt

    store = open_platter(platter, Disk(lambda: None, die, lambda platter: None))
    with pytest.raises(KeyboardInterrupt):
        store.commit(Group(1, [(1, b"first")], puts=[(b"\x01key", b"value")]))
    assert open_platter(platter).head().seq == 0


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_refused_commit_ends_all_further_ones_whatever_the_disk_has_kept(is_kept: bool) -> None:
    platter = Platter()

    def refuse(_: Platter) -> bool:
        if is_kept:
            return False
        raise LedgerError("Input/output error")

    store = open_platter(platter, Disk(lambda: None, refuse, lambda platter: None))
    for _ in range(2):
        with pytest.raises(CommitFailed):
            store.commit(Group(1, [(1, b"first")]))
    assert open_platter(platter).head().seq == (1 if is_kept else 0)


def test_a_flipped_bit_is_found_by_whoever_reads_its_row() -> None:
    platter = Platter()
    fill(open_platter(platter, at_once()))
    for seed in range(60):
        flip = platter.damage(Random(seed))
        assert all(_is_found(read) for read in _ways(platter, flip).values()), seed
        platter.mend()
    assert verify_store(open_platter(platter)).seq == 10
