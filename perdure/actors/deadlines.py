"""How long stops may take: what is still going on after that is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.actors.timers import Timer
from perdure.actors.turn import NS
from perdure.ids import KERNEL_ID
from perdure.mailbox.control import Kill, Stop
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Deadlines:
    """One deadline a stop, for the turn that the actor is at and for its `on_stop` together."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._due: dict[Envelope, tuple[int, Timer]] = {}
        self._kills: dict[int, Timer] = {}  # of supervisors that are to end in some time

    def begin(self, cell: Cell, env: Envelope, stop: Stop) -> None:
        """Have the time run, unless it runs already or the stop has none ("infinity")."""
        if env not in self._due and isinstance(stop.shutdown, float | int):
            due = self.kernel.book.now_ns() + int(stop.shutdown * NS)
            self._due[env] = (due, self.kernel.timers.at(due, lambda: self._pass(cell)))

    def _pass(self, cell: Cell) -> None:
        if cell.turn is not None:
            self.kernel.lifecycle.fence(cell.turn)

    def is_over(self, env: Envelope) -> bool:
        """Whether the time of a stop is up."""
        return env in self._due and self._due[env][0] <= self.kernel.book.now_ns()

    def limit(self, cell: Cell, stop: Stop) -> None:
        """A supervisor ends its children first: one that is not done in its time is killed."""
        if stop.incarnation == cell.incarnation and isinstance(stop.shutdown, float | int):
            self.ended(cell)
            due = self.kernel.book.now_ns() + int(stop.shutdown * NS)
            id, incarnation = cell.id, cell.incarnation
            self._kills[id] = self.kernel.timers.at(due, lambda: self._kill(id, incarnation))

    def _kill(self, id: int, incarnation: int) -> None:
        del self._kills[id]
        kill = self.kernel.lifecycle.control(id, KERNEL_ID, Kill(incarnation))
        self.kernel.outside.post([kill], "deadline")

    def ended(self, cell: Cell) -> None:
        """A supervisor's life has ended: there is nobody to kill."""
        timer = self._kills.pop(cell.id, None)
        if timer is not None:
            timer.cancel()

    def met(self, env: Envelope) -> None:
        """A stop is done with, in time or not: forget about it."""
        if env in self._due:
            self._due.pop(env)[1].cancel()
