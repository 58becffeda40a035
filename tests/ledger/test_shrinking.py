"""A ledger's file gives back what is free in it, and whatever happens meanwhile, one is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import LedgerInUse
from perdure.ledger import copies, shrinking
from perdure.ledger.environment import DATA, FOLDER
from perdure.ledger.group import Drop
from perdure.ledger.shrinking import ASIDE, shrink
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from tests.ledger.stores import ask, child, end, group


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A ledger most of which is free pages."""
    path = tmp_path / "run"
    store = open_store(path, create=True)
    for _ in range(10):
        store.commit(group(store, *[os.urandom(3_000) for _ in range(50)]))
    store.commit(group(store, drop=Drop(490, ((2, 489),), (490,))))
    store.commit(group(store, b"last", puts=[(b"\x01key", b"value")]))
    store.close()
    return path


def held(path: Path) -> Any:
    store = open_store(path)
    try:
        return store.head(), list(store.left()), list(store.records(491)), list(store.scan(b""))
    finally:
        store.close()


def test_the_file_is_as_small_as_what_is_in_it_and_the_ledger_goes_on(run: Path) -> None:
    before = held(run)
    found = shrink(run)
    assert found.before > 1_000_000
    assert found.after == (run / FOLDER / DATA).stat().st_size < 400_000
    assert held(run) == before
    for number in range(3):
        assert verify_store(run) == held(run)[0]
        store = open_store(run)
        store.commit(group(store, b"%d" % number))
        store.close()
    assert sorted(path.name for path in run.iterdir()) == ["ledger", "owner"]


STEPS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before the copy": lambda patch: patch.setattr(shrinking, "_copy", killed),
    "in the copy": lambda patch: patch.setattr(copies, "_name_transaction", killed),
    "before it takes its place": lambda patch: patch.setattr(shrinking, "exchange", killed),
    "after": lambda patch: patch.setattr(shrinking, "sync_directory", after(1)),
}


class Killed(BaseException):
    pass


def killed(*_: object) -> None:
    raise Killed


def after(calls: int) -> Callable[[Path], None]:
    def sync(path: Path) -> None:
        nonlocal calls
        calls -= 1
        if not calls:
            raise Killed

    return sync


@pytest.mark.parametrize("step", STEPS)
def test_a_process_that_dies_on_the_way_leaves_a_whole_ledger(
    run: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(run)
    with monkeypatch.context() as patch:
        patch.setattr(shrinking, "clear_away", lambda run: None)  # the dead tidy nothing up
        STEPS[step](patch)
        with pytest.raises(Killed):
            shrink(run)
    assert verify_store(run) == before[0]
    assert held(run) == before
    assert not (run / ASIDE).exists()  # whoever comes next does
    assert shrink(run).after < 400_000
    assert held(run) == before


def test_where_folders_cannot_change_places_the_file_stays_and_it_says_why(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(one: Path, other: Path) -> None:
        raise OSError(22, "Invalid argument")

    before = held(run)
    monkeypatch.setattr(shrinking, "exchange", cannot)
    found = shrink(run)
    assert found.before == found.after
    assert "Invalid argument" in found.why
    assert held(run) == before
    assert not (run / ASIDE).exists()


READER = """
import sys
from perdure.ledger.store import open_store
store = open_store(sys.argv[1], write=False)
print(store.head().seq, flush=True)
for line in sys.stdin:
    print(store.head().seq, store.get(b"\\x01key").decode(), flush=True)
"""


def test_who_looks_at_it_meanwhile_goes_on_seeing_what_was_there(run: Path) -> None:
    reader = child(READER, run)
    try:
        assert ask(reader) == "501"
        shrink(run)
        store = open_store(run)
        for number in range(20):
            store.commit(group(store, os.urandom(3_000), puts=[(b"\x01key", b"%d" % number)]))
        assert ask(reader, "look") == "501 value"
        assert store.head().seq == 521
        store.close()
        assert verify_store(run).seq == 521
    finally:
        end(reader)


def test_a_ledger_that_somebody_writes_is_not_shrunk(run: Path) -> None:
    store = open_store(run)
    with pytest.raises(LedgerInUse):
        shrink(run)
    store.close()
