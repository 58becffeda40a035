"""Effects are done once or waited for (G4), and no budget is overrun (G8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import (
    Actor,
    Child,
    tool,
)
from perdure.errors import (
    BudgetExhausted,
    Crashed,
)
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.actors.world import World, calling
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    budget,
    journal,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
    until,
)


def test_an_effect_that_succeeded_is_not_done_again_by_a_retry() -> None:
    world = World()
    with running(program(Child("a", calling(world, effect="financial")))) as run:
        assert run.ask("/r/a", "crash", timeout=SECONDS) == 1
    assert world.calls == ["crash"]


def test_an_effect_that_failed_is_done_again_under_an_intent_of_its_own() -> None:
    world, store = World(), MemoryStore()
    world.failures = 1
    tree = program(Child("a", calling(world, effect="financial", tokens=10)), tokens=100)
    with running(tree, store) as run:
        assert run.ask("/r/a", "pay", timeout=SECONDS) == 2
    kinds = [type(b) for b in journal(store) if isinstance(b, records.Intent | records.Result)]
    assert kinds == [records.Intent, records.Result] * 2
    assert budget(store).spent == 20


def doubtful(world: World, **options: Any) -> tuple[Any, MemoryStore]:
    """A program, and what a process finds whose predecessor died inside an effect."""
    disk, gate = Disk(), Gate()
    tree = program(Child("a", calling(world, **options)), tokens=100)

    def stop() -> None:
        world.before = lambda: None
        gate.wait()

    world.before = stop
    with running(tree, disk) as run:
        run.tell("/r/a", "pay")
        gate.reached()
        twin = disk.reopened()
        gate.open()
        until(run, lambda: world.calls)
    world.calls.clear()
    return tree, twin


def test_an_effect_in_doubt_waits_for_a_verdict_and_keeps_its_reservation() -> None:
    world = World()
    tree, twin = doubtful(world, effect="financial", tokens=30)
    with resumed(tree, twin) as run:
        assert settle(run)  # somebody has to look at it
    assert world.calls == []
    assert "in doubt" in of(twin, records.Stall)[0].reason
    assert (budget(twin).spent, budget(twin).reserved) == (0, 30)
    assert of(twin, records.Crash) == []


def test_an_effect_in_doubt_is_no_crash_in_a_task_group_either() -> None:
    world, gate, disk = World(), Gate(), Disk()

    @tool("world.grouped", effect="financial")
    def act(what: str) -> int:
        gate.wait()
        return world.act(what)

    class Grouping(Actor, name="tests.work.grouping"):
        async def on_receive(self, message: str) -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pay(message))

        async def _pay(self, what: str) -> None:
            await self.call(act, what=what)

    tree = program(Child("a", Grouping))
    with running(tree, disk) as run:
        run.tell("/r/a", "pay")
        gate.reached()
        twin = disk.reopened()
        gate.open()
        until(run, lambda: world.calls)
    world.calls.clear()
    with resumed(tree, twin) as run:
        assert settle(run)
    assert world.calls == []
    assert of(twin, records.Crash) == []
    assert len(of(twin, records.Stall)) == 1


def test_an_idempotent_effect_in_doubt_is_done_again_and_paid_once() -> None:
    world = World()
    tree, twin = doubtful(world, effect="financial", idempotent=True, tokens=30)
    with resumed(tree, twin) as run:
        assert not settle(run)
        assert run.ask("/r/a", "done", timeout=SECONDS) == ["pay"]
    assert world.calls == ["pay"]
    assert len(of(twin, records.Intent)) == 1
    assert (budget(twin).spent, budget(twin).reserved) == (30, 0)


def test_the_budget_is_never_overrun_and_what_does_not_fit_waits_for_room() -> None:
    world, store, gate = World(), MemoryStore(), Gate()
    world.before = gate.wait
    actor = calling(world, effect="read", tokens=40)
    tree = program(*(Child(f"a{n}", actor) for n in range(2)), tokens=80 + 39, concurrency=8)
    with running(tree, store) as run:
        answers = [run.kernel.outside.ask(f"/r/a{n}", "x") for n in range(2)]
        gate.reached(2)
        gate.open()
        assert sorted(answer.get(timeout=SECONDS) for answer in answers) == [1, 2]
        with pytest.raises(Crashed, match=BudgetExhausted.__name__):
            run.ask("/r/a0", "y", timeout=SECONDS)
    assert budget(store)[:] == (119, 80, 0)


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_step_waits_while_others_may_give_their_reservation_back(kind: str) -> None:
    world, store, gate = World(), MemoryStore(), Gate()
    world.before = gate.wait
    actor = calling(world, kind, effect="read", tokens=60)
    tree = program(Child("a", actor), Child("b", actor, attempts_max=1), tokens=100)
    with running(tree, store) as run:
        first = run.kernel.outside.ask("/r/a", "x")
        gate.reached()
        second = run.kernel.outside.ask("/r/b", "y")
        settled = on_kernel(run, lambda: run.kernel.book.budget)
        assert (settled.spent, settled.reserved) == (0, 60)
        gate.open()
        assert first.get(timeout=SECONDS) == 1
        with pytest.raises(Crashed, match=BudgetExhausted.__name__):
            second.get(timeout=SECONDS)  # 60 of 100 are spent now: it can never fit
    assert world.calls == ["x"]
    assert budget(store)[:] == (100, 60, 0)
