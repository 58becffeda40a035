"""A run drops its own history as it goes on, and keeps what it was told to keep."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run
from perdure.actors.events import Event
from perdure.ledger.audit import audit_store
from perdure.ledger.store import open_store
from perdure.ledger.verify import verify_store
from perdure.runtime import housekeeping
from perdure.runtime.housekeeping import Housekeeper, Retention
from tests.kit import SECONDS, program, running


class Counts(Actor, name="tests.housekeeping.counts"):
    total: int = 0

    async def on_receive(self, message: int) -> int:
        self.total += message
        return self.total


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: Any) -> None:
    monkeypatch.setattr(housekeeping, "HOUSEKEEPING_LOOK_SECONDS", 0.01)


def test_history_goes_once_there_is_as_much_again_as_is_kept() -> None:
    with running(program(Child("a", Counts))) as run:
        keeper = Housekeeper(run.kernel, Path(), Retention(turns=100))
        assert not keeper.is_due(99, 0)
        assert keeper.is_due(100, 0)
        keeper = Housekeeper(run.kernel, Path(), Retention(age_seconds=60))
        now = run.kernel.book.now_ns()
        assert not keeper.is_due(10**6, now + 59 * 10**9)
        assert keeper.is_due(0, now + 60 * 10**9)


def test_a_run_that_goes_on_drops_its_history_and_stays_whole(tmp_path: Path) -> None:
    tree = program(Child("a", Counts), retention=Retention(turns=20))
    with Run(tree, tmp_path / "run", seed=1) as run:
        number = 0
        while not run.kernel.book.store.head().cut and number < 100_000:
            number += 1
            assert run.ask("/r/a", 1, timeout=SECONDS) == number
    store = open_store(tmp_path / "run", write=False)
    assert store.head().cut
    assert audit_store(store) == []
    store.close()
    verify_store(tmp_path / "run")
    with Run.resume(tmp_path / "run", program=tree) as run:
        assert run.ask("/r/a", 1, timeout=SECONDS) == number + 1


def test_what_keeps_history_from_being_dropped_is_told_once(
    tmp_path: Path, monkeypatch: Any
) -> None:
    told: list[str] = []
    heard = threading.Event()

    def observer(event: Event) -> None:
        if event.kind == "housekeeping":
            told.append(event.reason)
            heard.set()

    monkeypatch.setattr(housekeeping, "DROP", "raise SystemExit('no room for a plan')")
    tree = program(Child("a", Counts), retention=Retention(turns=1))
    with Run(tree, tmp_path / "run", seed=1, clock=FakeClock(), observer=observer) as run:
        run.ask("/r/a", 1, timeout=SECONDS)
        assert heard.wait(SECONDS)
        run.ask("/r/a", 1, timeout=SECONDS)
    assert told == ["old history was not dropped: no room for a plan"]
