"""Effects are done once or waited for (G4), and no budget is overrun (G8)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perdure import (
    Actor,
    Backoff,
    Child,
    FakeClock,
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
    advance,
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


# --- the policy of a tool, and its key


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_tool_with_retries_is_called_again_before_its_handler_sees_a_failure(kind: str) -> None:
    world, store = World(), MemoryStore()
    world.failures = 2
    options: dict[str, Any] = {"effect": "financial", "retries": 2, "tokens": 10}
    options["backoff"] = Backoff(first=30.0, factor=2.0, max=100.0)
    tree = program(Child("a", calling(world, kind, **options)), tokens=100)
    with running(tree, store) as run:
        start = on_kernel(run, run.kernel.book.now_ns)
        assert run.ask("/r/a", "pay", timeout=SECONDS) == 3
        assert on_kernel(run, run.kernel.book.now_ns) - start >= 90 * 10**9
    results = of(store, records.Result)
    assert [(r.ok, r.tries, r.again) for r in results] == [
        (False, 1, True),
        (False, 2, True),
        (True, 3, False),
    ]
    assert len(of(store, records.Intent)) == 3
    assert budget(store).spent == 30  # each try is reserved and paid for
    assert of(store, records.Crash) == []


def test_a_failure_that_a_policy_did_not_leave_at_that_is_never_final() -> None:
    disk, gate, failed = Disk(), Gate(), threading.Event()
    calls: list[str] = []

    @tool("world.flaky", effect="read", retries=1, backoff=Backoff(first=20.0))
    def flaky() -> str:
        calls.append("flaky")
        if len(calls) == 1:
            raise OSError("not yet")
        return "there"

    class Two(Actor, name="tests.work.two"):
        async def on_receive(self, message: str) -> Any:
            first = self.call(flaky)
            await self.once(failed.wait, SECONDS)
            second = await self.once(len, "x")  # begun after the first try has failed
            await gate.passed()
            return [await first, second]

    tree = program(Child("a", Two), Child("b", calling(World(), effect="read")))
    with running(tree, disk, clock=FakeClock(jumps=False)) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        until(run, lambda: any(step.again for step in steps_of(run)))
        failed.set()
        gate.reached()
        run.ask("/r/b", "later", timeout=SECONDS)
        twin = disk.reopened()
        advance(run, 21.0)
        gate.open()
    calls[:] = ["flaky"]
    with resumed(tree, twin) as run:
        settle(run)
    assert calls == ["flaky", "flaky"]
    assert of(twin, records.Crash) == []


def test_the_last_failure_of_a_policy_is_the_handlers_to_see() -> None:
    world = World()
    world.failures = 9
    actor = calling(world, effect="read", retries=1)
    with (
        running(program(Child("a", actor, attempts_max=2))) as run,
        pytest.raises(Crashed, match="the world says no"),
    ):
        run.ask("/r/a", "x", timeout=SECONDS)
    assert world.calls == ["x"] * 4  # two attempts, two calls each


def keyed(keys: list[str], gate: Gate | None = None, crashes: int = 0) -> type[Actor]:
    """An actor that calls an idempotent tool, which notes the key that it is given."""

    @tool("bank.pay", effect="financial", idempotent=True)
    def pay(amount: int, idempotency_key: str = "") -> str:
        keys.append(idempotency_key)
        if gate is not None and len(keys) == 1:
            gate.wait()
        if len(keys) <= crashes:
            raise OSError("not yet")
        return "paid"

    class Paying(Actor, name="tests.work.keyed"):
        async def on_receive(self, message: int) -> str:
            if message < 0:
                return await self.call(pay, amount=1, idempotency_key="mine")
            return await self.call(pay, amount=message)

    return Paying


def test_a_tool_gets_the_same_idempotency_key_whenever_a_step_is_redone() -> None:
    keys: list[str] = []
    with running(program(Child("a", keyed(keys, crashes=2)))) as run:
        run.ask("/r/a", 1, timeout=SECONDS)
        run.ask("/r/a", 1, timeout=SECONDS)
    first, second, third, other = keys
    assert first == second == third != other
    assert len(bytes.fromhex(first)) == 16


def test_an_effect_that_is_redone_by_another_process_has_the_same_key() -> None:
    keys: list[str] = []
    disk, gate = Disk(), Gate()
    tree = program(Child("a", keyed(keys, gate)))
    with running(tree, disk) as run:
        run.tell("/r/a", 1)
        gate.reached()
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        settle(run)
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_another_run_has_other_keys() -> None:
    keys: list[str] = []
    for _ in range(2):
        with running(program(Child("a", keyed(keys)))) as run:
            run.ask("/r/a", 1, timeout=SECONDS)
    assert len(set(keys)) == 2


def test_an_idempotency_key_is_not_the_callers_to_give() -> None:
    with (
        running(program(Child("a", keyed([]), attempts_max=1))) as run,
        pytest.raises(Crashed, match="leave it out of the call"),
    ):
        run.ask("/r/a", -1, timeout=SECONDS)


# --- fenced before the intent was durable


@pytest.mark.parametrize("idempotent", [True, False])
def test_an_effect_fenced_before_its_intent_was_durable_waits_for_that_when_redone(
    idempotent: bool,
) -> None:
    world, disk = World(), Disk()
    seen: list[int] = []
    world.before = lambda: seen.append(disk.reopened().head().seq)
    actor = calling(world, effect="financial", idempotent=idempotent)
    tree = program(
        Child("a", actor, shutdown="brutal_kill"),
        Child("bad", Failing, attempts_max=1),
        strategy="one_for_all",
    )
    with running(tree, disk) as run:
        disk.open.clear()
        answer = run.kernel.outside.ask("/r/a", "pay")
        until(run, lambda: any(s for s in steps_of(run)))
        run.tell("/r/bad", "x")
        until(run, lambda: run.kernel.book.cell_at("/r/a").incarnation == 2)
        until(run, lambda: run.kernel.book.cell_at("/r/a").turn is not None)
        assert world.calls == []
        disk.open.set()
        assert answer.get(timeout=SECONDS) == 1
    assert len(of(disk, records.Intent)) == 1
    assert world.calls == ["pay"]
    assert seen[0] >= intent_seq(disk)


class Failing(Actor, name="tests.work.failing"):
    async def on_receive(self, message: str) -> None:
        raise ValueError("it takes its sibling down")


def steps_of(run: Any) -> list[Any]:
    inbox = run.kernel.book.cell_at("/r/a").inbox
    return list((inbox[0].steps or {}).values()) if inbox else []


def intent_seq(store: MemoryStore) -> int:
    return next(n for n, b in enumerate(journal(store), 1) if isinstance(b, records.Intent))


# --- effects under way


def test_a_run_whose_effect_is_under_way_is_not_at_rest_and_a_drain_waits_for_it() -> None:
    world, store, gate = World(), MemoryStore(), Gate()
    world.before = gate.wait
    tree = program(Child("a", calling(world, effect="financial")))
    with running(tree, store) as run:
        run.tell("/r/a", "pay")
        gate.reached()
        rested: list[bool] = []
        on_kernel(run, run._set_watch, rested.append)
        on_kernel(run, run.kernel.look_quiet)
        assert rested == []
        run.drain()
        on_kernel(run, lambda: None)
        gate.open()
    assert [result.ok for result in of(store, records.Result)] == [True]
    assert of(store, records.Late) == []
    with resumed(tree, store.reopened()) as run:
        settle(run)
    assert world.calls == ["pay"]
