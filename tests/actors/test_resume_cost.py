"""What a resume reads does not depend on how long the run has been, or how many actors it had."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.resume import Reads
from perdure import Actor, Child
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, program, resumed, running, settle


class Counter(Actor, name="tests.resumecost.counter"):
    """Counts; publishes a file, and leaves a dead letter, each tenth time."""

    n: int = 0

    async def on_receive(self, message: Any) -> int:
        self.n += 1
        if self.n % 10 == 0:
            await self.artifact(f"{self.n}.txt", "ten more")
            self.tell("/r/nobody", self.n)
        return self.n


def lived(actors: int, turns: int) -> tuple[Any, MemoryStore]:
    """A team, and the ledger of its run."""
    team, store = program(*(Child(f"c-{n:04d}", Counter) for n in range(actors))), MemoryStore()
    with running(team, store) as run:
        for n in range(turns):
            run.tell(f"/r/c-{n % actors:04d}", n)
        settle(run)
    return team, store.reopened()


def bytes_read(actors: int, turns: int) -> int:
    """What the store gives out until a resumed run has closed a turn."""
    team, store = lived(actors, turns)
    assert store.head().seq > turns
    reads = Reads(store)
    with resumed(team, store) as run:
        assert run.ask("/r/c-0000", "again", timeout=SECONDS)
        return reads.total


@pytest.mark.parametrize(("actors", "turns"), [(3, 3_000), (300, 600)])
def test_a_resume_reads_as_much_after_a_long_run_as_after_a_short_one(
    actors: int, turns: int
) -> None:
    assert bytes_read(actors, turns) < 1.1 * bytes_read(3, 6)
