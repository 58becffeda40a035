"""Damage that a live run comes upon ends it: it is no failure of the handler that came upon it."""

from __future__ import annotations

import pytest

from perdure import Actor, Child, Run
from perdure.errors import LedgerDamaged
from perdure.ledger.keys import actor_key
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Crash, Stall
from tests.kit import SECONDS, of, on_kernel, program, settle


class Reader(Actor):
    paper: str = ""

    async def on_receive(self, message: str) -> None:
        self.paper = message * 3


class Rotten(MemoryStore):
    """A ledger whose blobs are no longer what they were."""

    def blob(self, digest: bytes) -> bytes | None:
        raise LedgerDamaged("blob 7 is not what its name says. Restore a backup.")


def test_a_run_that_reads_damage_ends_and_writes_nothing_of_it() -> None:
    parts = program(Child("reader", Reader))
    store = MemoryStore()
    with Run(parts, store=store, seed=7) as run:
        run.tell("/r/reader", "p" * 9_000).get(timeout=SECONDS)
        settle(run)
    rotten = store.reopened()
    rotten.__class__ = Rotten
    with Run.resume(None, store=rotten, program=parts) as run:
        run.tell("/r/reader", "more")
        with pytest.raises(LedgerDamaged, match="blob 7 is not"):
            run.wait(SECONDS)
    assert of(rotten, Crash) == of(rotten, Stall) == []


class Teller(Actor, name="tests.damage.teller"):
    async def on_receive(self, message: str) -> None:
        try:
            self.tell("/r/reader", message)
        except LedgerDamaged:
            return  # whatever a handler makes of it


class Lost(MemoryStore):
    """A ledger in which the row of one actor cannot be read."""

    lost = b""

    def get(self, key: bytes) -> bytes | None:
        if key == self.lost:
            raise LedgerDamaged("row of table 1 does not match its checksum. Restore a backup.")
        return super().get(key)


def test_damage_that_a_tell_meets_ends_the_run_whatever_its_handler_makes_of_it() -> None:
    store = Lost()
    with Run(program(Child("reader", Reader), Child("teller", Teller)), store=store) as run:
        settle(run)

        def forget() -> None:
            cell = run.kernel.book.cell_at("/r/reader")
            run.kernel.book.unload([cell])
            store.lost = actor_key(cell.id)

        on_kernel(run, forget)
        run.tell("/r/teller", "x")
        with pytest.raises(LedgerDamaged, match="does not match"):
            run.wait(SECONDS)
