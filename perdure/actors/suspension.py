"""Turns that only wait: after a while they have no coroutine and no thread, just their steps."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.stillness import is_still
from perdure.actors.timers import NS, Timer
from perdure.limits import SUSPEND_SECONDS_MAX, WAITING_THREADS_MAX, WAITING_TURNS_MAX

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn
    from perdure.actors.waiting import Wait

SUSPEND_NS = int(SUSPEND_SECONDS_MAX * NS)
LOOKS = 2  # at turns in the queue for each one that is too many: more than it grows by


class Suspended(BaseException):
    """Unwinds the thread of a suspended turn past `except Exception`: it ends without a word."""


class Blocked:
    """A turn of which some tasks (None: its thread) wait: since when, and for what."""

    __slots__ = ("since_ns", "tasks")

    def __init__(self) -> None:
        self.since_ns = 0
        self.tasks: dict[asyncio.Task[Any] | None, Wait[Any]] = {}


class Queue:
    """Turns that wait, those that began to first in front; past `most` they are too many.

    Those of which something was seen to go on beside the waits are apart, `busy`.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.turns: dict[Turn, Blocked] = {}
        self.busy: dict[Turn, Blocked] = {}

    def place(self, turn: Turn) -> Blocked | None:
        return self.turns.get(turn) or self.busy.get(turn)

    def to_the_end(self, turn: Turn, now_ns: int) -> Blocked:
        """The place of a turn, which is the last one now."""
        blocked = self.turns.pop(turn, None) or self.busy.pop(turn, None) or Blocked()
        self.turns[turn] = blocked
        blocked.since_ns = now_ns
        return blocked

    def drop(self, turn: Turn) -> None:
        self.turns.pop(turn, None)
        self.busy.pop(turn, None)


class Suspension:
    """Drops turns in which nothing goes on but waits, and begins them anew when one is settled.

    That is no crash and no attempt: the turn is fenced, as one of a stopped actor is, and the next
    one finds in its steps what the last one had got.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.asleep: set[Cell] = set()  # whose turns are suspended
        self._queues = (Queue(WAITING_THREADS_MAX), Queue(WAITING_TURNS_MAX))
        self._timer: Timer | None = None

    @property
    def waiting(self) -> int:
        """Turns that wait and are not suspended."""
        return sum(len(queue.turns) + len(queue.busy) for queue in self._queues)

    def is_waiting(self, turn: Turn) -> bool:
        """Whether a turn is in a wait for an answer or a time."""
        return self._queues[turn.on_loop].place(turn) is not None

    # --- who waits

    def blocked(self, wait: Wait[Any], task: asyncio.Task[Any] | None) -> None:
        """A task of a turn, or its thread, begins to wait."""
        turn = wait.turn
        if turn.kind != "receive" or not turn.open:
            return
        queue = self._queues[turn.on_loop]
        queue.to_the_end(turn, self.kernel.book.now_ns()).tasks[task] = wait
        self.kernel.interruptions.waits(turn)
        if len(queue.turns) > queue.most:
            self.kernel.loop.call_soon(self._thin_out, queue)
        if self._timer is None or not self._timer.renew(self._look):
            self._timer = None
            self._arm()

    def unblocked(self, wait: Wait[Any], task: asyncio.Task[Any] | None) -> None:
        """It waits no longer."""
        blocked = self._queues[wait.turn.on_loop].place(wait.turn)
        if blocked is not None and blocked.tasks.get(task) is wait:
            del blocked.tasks[task]
            self.kernel.interruptions.goes_on(wait.turn)
            if not blocked.tasks:
                self.over(wait.turn)

    def over(self, turn: Turn) -> None:
        """A turn waits no longer, or is over."""
        threads, tasks = self._queues
        self._queues[turn.on_loop].drop(turn)
        if self._timer is not None and not threads.turns and not tasks.turns:
            self._timer.cancel()  # else a run with nothing left to do would wait for it

    # --- suspending

    def _arm(self) -> None:
        firsts = [next(iter(queue.turns.values())) for queue in self._queues if queue.turns]
        if firsts and (self._timer is None or self._timer.function is None):
            due = min(first.since_ns for first in firsts) + SUSPEND_NS
            self._timer = self.kernel.timers.at(due, self._look)

    def _look(self) -> None:
        """Some turn has waited long enough."""
        self._timer = None
        ripe_ns = self.kernel.book.now_ns() - SUSPEND_NS
        for queue in self._queues:
            for turn, blocked in list(queue.turns.items()):
                if blocked.since_ns > ripe_ns:
                    break
                self._try(queue, turn, blocked)
        self._arm()

    def _thin_out(self, queue: Queue) -> None:
        """Too many turns wait: the first to go are those that have waited longest."""
        if len(queue.turns) > queue.most:
            for turn, blocked in list(islice(queue.turns.items(), LOOKS)):
                self._try(queue, turn, blocked)

    def _try(self, queue: Queue, turn: Turn, blocked: Blocked) -> None:
        queue.drop(turn)
        if is_still(turn, blocked.tasks):
            turn.cell.asleep = {wait.reply[3]: wait.to for wait in blocked.tasks.values()}
            self.asleep.add(turn.cell)
            self.kernel.lifecycle.fence(turn)
            return
        if not queue.busy:
            # by the loop's clock: a ledger timer would keep a run from standing still
            self.kernel.loop.call_later(SUSPEND_SECONDS_MAX, self._look_again, queue)
        queue.busy[turn] = blocked

    def _look_again(self, queue: Queue) -> None:
        for turn in list(queue.busy):
            queue.to_the_end(turn, self.kernel.book.now_ns())
        self._arm()

    # --- waking

    def settled(self, cell: Cell, key: str) -> None:
        """A step of an actor's message was settled: if its turn waits for that, it is begun."""
        if cell.asleep is not None and key in cell.asleep:
            self.gone(cell)
            self.kernel.dispatch.consider(cell)

    def gone(self, cell: Cell) -> None:
        """The message that an actor waited at was consumed, or its turn may go on."""
        cell.asleep = None
        self.asleep.discard(cell)
