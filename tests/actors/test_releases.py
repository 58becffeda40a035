"""Artifacts that are owed have rows of their own: nobody looks at the others to find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run
from perdure.errors import LedgerDamaged
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.group import Group
from perdure.ledger.keys import Table, artifact_key, unreleased_key
from perdure.ledger.memory import MemoryStore
from perdure.runtime.view import View
from tests.kit import SECONDS, Disk, of, program, resumed, rows, running, settle


class Writer(Actor, name="tests.releases.writer"):
    """Publishes as many reports as it is told, and a summary of always the same name."""

    async def on_receive(self, message: int) -> None:
        for n in range(message):
            await self.artifact(f"reports/{n}.txt", f"report {n}")
        await self.artifact("summary.txt", f"{message} reports")


TEAM = program(Child("writer", Writer))


class Looking(MemoryStore):
    """A store that counts the rows of artifacts that are looked at."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.__dict__ |= store.reopened().__dict__
        self.looked = 0

    def get(self, key: bytes) -> bytes | None:
        self.looked += key[0] == Table.ARTIFACT
        return super().get(key)

    def scan(self, prefix: bytes, after: bytes | None = None, limit: int | None = None) -> Any:
        for row in super().scan(prefix, after, limit):
            self.looked += row[0][0] == Table.ARTIFACT
            yield row


def published(disk: Disk, *messages: int) -> None:
    with running(TEAM, disk) as run:
        for message in messages:
            run.tell("/r/writer", message).get(timeout=SECONDS)
            settle(run)


def owed(disk: Disk) -> MemoryStore:
    """The ledger as it was when a turn was durable and its files were not in place."""
    return next(m for m in disk.moments if any(turn.artifacts for turn in of(m, records.Turn)))


def test_an_artifact_is_owed_until_its_file_is_in_place() -> None:
    disk = Disk()
    published(disk, 2)
    names = [b"reports/0.txt", b"reports/1.txt", b"summary.txt"]
    assert [key[1:] for key, _ in rows(owed(disk), Table.UNRELEASED)] == names
    assert View(owed(disk)).unreleased_count == 3
    assert rows(disk, Table.UNRELEASED) == []
    assert View(disk.reopened()).unreleased_count == 0


def test_a_path_that_is_published_again_is_owed_again() -> None:
    disk = Disk()
    published(disk, 0, 1)
    again = [m for m in disk.moments if sum(bool(t.artifacts) for t in of(m, records.Turn)) == 2]
    assert unreleased_key("summary.txt") in dict(rows(again[0], Table.UNRELEASED))
    assert all(audit_store(moment) == [] for moment in disk.moments)


def test_a_resume_looks_at_no_artifact_that_is_in_place(tmp_path: Path) -> None:
    disk = Disk()
    published(disk, 50)
    store = Looking(disk)
    with resumed(TEAM, store, ledger=tmp_path):
        pass
    assert store.looked == 0
    store = Looking(owed(disk))
    with resumed(TEAM, store, ledger=tmp_path) as run:
        settle(run)
        assert store.looked == 51
    assert len(list((tmp_path / "artifacts/reports").iterdir())) == 50


def test_an_owed_artifact_without_its_row_or_its_bytes_is_damage() -> None:
    disk = Disk()
    published(disk, 0)
    store = owed(disk).reopened()
    head = store.head()
    group = Group(head.seq + 1, deletes=[artifact_key("summary.txt")], time_ns=head.time_ns)
    store.commit(group)
    with Run.resume(None, store=store, program=TEAM, clock=FakeClock()) as run:
        run.kernel.ended.wait(SECONDS)
    with pytest.raises(LedgerDamaged, match=r"summary\.txt is to be put in place"):
        run.report()


def test_the_audit_misses_the_row_of_an_owed_artifact() -> None:
    disk = Disk()
    published(disk, 0)
    store = owed(disk).reopened()
    head = store.head()
    group = Group(head.seq + 1, deletes=[unreleased_key("summary.txt")], time_ns=head.time_ns)
    store.commit(group)
    assert [wrong.text for wrong in audit_store(store)] == [
        "table UNRELEASED has no row of summary.txt"
    ]


def test_of_one_path_published_twice_in_a_turn_the_last_is_the_one(tmp_path: Path) -> None:
    class Twice(Actor, name="tests.releases.twice"):
        async def on_receive(self, message: str) -> None:
            await self.artifact("a.txt", "first")
            await self.artifact("a.txt", message)

    store = MemoryStore()
    with running(program(Child("a", Twice)), store, ledger=tmp_path) as run:
        run.tell("/r/a", "second").get(timeout=SECONDS)
        settle(run)
    assert (tmp_path / "artifacts" / "a.txt").read_text() == "second"
    assert [len(turn.artifacts) for turn in of(store, records.Turn) if turn.artifacts] == [1]
