"""What a supervisor's turn intends: starts, stops and ends of other actors, and of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.turn import Turn
from perdure.ledger.records import Life
from perdure.mailbox.control import (
    CANCELLED,
    SHUTDOWN,
    Exit,
    Ignored,
    Kill,
    Reason,
    Start,
    Started,
    StartFailed,
    Stop,
    Stopped,
    read_reason,
)
from perdure.mailbox.envelope import ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Supervising:
    """Collects, in a supervisor's turn, what its decision asks for: one record holds all of it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def start_child(
        self,
        turn: Turn,
        address: str,
        class_name: str,
        spec: dict[str, Any],
        init: dict[str, Any],
        incarnation: int,
    ) -> int:
        """Start an actor's next incarnation, making the actor if there is none; its id."""
        book = self.kernel.book
        body = book.blobs.small(book.codec.encode(init, f"the init of {address}"))
        id = book.find(address)
        if id:
            cell = book.cell(id)
            if cell.life == Life.STOPPED and cell.reason == str(CANCELLED):
                declined = Ignored(id, incarnation)  # until the supervisor has forgotten it
                turn.out.append(self.kernel.lifecycle.control(turn.cell.id, id, declined))
                return id
            if (cell.spec, cell.init) != (spec, body):
                cell.spec, cell.init = spec, body
                turn.specs = [*(turn.specs or ()), (id, spec, body)]
        else:
            cls = book.editions.of(turn.cell.id, class_name).classes.get(class_name)
            version = 1 if cls is None else cls.__declaration__.version
            cell = self.kernel.lives.birth(
                turn.cell, address, class_name, version, spec, body, Life.BORN
            )
        reason = read_reason(cell.reason) if cell.reason and incarnation > 1 else None
        turn.out.append(
            self.kernel.lifecycle.control(cell.id, turn.cell.id, Start(incarnation, reason))
        )
        self._change(turn, cell.id, incarnation, Life.STARTING)
        return cell.id

    def start_again(self, turn: Turn, id: int, reason: Reason) -> None:
        """Start the next incarnation of an actor from what its birth record says."""
        cell = self.kernel.book.cell(id)
        incarnation = cell.incarnation + 1
        turn.out.append(self.kernel.lifecycle.control(id, turn.cell.id, Start(incarnation, reason)))
        self._change(turn, id, incarnation, Life.STARTING)

    def kill_parent(self, turn: Turn) -> None:
        """The children of an actor failed too often: it is killed, its own supervisor decides."""
        parent = self.kernel.book.cell(turn.cell.parent)
        kill = Kill(parent.incarnation)
        turn.out.append(self.kernel.lifecycle.control(parent.id, turn.cell.id, kill))

    def stop_child(self, turn: Turn, id: int, incarnation: int, shutdown: float | str) -> None:
        """Ask an incarnation to end."""
        stop = Stop(incarnation, shutdown, SHUTDOWN)
        turn.out.append(self.kernel.lifecycle.control(id, turn.cell.id, stop))

    def end_child(self, turn: Turn, id: int) -> None:
        """An actor is gone for good: its address is free, its inbox is dead letters."""
        self._change(turn, id, self.kernel.book.cell(id).incarnation, Life.ENDED)

    def rest_child(self, turn: Turn, id: int) -> None:
        """An actor is down and nobody is about to start it: its inbox is dead letters."""
        cell = self.kernel.book.cell(id)
        if cell.life in (Life.DOWN, Life.BORN):
            self._change(turn, id, cell.incarnation, Life.STOPPED)

    def _change(self, turn: Turn, id: int, incarnation: int, life: Life) -> None:
        if turn.lives is None:
            turn.lives = []
        turn.lives.append((id, incarnation, int(life)))

    def tell_child(self, turn: Turn, id: int, message: object) -> None:
        """A control message to a child that is a supervisor."""
        turn.out.append(self.kernel.lifecycle.control(id, turn.cell.id, message))

    def to_self(self, turn: Turn, message: object) -> None:
        """A control message of a supervisor to itself, behind what waits already."""
        turn.out.append(self.kernel.lifecycle.control(turn.cell.id, turn.cell.id, message))

    def note(self, turn: Turn, text: str) -> None:
        """Have the turn's record say why."""
        if turn.notes is None:
            turn.notes = []
        turn.notes.append(text)
        self.kernel.news.report(turn.cell, self.kernel.book.seq + 1, text)  # it comes next

    def ready(self, turn: Turn) -> None:
        """A supervisor's children are up: it has started."""
        turn.life = Life.RUNNING
        self.kernel.lifecycle.to_parent(turn, Started(turn.cell.id, turn.cell.incarnation))

    def init_failed(self, turn: Turn, reason: Reason) -> None:
        """A supervisor could not start."""
        turn.life = Life.DOWN
        turn.cell.reason = str(reason)
        self.kernel.lifecycle.to_parent(
            turn, StartFailed(turn.cell.id, turn.cell.incarnation, reason)
        )

    def ignored(self, turn: Turn, why: str) -> None:
        """A supervisor declines to start."""
        turn.life = Life.DOWN
        cell, reason = turn.cell, Reason("normal", f"declined: {why}")
        cell.reason = str(reason)
        self.kernel.lifecycle.to_parent(turn, Ignored(cell.id, cell.incarnation, reason))

    def reply(self, turn: Turn, to: ReplyTo, ok: bool, value: object) -> None:
        """Have the turn's record answer what the supervisor was asked, now or long ago."""
        book = self.kernel.book
        turn.reply = (to, ok, book.blobs.small(book.codec.encode(value, "the answer")))

    def awaits(self, cell: Cell) -> Iterable[int]:
        """The child for whose start or end a supervisor waits, if only that child can bring it."""
        actor: Any = cell.actor if cell.actor is not None else self.kernel.turns.load(cell)
        child = None if actor is None else actor.awaits()
        if child is None:
            return ()
        turn = self.kernel.book.cell(child).turn
        return () if turn is None or turn.kind == "receive" else (child,)

    def exit_self(self, turn: Turn, reason: Reason, asked: bool) -> None:
        """A supervisor's children are down: it ends, on its own or because it was asked to."""
        turn.life = Life.DOWN
        cell = turn.cell
        cell.reason = str(reason)
        if asked:
            self.kernel.lifecycle.to_parent(turn, Stopped(cell.id, cell.incarnation, reason))
        else:
            self.kernel.lifecycle.to_parent(turn, Exit(cell.id, cell.incarnation, reason))
