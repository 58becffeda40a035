"""An intent that an earlier attempt left is used once, however many attempts take it up."""

from __future__ import annotations

from perdure import Actor, Child, FakeClock, tool
from tests.kit import SECONDS, Disk, Gate, program, running, settle, until

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
