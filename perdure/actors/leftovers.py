"""Tasks that handlers start: each belongs to the turn it was started in, and ends with it.

Each has a branch, which is in front of the keys of its steps (see `stepkeys.py`): numbered as they
are created, so that it is the same on every attempt, whichever is done first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from perdure.ledger.stepkeys import Keys

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn


OF_HANDLERS = {"future", "task", "asyncgen"}
"""What asyncio tells of that a handler made, and whose failure nobody asked for."""


class Leftovers:
    """The loop's task factory: it knows whose a task is, so that none outlives its turn.

    A task that went on would use the verbs of whatever turn its actor is in by then.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._turns: dict[asyncio.Task[Any], Turn] = {}

    def make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        """Make a task; one that a handler starts is noted with its turn and its branch."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        starter = asyncio.current_task(loop)
        turn = None if starter is None else self._turn_of(starter)
        if turn is not None:
            self._turns[task] = turn
            task.add_done_callback(self._turns.pop)
            note(turn, starter, task)
        return task

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What failed with nobody to tell: of a handler's it is logged; else it ends the run."""
        error = context.get("exception")
        if context.keys() & OF_HANDLERS:
            loop.default_exception_handler(context)  # as asyncio does anywhere
        elif error is not None:
            self.kernel.ending.fail(error)

    def _turn_of(self, starter: asyncio.Task[Any]) -> Turn | None:
        turn = self._turns.get(starter)
        if turn is None:
            running = self.kernel.dispatch.running
            turn = next((turn for turn in running if turn.task is starter), None)
        return turn if turn is not None and turn.open else None


def note(turn: Turn, starter: Any, task: asyncio.Task[Any]) -> None:
    """Have a task be one of a turn's, in the next branch of the one that starts it."""
    if turn.tasks is None:
        turn.tasks = {}
    if turn.keys is None:
        turn.keys = Keys()
    turn.tasks[task] = turn.keys.child(turn.tasks.get(starter, ""))
    task.add_done_callback(turn.tasks.pop)


async def end(turn: Turn) -> None:
    """Cancel the tasks that a handler left behind, and wait until they have ended."""
    while turn.tasks:
        left = list(turn.tasks)
        for task in left:
            task.cancel()
        await asyncio.wait(left)


def leave(turn: Turn) -> None:
    """Let go of what still runs of a turn that is over: tasks are cancelled, its thread is left."""
    turn.is_fenced = True
    if turn.task is not None:
        turn.task.cancel()
    for task in list(turn.tasks or ()):
        task.add_done_callback(_look_away)
        task.cancel()
    turn.kernel.pool.abandon(turn)


async def take_cancellation(runner: asyncio.Task[Any]) -> None:
    """Have a runner go on whose turn was fenced: what was to cancel that turn is for no other.

    A turn that is fenced by what it does itself ends before its cancellation comes.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    runner.uncancel()


def _look_away(task: asyncio.Task[Any]) -> None:
    """What a cancelled task fails with, a verb in its `finally` say, concerns nobody any more."""
    if not task.cancelled():
        task.exception()
