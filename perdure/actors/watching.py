"""Links and monitors at work: made by closing records, told of when a life ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.actors.lives import LifeChange
from perdure.actors.turn import Turn
from perdure.ids import KERNEL_ID
from perdure.ledger import watching
from perdure.ledger.keys import watch_key
from perdure.ledger.records import Lane, Life
from perdure.ledger.watching import LINK, LINKED, MONITOR, WATCHED, Change, Watches
from perdure.mailbox.control import KILLED, SHUTDOWN, Reason, read_reason
from perdure.mailbox.envelope import Envelope
from perdure.mailbox.signals import Down

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NOPROC = "noproc"
"""What the life of an actor that has none ended with."""


class Watching:
    """Gathers, before a record, whom it tells of an end; follows it in memory and in rows after."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    # --- before the record

    def resolved(self, turn: Turn) -> list[Change]:
        """What a turn asked for, with the ids of those who live at these addresses."""
        book, found = self.kernel.book, []
        for verb, address, monitor in turn.watches or ():
            id = book.find(address)
            is_alive = bool(id) and id != turn.cell.id and book.cell(id).is_alive
            found.append((verb, id if is_alive else 0, monitor))
        return found

    def missing(self, turn: Turn, changes: Iterable[Change]) -> list[Envelope]:
        """What an actor is told at once of those who have no life."""
        cell, told = turn.cell, []
        for (verb, address, monitor), (_, other, _) in zip(
            turn.watches or (), changes, strict=True
        ):
            if other or address == cell.address:
                continue
            if verb == LINK:
                told += self._signal(cell, address, NOPROC)
            elif verb == MONITOR:
                told.append(self._down(cell, monitor, address, NOPROC))
        return told

    def farewells(self, cell: Cell, reason: str, changes: Iterable[Change] = ()) -> list[Envelope]:
        """What is told of the end of a life, to those who hang on it then."""
        watches: Watches = dict(cell.watches or {})
        if changes:
            watching.change(lambda id: watches if id == cell.id else {}, cell.id, changes)
        told = []
        for (other, monitor), how in watches.items():
            if how == LINKED:
                told += self._signal(self.kernel.book.cell(other), cell.address, reason)
            elif how == WATCHED:
                told.append(self._down(self.kernel.book.cell(other), monitor, cell.address, reason))
        return told

    def ends(self, lives: Iterable[LifeChange], why: Reason | None = None) -> list[Envelope]:
        """What is told of the lives that a record ends from above, to those that it leaves.

        `why` is for all of them; else who falls with its supervisor is killed, as in OTP, and who
        ends with its parent was shut down.
        """
        told: list[Envelope] = []
        gone = {id: life for id, _, life in lives if life >= Life.DOWN}
        for id, life in gone.items():
            cell = self.kernel.book.cell(id)
            if cell.watches and cell.is_alive:
                reason = why or (KILLED if life == Life.DOWN else SHUTDOWN)
                told += self.farewells(cell, str(reason))
        return [env for env in told if env.to not in gone]

    def _signal(self, to: Cell, sender: str, reason: str) -> list[Envelope]:
        """What the end of a linked life is to an actor, if it is anything."""
        why = read_reason(reason)
        env = self.kernel.signals.reaching(to, KERNEL_ID, sender, why)
        return [] if env is None else [env]

    def _down(self, to: Cell, monitor: str, address: str, reason: str) -> Envelope:
        body = self.kernel.book.codec.encode(Down(monitor, address, reason))
        return Envelope(to.id, body, Down.__name__, KERNEL_ID, lane=int(Lane.USER))

    # --- after it

    def apply(self, cell: Cell, changes: Iterable[Change]) -> None:
        """Have an actor watch what its record says."""
        before = {each.id: set(each.watches or ()) for each in self._parties(cell, changes)}
        self._write(watching.change(self._of, cell.id, changes), before)

    def end(self, cell: Cell) -> None:
        """Nothing hangs on a life that ended."""
        if cell.watches:
            parties = [cell, *(self.kernel.book.cell(other) for other, _ in cell.watches)]
            before = {each.id: set(each.watches or ()) for each in parties}
            self._write(watching.end(self._of, cell.id), before)

    def _parties(self, cell: Cell, changes: Iterable[Change]) -> list[Cell]:
        return [cell, *(self.kernel.book.cell(other) for _, other, _ in changes if other)]

    def _of(self, id: int) -> Watches:
        cell = self.kernel.book.cell(id)
        if cell.watches is None:
            cell.watches = {}
        return cell.watches

    def _write(self, touched: list[int], before: dict[int, set[tuple[int, str]]]) -> None:
        book = self.kernel.book
        for id in touched:
            cell, old = book.cell(id), before.get(id, set())
            for (other, monitor), how in (cell.watches or {}).items():
                if (other, monitor) not in old:
                    book.open.puts[watch_key(id, other, monitor)] = how.encode()
            for other, monitor in old.difference(cell.watches or ()):
                book.open.delete(watch_key(id, other, monitor))
            cell.watches = cell.watches or None
            cell.row_dirty = True
            book.touch(cell)
