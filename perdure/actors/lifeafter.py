"""What a closed turn does to its actor's life, and what its supervisor is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.turn import Turn
from perdure.ledger.records import Life
from perdure.mailbox.control import (
    KILLED,
    Depart,
    Exit,
    Ignored,
    Reason,
    Started,
    StartFailed,
    Stopped,
    read_reason,
)

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class LifeAfter:
    """Ends and begins lives as turns close; whoever must hear of it is told in their sends."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def life(self, turn: Turn) -> int | None:
        """The actor's life after a closed turn; whoever must hear of it is told in its sends."""
        cell = turn.cell
        match turn.kind:
            case "receive":
                return None if turn.stop_reason is None else self._stops_itself(turn)
            case "start" if turn.declined is not None:
                return self._declines(turn, turn.declined)
            case "start":
                self.kernel.lifecycle.to_parent(turn, Started(cell.id, cell.incarnation))
                if turn.stop_reason is not None:  # it has started, and ends with its next turn
                    self._departs(turn, read_reason(turn.stop_reason))
                return Life.RUNNING
            case "control":
                return turn.life
            case "stale" | "dying":
                return None
            case "exit":
                return self._exits(turn, read_reason(turn.stop_reason or ""))
            case _:
                return self._over(turn)

    def _exits(self, turn: Turn, reason: Reason) -> int:
        """An actor's life ended from outside of it; a start that was under way has failed."""
        cell = turn.cell
        is_starting = cell.life == Life.STARTING
        cell.reason = str(reason)
        message = StartFailed if is_starting else Exit
        self.kernel.lifecycle.to_parent(turn, message(cell.id, cell.incarnation, reason))
        return Life.DOWN

    def _declines(self, turn: Turn, why: str) -> int:
        cell, reason = turn.cell, Reason("normal", f"declined: {why}")
        cell.reason = str(reason)
        self.kernel.lifecycle.to_parent(turn, Ignored(cell.id, cell.incarnation, reason))
        return Life.DOWN

    def _stops_itself(self, turn: Turn) -> int | None:
        """It ends at once, or when its `on_stop` has had its turn."""
        cell = turn.cell
        reason = read_reason(turn.stop_reason or "normal")
        if cell.cls is not None and "on_stop" in cell.cls.__declaration__.hooks:
            self._departs(turn, reason)
            return None
        cell.reason = str(reason)
        self.kernel.lifecycle.to_parent(turn, Exit(cell.id, cell.incarnation, reason))
        return Life.DOWN

    def _departs(self, turn: Turn, reason: Reason) -> None:
        """It tells itself to end, in a turn of its own."""
        cell = turn.cell
        depart = Depart(cell.incarnation, reason)
        turn.out.append(self.kernel.lifecycle.control(cell.id, cell.id, depart))

    def _over(self, turn: Turn) -> int | None:
        """A stop is answered with what really ended the life, even if that was long before."""
        cell = turn.cell
        message = self.kernel.book.codec.decode(turn.envelope.body)
        self.kernel.lifecycle.deadlines.met(turn.envelope)
        was_alive = cell.is_alive
        if not was_alive:
            reason = read_reason(cell.reason or "normal")
        elif turn.kind == "killed":
            reason = KILLED
        else:
            given = turn.stop_reason
            reason = message.reason if given is None else read_reason(given)
        if not getattr(message, "asked", False):
            return self._exits(turn, reason)
        cell.reason = str(reason)
        self.kernel.lifecycle.to_parent(turn, Stopped(cell.id, cell.incarnation, reason))
        return Life.DOWN if was_alive or cell.life == Life.DOWN else None
