"""Who runs next, and on what: the ready set and the slots."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.pacing import Pace
from perdure.actors.runners import Runners
from perdure.actors.timers import Timer
from perdure.actors.turn import Turn
from perdure.ledger.records import Life
from perdure.mailbox.estimates import Estimates
from perdure.mailbox.index import cmu
from perdure.mailbox.ready import ReadySet

if TYPE_CHECKING:
    from perdure.actors.futures import Future
    from perdure.actors.kernel import Kernel
    from perdure.actors.waiting import Waiting

CONTROL_FIRST = float("inf")
RUNNING = int(Life.RUNNING)
CHEAP_SECONDS = 0.002  # `def` turns expected to be shorter share one thread hop


class Dispatch:
    """At most `limit` turns in flight; each free slot takes the ready unit with the best index.

    A turn that waits for the kernel (an answer, a timer, durability) lends its slot until what it
    waits for is there.
    """

    def __init__(self, kernel: Kernel, limit: int) -> None:
        self.kernel = kernel
        self.limit = limit
        self.pace = Pace(kernel)
        self.active = 0  # turns that hold a slot
        self.running: dict[Turn, None] = {}  # in order of their beginning
        self.ready: ReadySet[Cell] = ReadySet()
        self.resumes: deque[tuple[Waiting[Any], Future[Any]]] = deque()
        self.held: dict[Cell, None] = {}  # senders that wait for a full inbox, oldest first
        self.soon: dict[Cell, Timer] = {}  # whose head is tried again after its back-off
        self.estimates = Estimates()
        self.is_stopping = False
        self.runners = Runners(kernel, self)
        self.kick = self.runners.kick

    # --- what is ready

    def consider(self, cell: Cell) -> None:
        """Put an actor into the ready set if it has something it may do now."""
        if cell.turn is not None:
            if cell.control:
                self.kernel.lifecycle.interrupt(cell)
            return
        if cell.control:
            self.held.pop(cell, None)  # its life may end by what it takes now
            self.ready.push(cell, CONTROL_FIRST)
        elif cell.inbox and cell.life == RUNNING and not cell.stalled and cell.asleep is None:
            if cell.suspended and cell.is_suspended:
                return
            if cell.held:
                self.held[cell] = None
            elif cell.not_before and cell.not_before > self.kernel.book.now_ns():
                self._try_again(cell)
                return
            else:
                env = cell.inbox[0]
                index = self.estimates.indices.get((cell.class_name, env.type, env.cost))
                if index is None or env.est is not None:
                    index = self.index(cell)
                cell.index = index
                self.ready.push(cell, index)
        else:
            return
        if not self.runners.is_called:
            self.kick()

    def _try_again(self, cell: Cell) -> None:
        """Consider an actor when its back-off is over."""

        def due() -> None:
            del self.soon[cell]
            self.consider(cell)
            self.kick()  # if it has nothing to do any more, the run may be at rest

        self._no_longer(cell)
        self.soon[cell] = self.kernel.timers.at(cell.not_before, due)

    def _no_longer(self, cell: Cell) -> None:
        timer = self.soon.pop(cell, None)
        if timer is not None:
            timer.cancel()

    def withdraw(self, cell: Cell) -> None:
        """An actor that was ready runs no more: its messages wait for its next life."""
        self.ready.discard(cell)
        self.held.pop(cell, None)
        self._no_longer(cell)

    def index(self, cell: Cell) -> float:
        """The index of the message at the head of an inbox."""
        env = cell.inbox[0]  # type: ignore[index]
        if env.est is not None:
            return cmu(env.cost, env.est)
        return self.estimates.index((cell.class_name, env.type), env.cost)

    def is_cheap(self, turn: Turn) -> bool:
        """Whether a turn is expected to be so short that it may share a thread hop."""
        if self.pace.waits:
            return False  # those that share one begin before the first of them is durable
        kind = (turn.cell.class_name, turn.envelope.type)
        return self.estimates.seconds(kind) < CHEAP_SECONDS

    def take(self) -> Cell | None:
        """The next actor to run, if there is one and a slot is free for it."""
        while not self.is_stopping:
            if self.active >= self.limit:
                if not self._has_room_beside():
                    return None
            elif self.resumes:
                self._resume(*self.resumes.popleft())
                continue
            if len(self.kernel.book.open.records) >= self.pace.records and self.pace.is_behind():
                return None  # turns wait for the disk
            cell = self.ready.pop() or self._oldest_held()
            if cell is None:
                return None
            if cell.turn is None and (cell.control or cell.inbox):
                return cell
        return None

    @property
    def has_work(self) -> bool:
        """Whether there is a turn to begin, or to go on with, and room for it."""
        if self.active >= self.limit:
            return self._has_room_beside()
        return bool(self.resumes or self.held or self.ready)

    def _has_room_beside(self) -> bool:
        """Whether the best ready turn may run though all slots are taken: one at a time does.

        It is one of the event loop, and expected to be over in a moment. Else it would wait for
        turns that block their threads, or wait for the world, and do not hold the loop up.
        """
        if self.active != self.limit or self.limit == 1:
            return False
        cell = self.ready.best
        if cell is None or cell.control or not cell.inbox or cell.mode == "def" or not cell.turns:
            return False
        return cell.inbox[0].type not in self.estimates.slow.get(cell.class_name, ())

    def _oldest_held(self) -> Cell | None:
        if not self.held or self.running:
            return None
        cell = next(iter(self.held))
        del self.held[cell]
        if cell.inbox:
            cell.index = self.index(cell)  # it never was in the ready set
        return cell

    # --- slots

    def lend(self, turn: Turn) -> None:
        """A turn waits for the kernel: its slot serves others meanwhile."""
        turn.waits += 1
        if turn.open and not turn.ended and (not turn.lent or self.kernel.pool.lend(turn)):
            turn.lent = True
            self.active -= 1
            self.kick()
        if turn.cell.control:
            self.kernel.lifecycle.interrupt(turn.cell)  # a stop came while it was busy

    def share(self, turn: Turn) -> None:
        """A turn runs in the slot of its batch, and gives up its own."""
        turn.lent = True
        self.active -= 1

    def wait_over(self, turn: Turn) -> None:
        """One wait of a turn is over; if nobody gave its slot back, it takes one by itself."""
        turn.waits -= 1
        if turn.open and not turn.waits and not turn.ended and self._lacks_slot(turn):
            turn.lent = False  # the wait was cancelled: it goes on at once
            self.active += 1

    def _lacks_slot(self, turn: Turn) -> bool:
        return turn.lent and (turn.on_loop or not self.kernel.pool.has_slot(turn))

    def give_back(self, wait: Waiting[Any], outcome: Future[Any]) -> None:
        """What a turn waits for is there: settle it when the turn has a slot again.

        If nobody waits for it (any more), the turn needs none: it may wait for something else.
        """
        if wait.is_wanted and self._lacks_slot(wait.turn):
            if self.active >= self.limit or self.resumes or self.is_stopping:
                self.resumes.append((wait, outcome))
                self.kick()
                return
            self._take_slot(wait.turn)
        wait.settle_like(outcome)

    def _resume(self, wait: Waiting[Any], outcome: Future[Any]) -> None:
        if wait.is_wanted and self._lacks_slot(wait.turn):
            self._take_slot(wait.turn)
        wait.settle_like(outcome)

    def _take_slot(self, turn: Turn) -> None:
        turn.lent = False
        if turn.open:
            self.active += 1
            if turn.waits > 1:  # it goes on waiting for the others: lend again
                self._later(3, lambda: self._relend(turn))

    def _relend(self, turn: Turn) -> None:
        if turn.waits > 0 and turn.open and not turn.lent and not turn.ended:
            turn.lent = True
            self.active -= 1
            self.kick()

    def _later(self, ticks: int, function: Callable[[], None]) -> None:
        if ticks:
            self.kernel.loop.call_soon(self._later, ticks - 1, function)
        else:
            function()

    def began(self, turn: Turn) -> None:
        """A turn takes a slot."""
        self.active += 1
        self.running[turn] = None

    def ended(self, turn: Turn) -> None:
        """A turn gives its slot up for good."""
        if turn.ended:
            return
        turn.ended = True
        self.running.pop(turn, None)
        if turn.cell.deadline_ns:
            self.kernel.wedged.over(turn)
        if turn.lent:
            turn.lent = False
        else:
            self.active -= 1
        if self.is_stopping:
            self.kernel.ending.turn_ended()
        else:
            self.kick()

    def on_kernel(self, function: Callable[..., Any], *args: Any) -> None:
        """Run on the kernel thread soon."""
        self.kernel.on_kernel(function, *args)
