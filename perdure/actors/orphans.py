"""What a killed supervisor leaves behind: its children end too, unsupervised (OTP's X4 and X9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.actors.standing import stop_mode
from perdure.ledger.records import Life
from perdure.limits import SHUTDOWN_SECONDS_DEFAULT
from perdure.mailbox.control import KILLED, Gone, Kill, Stop
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Orphans:
    """Has those that would be asked to end run `on_stop` first; then the killed one is gone.

    Their supervisor hears of them no more, and its own hears of it when they are down: no actor
    lives twice at a time.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def kill(self, cell: Cell, env: Envelope, message: Kill | Stop) -> None:
        """End an actor at once, by a kill or a stop that is one."""
        lifecycle = self.kernel.lifecycle
        is_of_this = message.incarnation == cell.incarnation
        if not (is_of_this and cell.is_alive):
            is_awaited = is_of_this and isinstance(message, Stop) and message.asked
            lifecycle.end_without_hook(cell, env, "killed" if is_awaited else "stale")
            return
        if not cell.is_supervisor:
            lifecycle.end_without_hook(cell, env, "killed")
            return
        stops, lives = [], []
        for child in self._alive(cell):
            stop = self._last_stop(child)
            if stop is not None:
                stops.append(lifecycle.control(child.id, cell.id, stop))
                continue
            lives.append((child.id, child.incarnation, int(Life.DOWN)))
            if child.turn is not None:
                lifecycle.fence(child.turn)
        turn = lifecycle.bare(cell, env, "dying" if stops else "killed")
        turn.lives = lives
        if stops:
            gone = Gone(cell.incarnation, isinstance(message, Stop) and message.asked)
            turn.out = [*stops, lifecycle.control(cell.id, cell.id, gone)]
        self.kernel.closing.close_bare(turn)

    def gone(self, cell: Cell, env: Envelope) -> None:
        """A killed supervisor is gone once nothing below it lives."""
        if not self._alive(cell):
            self.kernel.lifecycle.end_without_hook(cell, env, "killed")

    def _alive(self, cell: Cell) -> list[Cell]:
        return [child for child in self.kernel.lives.children(cell.id) if child.is_alive]

    def _last_stop(self, child: Cell) -> Stop | None:
        """What the death of its supervisor is to a child; None if it dies of it."""
        if child.is_supervisor:
            return Stop(child.incarnation, "infinity", KILLED)
        shutdown = child.spec.get("shutdown", SHUTDOWN_SECONDS_DEFAULT)
        if shutdown == "brutal_kill":
            shutdown = SHUTDOWN_SECONDS_DEFAULT
        stop = Stop(child.incarnation, shutdown, KILLED)
        return stop if child.is_running and stop_mode(child, stop) is not None else None
