"""Deadlines of turns: an attempt that takes longer than its actor's `deadline` is a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.leftovers import leave
from perdure.actors.timers import NS, Timer
from perdure.errors import DeadlineExceeded

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn


class Wedged:
    """Ends turns that hang: the task of an `async def` is cancelled, the thread of a `def` left.

    Either may go on by itself; it is fenced, so what it still does changes nothing. A handler that
    holds the kernel's own thread is beyond this: the watchdog ends the process.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._timers: dict[Turn, Timer] = {}

    def begin(self, turn: Turn) -> None:
        """Have the time of a turn run, which has just begun."""
        due = self.kernel.book.now_ns() + turn.cell.deadline_ns
        self._timers[turn] = self.kernel.timers.at(due, lambda: self._pass(turn))

    def over(self, turn: Turn) -> None:
        """A turn has ended, in time or not."""
        timer = self._timers.pop(turn, None)
        if timer is not None:
            timer.cancel()

    def _pass(self, turn: Turn) -> None:
        if not turn.open:
            return
        if self.kernel.waits.suspension.is_waiting(turn):
            self.begin(turn)  # an answer or a sleep may take as long as it takes
            return
        seconds = turn.cell.deadline_ns / NS
        turn.cell.actor = None  # whoever is at work on it still is
        self.kernel.crashing.crash(turn, DeadlineExceeded(turn.cell.address, seconds), cut=True)
        leave(turn)
