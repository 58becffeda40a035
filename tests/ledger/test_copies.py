"""Copies of a ledger's file while somebody writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.errors import LedgerError
from perdure.ledger import copies
from perdure.ledger.copies import copy_compact, copy_exactly
from perdure.ledger.environment import DATA, FOLDER, LedgerFile
from perdure.ledger.pages import txns_agree
from perdure.ledger.store import open_store
from perdure.ledger.walk import walk
from tests.ledger.stores import ask, child, contents, end, filled

WRITER = """
import sys
from perdure.ledger.store import open_store
from tests.ledger.stores import group
store = open_store(sys.argv[1], map_bytes_first=1 << 18)
for n in range(int(sys.stdin.readline())):
    store.commit(group(store, bytes(4_000), time_ns=1_000 + n))
print("grown", flush=True)
sys.stdin.readline()
"""
BOTH = pytest.mark.parametrize("copy", [copy_compact, copy_exactly])
Copy = Callable[[LedgerFile, Path], None]


def copied(run: Path, copy: Copy, to: Path) -> tuple[object, ...]:
    """What a copy holds, and that its file is whole."""
    to.mkdir()
    store = open_store(run, write=False)
    copy(store.file, to)
    store.close()
    walk(to)
    assert txns_agree(to / FOLDER / DATA)
    twin = open_store(to)
    found = contents(twin)
    twin.close()
    return found


@BOTH
def test_a_copy_holds_the_same_and_can_be_written(tmp_path: Path, copy: Copy) -> None:
    assert copied(tmp_path / "run", copy, tmp_path / "copy") == filled_at(tmp_path / "run")


def filled_at(run: Path) -> tuple[object, ...]:
    store = open_store(run, write=False)
    found = contents(store)
    store.close()
    return found


@pytest.fixture(autouse=True)
def _run(tmp_path: Path) -> None:
    filled(tmp_path / "run")


def test_a_compact_copy_has_no_free_pages(tmp_path: Path) -> None:
    copied(tmp_path / "run", copy_compact, tmp_path / "copy")
    sizes = [(tmp_path / name / FOLDER / DATA).stat().st_size for name in ("copy", "run")]
    assert sizes[0] < sizes[1]


@BOTH
def test_a_copy_of_a_ledger_whose_owner_has_grown_its_map(tmp_path: Path, copy: Copy) -> None:
    store = open_store(tmp_path / "run", write=False, map_bytes_first=1 << 18)
    writer = child(WRITER, tmp_path / "run")
    try:
        assert ask(writer, "80") == "grown"
        (tmp_path / "copy").mkdir()
        copy(store.file, tmp_path / "copy")
    finally:
        end(writer)
        store.close()
    twin = open_store(tmp_path / "copy", write=False)
    assert twin.head().seq == 200
    twin.close()


@BOTH
def test_a_copy_leaves_room_to_the_run(
    tmp_path: Path, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "COPY_FREE_BYTES_MIN", 1 << 60)
    with pytest.raises(LedgerError, match="are left to the run"):
        copied(tmp_path / "run", copy, tmp_path / "copy")
