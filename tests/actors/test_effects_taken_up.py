"""An intent that an earlier attempt left is used once, however many attempts take it up."""

from __future__ import annotations

from typing import Any

from perdure import Actor, Child, FakeClock, tool
from perdure.actors.tried import Ended
from tests.kit import SECONDS, Disk, Gate, on_kernel, program, running, settle, until

CALLED: list[int] = []
GATE = Gate()


@tool("tests.taken_up", effect="external")
async def effect() -> str:
    CALLED.append(1)
    await GATE.passed()
    return "done"


class Worker(Actor, name="tests.taken_up.worker"):
    done: str = ""

    async def on_receive(self, message: str) -> None:
        self.done = await self.call(effect)


class Crasher(Actor, name="tests.taken_up.crasher"):
    async def on_receive(self, message: str) -> None:
        raise ValueError("and its sibling with it")


def test_an_effect_that_two_attempts_were_stopped_at_happens_once() -> None:
    """The first is stopped before the intent is durable, the second while the effect goes on."""
    disk = Disk()
    parts = (Child("a", Worker), Child("b", Crasher, attempts_max=1))
    tree = program(*parts, strategy="one_for_all")
    with running(tree, disk, clock=FakeClock(jumps=False)) as run:
        cell = run.kernel.book.cell_at("/r/a")

        def is_at_it(incarnation: int) -> bool:
            turn = cell.turn
            return cell.incarnation == incarnation and turn is not None and turn.kind == "receive"

        disk.open.clear()
        run.kernel.outside.tell("/r/a", "go")
        assert disk.waited.wait(SECONDS)
        until(run, lambda: is_at_it(1))
        run.kernel.outside.tell("/r/b", "crash")
        until(run, lambda: is_at_it(2))
        disk.open.set()
        GATE.reached()
        run.kernel.outside.tell("/r/b", "crash")
        until(run, lambda: is_at_it(3))
        GATE.open()
        settle(run)
        until(run, lambda: cell.actor is not None and cell.actor.done == "done")
    assert CALLED == [1]


def test_an_effect_that_ends_between_two_attempts_gives_its_outcome_to_the_next() -> None:
    """The second attempt, which had taken it up, is over by then; the third has not begun."""
    CALLED.clear()
    GATE.__init__()  # type: ignore[misc]
    with running(program(Child("a", Worker)), clock=FakeClock(jumps=False)) as run:
        cell = run.kernel.book.cell_at("/r/a")
        run.kernel.outside.tell("/r/a", "go")
        GATE.reached()

        def work() -> Any:
            assert cell.turn is not None
            return cell.turn.envelope.steps["tests.taken_up#1"].work

        first = on_kernel(run, work)
        on_kernel(run, lambda: run.kernel.lifecycle.fence(cell.turn))
        until(run, lambda: cell.turn is not None and first.heir is not None)

        def end_between() -> None:
            run.kernel.lifecycle.fence(cell.turn)
            first.conclude(Ended(None, run.kernel.book.codec.encode("done"), 0))

        on_kernel(run, end_between)
        until(run, lambda: cell.actor is not None and cell.actor.done == "done")
        GATE.open()
        settle(run)
    assert CALLED == [1]
