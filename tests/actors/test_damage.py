"""Damage that a live run comes upon ends it: it is no failure of the handler that came upon it."""

from __future__ import annotations

import pytest

from perdure import Actor, Child, Run
from perdure.errors import LedgerDamaged
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Crash, Stall
from tests.kit import SECONDS, of, program, settle


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
