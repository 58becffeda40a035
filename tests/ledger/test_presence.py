"""Presence: who owns a ledger is told without disturbing them."""

from __future__ import annotations

from pathlib import Path

from perdure.ledger.owner import Owner
from perdure.ledger.presence import is_owned
from perdure.ledger.store import open_store

GONE_PID = 4_194_305  # above the highest that Linux gives


def test_a_ledger_is_owned_while_its_store_is_open_for_writing(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    assert is_owned(tmp_path)
    store.close()
    assert not is_owned(tmp_path)


def test_a_reader_is_no_owner(tmp_path: Path) -> None:
    open_store(tmp_path, create=True).close()
    reader = open_store(tmp_path, write=False)
    assert not is_owned(tmp_path)
    reader.close()


def test_looking_leaves_the_lock_to_others(tmp_path: Path) -> None:
    open_store(tmp_path, create=True).close()
    assert not is_owned(tmp_path)
    Owner(tmp_path).release()


def test_an_owner_that_died_owns_nothing(tmp_path: Path) -> None:
    (tmp_path / "owner").write_text(f"{GONE_PID:<19}\n")
    assert not is_owned(tmp_path)


def test_a_lock_file_of_nobody_is_not_owned(tmp_path: Path) -> None:
    (tmp_path / "owner").touch()
    assert not is_owned(tmp_path)
