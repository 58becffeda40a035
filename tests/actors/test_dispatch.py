"""Who runs when: the limit L, lent slots, the order of the ready set, back-pressure."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from perdure import Actor, Child, FakeClock, Run, field, tool
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, Gate, advance, on_kernel, program, running, settle, until


class Crowd:
    """How many are inside at once, and how many ever were."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = self.total = 0

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.total += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *raised: object) -> None:
        with self.lock:
            self.inside -= 1


class Echo(Actor, name="tests.dispatch.echo"):
    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        return message


@pytest.mark.parametrize("kind", ["async def", "def"])
@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_turns_run_at_once_than_the_limit_says(kind: str, limit: int) -> None:
    crowd, gate = Crowd(), Gate()

    class Async(Actor, name="tests.dispatch.crowd1"):
        async def on_receive(self, message: int) -> None:
            for _ in range(3):
                with crowd:
                    if message < limit:
                        await gate.passed()
                    await asyncio.sleep(0)

    class Plain(Actor, name="tests.dispatch.crowd2"):
        def on_receive(self, message: int) -> None:
            with crowd:
                if message < limit:
                    gate.wait()

    cls = Async if kind == "async def" else Plain
    tree = program(*(Child(f"a{n}", cls) for n in range(10)), concurrency=limit)
    with running(tree) as run:
        for n in range(10):
            run.tell(f"/r/a{n}", n)
        gate.reached(limit)
        gate.open()
        settle(run)
    assert crowd.most == limit
    assert crowd.total == (30 if kind == "async def" else 10)


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_turn_holds_a_slot_again_after_it_waited_for_an_ask_or_an_effect(kind: str) -> None:
    crowd, gate = Crowd(), Gate()

    @tool("tests.effect", effect="external")
    def effect(n: int) -> int:
        return n

    class Async(Actor, name="tests.dispatch.again1"):
        async def on_receive(self, message: int) -> None:
            await self.call(effect, n=message)
            with crowd:
                await asyncio.sleep(0)
            await self.ask("/r/echo", message)
            with crowd:
                await asyncio.sleep(0)

    class Plain(Actor, name="tests.dispatch.again2"):
        def on_receive(self, message: int) -> None:
            self.call(effect, n=message).get()
            with crowd:
                gate.wait()
            self.ask("/r/echo", message).get()
            with crowd:
                gate.wait()

    cls = Async if kind == "async def" else Plain
    children = [Child(f"a{n}", cls) for n in range(6)]
    with running(program(*children, Child("echo", Echo), concurrency=2)) as run:
        for n in range(6):
            run.tell(f"/r/a{n}", n)
        if kind == "def":
            gate.reached(2)
            assert on_kernel(run, lambda: run.kernel.dispatch.active) == 2
        gate.open()
        settle(run)
        assert on_kernel(run, lambda: run.kernel.dispatch.active) == 0
    assert crowd.total == 12
    assert crowd.most <= 2


def test_a_turn_whose_wait_was_cancelled_holds_its_slot_again() -> None:
    gate, store = Gate(), MemoryStore()

    class Impatient(Actor, name="tests.dispatch.impatient"):
        async def on_receive(self, message: str) -> None:
            asked = asyncio.ensure_future(self._ask())
            while not gate._arrived._value:  # noqa: ASYNC110 - until the other one is at its gate
                await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
            await gate.passed()

        async def _ask(self) -> None:
            await self.ask("/r/b", "x")

    class Slow(Actor, name="tests.dispatch.slow"):
        async def on_receive(self, message: str) -> None:
            await gate.passed()

    tree = program(Child("a", Impatient), Child("b", Slow), concurrency=1)
    with running(tree, store) as run:
        run.tell("/r/a", "x")
        gate.reached(2)
        assert on_kernel(run, lambda: run.kernel.dispatch.active) == 2  # both are really running
        gate.open()
        settle(run)
        assert on_kernel(run, lambda: run.kernel.dispatch.active) == 0


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_with_one_slot_a_chain_of_asks_does_not_deadlock(kind: str) -> None:
    class Async(Actor, name="tests.dispatch.chain1"):
        async def on_receive(self, message: int) -> int:
            if self.address.endswith("9"):
                return message
            step = int(self.address[-1]) + 1
            return await self.ask(f"../a{step}", message + 1)

    class Plain(Actor, name="tests.dispatch.chain2"):
        def on_receive(self, message: int) -> int:
            if self.address.endswith("9"):
                return message
            step = int(self.address[-1]) + 1
            return self.ask(f"../a{step}", message + 1).get()

    cls = Async if kind == "async def" else Plain
    tree = program(*(Child(f"a{n}", cls) for n in range(10)), concurrency=1)
    with running(tree) as run:
        assert run.ask("/r/a0", 0, timeout=SECONDS) == 9


def test_with_one_slot_a_gather_of_asks_does_not_deadlock() -> None:
    class Gatherer(Actor, name="tests.dispatch.gatherer"):
        async def on_receive(self, message: int) -> Any:
            asks = [self.ask(f"/r/echo{n}", message + n) for n in range(3)]
            async with asyncio.TaskGroup() as group:
                more = [group.create_task(_get(self.ask("/r/echo0", n))) for n in (7, 8)]
            return [*(await self.gather(*asks)), *(task.result() for task in more)]

    async def _get(future: Any) -> Any:
        return await future

    echoes = [Child(f"echo{n}", Echo) for n in range(3)]
    with running(program(Child("a", Gatherer), *echoes, concurrency=1)) as run:
        assert run.ask("/r/a", 10, timeout=SECONDS) == [10, 11, 12, 7, 8]


def test_an_answer_that_nobody_waits_for_yet_takes_no_slot() -> None:
    class Patient(Actor, name="tests.dispatch.patient"):
        async def on_receive(self, message: int) -> Any:
            early = self.ask("/r/echo", 1)
            late = await self.ask("/r/last", 2)  # which gets the only slot after /r/echo
            return [await early, late]

    children = [Child("a", Patient), Child("echo", Echo), Child("last", Echo)]
    with running(program(*children, concurrency=1)) as run:
        assert run.ask("/r/a", 0, timeout=SECONDS / 4) == [1, 2]


def test_a_wait_that_was_given_up_while_it_queued_for_a_slot_takes_none() -> None:
    """What it waits for is there, its turn has no slot yet, and its handler gives it up."""
    over: list[asyncio.Future[None]] = []

    class Hasty(Actor, name="tests.dispatch.hasty"):
        async def on_receive(self, message: int) -> Any:
            over.append(asyncio.get_running_loop().create_future())
            early = asyncio.ensure_future(_get(self.sleep(5.0)))
            await asyncio.wait([early, over[0]], return_when=asyncio.FIRST_COMPLETED)
            early.cancel()
            return await self.ask("/r/last", 2)

    async def _get(future: Any) -> Any:
        return await future

    tree = program(Child("a", Hasty), Child("last", Echo), concurrency=1)
    with running(tree, clock=FakeClock(jumps=False)) as run:
        dispatch, waits = run.kernel.dispatch, run.kernel.waits
        answer = run.kernel.outside.ask("/r/a", 0)
        until(run, lambda: waits.open)
        on_kernel(run, lambda: setattr(dispatch, "limit", 0))
        advance(run, 5.0)
        until(run, lambda: dispatch.resumes)
        on_kernel(run, lambda: over[0].set_result(None))
        until(run, lambda: any(reply[3].startswith("ask") for reply in waits.open))
        on_kernel(run, lambda: setattr(dispatch, "limit", 1))
        on_kernel(run, dispatch.kick)
        assert answer.get(timeout=SECONDS / 4) == 2


def test_a_blocking_handler_holds_up_nobody_else() -> None:
    gate = Gate()

    class Blocking(Actor, name="tests.dispatch.blocking"):
        def on_receive(self, message: str) -> None:
            gate.wait()

    tree = program(*(Child(f"b{n}", Blocking) for n in range(3)), Child("echo", Echo))
    with running(tree) as run:
        for n in range(3):
            run.tell(f"/r/b{n}", "x")
        gate.reached(3)
        assert run.ask("/r/echo", "x", timeout=SECONDS) == "x"
        gate.open()


def test_timeouts_task_groups_and_gather_of_asyncio_work_in_a_handler() -> None:
    class Modern(Actor, name="tests.dispatch.modern"):
        async def on_receive(self, message: str) -> Any:
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                late = True
            async with asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.sleep(0, "task"))
            failed = []
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.Event().wait())
                    group.create_task(_fail())
            except* ValueError as error:
                failed = [str(each) for each in error.exceptions]
            return [late, task.result(), await asyncio.gather(*map(_value, "ab")), failed]

    async def _value(value: str) -> str:
        await asyncio.sleep(0)
        return value

    async def _fail() -> None:
        raise ValueError("no")

    with running(program(Child("a", Modern))) as run:
        for _ in range(3):  # on the same runner
            assert run.ask("/r/a", "x", timeout=SECONDS) == [True, "task", ["a", "b"], ["no"]]


# --- order


def order_of(sends: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The order in which one slot serves messages that wait when it gets free."""
    order: list[str] = []

    class Noting(Actor, name="tests.dispatch.noting"):
        async def on_receive(self, message: str) -> None:
            order.append(message)

    class Sender(Actor, name="tests.dispatch.sender"):
        async def on_receive(self, message: str) -> None:
            for n, (text, options) in enumerate(sends):
                self.tell(f"../n{n}", text, **options)

    notes = [Child(f"n{n}", Noting) for n in range(len(sends))]
    with running(program(Child("a", Sender), *notes, concurrency=1)) as run:
        run.tell("/r/a", "go")
        settle(run)
    return order


def test_the_dearest_message_per_second_of_work_is_served_first() -> None:
    sends = [
        ("cheap", {"cost": 1.0, "est": 1.0}),
        ("long", {"cost": 100.0, "est": 1_000.0}),
        ("dear", {"cost": 50.0, "est": 1.0}),
        ("short", {"cost": 3.0, "est": 0.001}),
    ]
    assert order_of(sends) == ["short", "dear", "cheap", "long"]


def test_classes_of_service_are_served_in_their_order() -> None:
    classes = ["background", "utility", "interactive", "initiated"]
    sends = [(name, {"qos": name}) for name in classes]
    assert order_of(sends) == ["interactive", "initiated", "utility", "background"]


def test_equals_are_served_in_the_order_of_sending() -> None:
    assert order_of([(str(n), {}) for n in range(6)]) == list("012345")


def test_one_inbox_keeps_its_order_whatever_its_messages_cost() -> None:
    class Sender(Actor, name="tests.dispatch.sender2"):
        async def on_receive(self, message: str) -> None:
            self.tell("../echo", "cheap", cost=0.1)
            self.tell("../echo", "dear", cost=1_000.0)

    with running(program(Child("a", Sender), Child("echo", Echo), concurrency=1)) as run:
        run.tell("/r/a", "go")
        settle(run)
        assert run.ask("/r/echo", "got", timeout=SECONDS) == ["cheap", "dear"]


# --- bounds


# --- beside all slots


class Quick(Actor, name="tests.dispatch.quick"):
    """Answers at once, unless it is told to stay."""

    async def on_receive(self, message: str) -> str:
        if message == "stay":
            await STAY[0].passed()
        return message


STAY: list[Gate] = []


@contextmanager
def taken(limit: int) -> Iterator[tuple[Run, Gate]]:
    """A run in which turns that block hold all slots, and a gate that lets go of them."""
    gate = Gate()
    STAY[:] = [Gate()]

    class Blocks(Actor, name="tests.dispatch.blocks"):
        def on_receive(self, message: str) -> None:
            gate.wait()

    quick = [Child(name, Quick) for name in ("known", "too", "new")]
    blocks = [Child(f"b{n}", Blocks) for n in range(limit)]
    with running(program(*quick, *blocks, concurrency=limit)) as run:
        for name in ("known", "too"):
            assert run.ask(f"/r/{name}", "x", timeout=SECONDS) == "x"
        for n in range(limit):
            run.tell(f"/r/b{n}", "block")
        gate.reached(limit)
        yield run, gate
        STAY[0].open()
        gate.open()
        settle(run)


def ready(run: Run) -> list[str]:
    """Who is still ready when the loop has gone round often enough for anybody to begin."""
    for _ in range(20):
        on_kernel(run, lambda: None)
    return on_kernel(run, lambda: [cell.address for cell in run.kernel.dispatch.ready])


def test_a_turn_that_is_over_in_a_moment_does_not_wait_for_those_that_block() -> None:
    with taken(2) as (run, _):
        assert run.ask("/r/known", "x", timeout=SECONDS / 4) == "x"  # before those give up


def test_of_those_only_one_at_a_time_runs_beside_the_slots() -> None:
    with taken(2) as (run, gate):
        run.tell("/r/known", "stay")
        STAY[0].reached()
        late = run.kernel.outside.ask("/r/too", "x")
        assert ready(run) == ["/r/too"]
        assert on_kernel(run, lambda: run.kernel.dispatch.active) == 3
        gate.open()
        assert late.get(timeout=SECONDS) == "x"


def test_whoever_has_not_shown_yet_that_it_is_quick_waits_for_a_slot() -> None:
    with taken(2) as (run, gate):
        late = run.kernel.outside.ask("/r/new", "x")
        assert ready(run) == ["/r/new"]
        gate.open()
        assert late.get(timeout=SECONDS) == "x"


def test_with_one_slot_there_is_no_other_turn_beside_it() -> None:
    with taken(1) as (run, gate):
        late = run.kernel.outside.ask("/r/known", "x")
        assert ready(run) == ["/r/known"]
        gate.open()
        assert late.get(timeout=SECONDS) == "x"
