"""Lives: births, what a supervisor's decision changes, and what becomes of inboxes left behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.routing import is_request
from perdure.ledger.images import materialise
from perdure.ledger.keys import child_id, child_prefix, name_key
from perdure.ledger.records import Dead, Kind, Life
from perdure.ledger.rows import born
from perdure.mailbox.envelope import Envelope, ReplyTo

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

LifeChange = tuple[int, int, int]
"""(actor id, incarnation, Life) that a record brings about."""

OVER = (Life.STOPPED, Life.ENDED)
IMPLICIT = "perdure.spawned"
"""Registered name of the class that supervises spawned children; the supervisors room has it."""


class Lives:
    """Changes lives as records say; whoever is over for good takes its children along."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.restarts = 0  # in this process

    def expand(self, lives: Iterable[LifeChange]) -> list[LifeChange]:
        """Life changes with those that follow from them."""
        changes = list(lives)
        for id, _, life in changes:  # grows while it is read
            if life in OVER:
                spawned = self.kernel.book.cell(id).class_name == IMPLICIT
                for child in self.children(id):
                    after = Life.ENDED if spawned or child.class_name == IMPLICIT else life
                    if child.life != after:
                        changes.append((child.id, child.incarnation, int(after)))
        return changes

    def doomed(self, lives: Iterable[LifeChange]) -> list[Dead]:
        """The dead letters that life changes make: inboxes of the stopped and the ended.

        What a supervisor was asked for and has not begun with dies with its life.
        """
        dead = []
        for id, _, life in lives:
            cell = self.kernel.book.cell(id)
            said = cell.reason if not cell.is_alive else ""  # else of an earlier life
            text = said or ("ended" if life == Life.ENDED else "stopped")
            envs = list(cell.inbox or ()) if life in OVER else []
            dead += [
                Dead(env.seq, env.index, cell.address, f"its actor is gone: {text}", 0)
                for env in envs + self.requests(cell, life)
            ]
        return dead

    def requests(self, cell: Cell, life: int) -> list[Envelope]:
        """The requests that wait in a supervisor's control lane as its life ends."""
        if not cell.is_supervisor or life < Life.DOWN:
            return []
        decode = self.kernel.book.codec.decode
        return [env for env in cell.control or () if is_request(env.body, decode)]

    def apologies(self, lives: Iterable[LifeChange]) -> list[Envelope]:
        """To whom a supervisor owes an answer as its life ends: there will be none."""
        found = []
        for id, _, life in lives:
            cell = self.kernel.book.cell(id)
            if cell.is_supervisor and cell.is_alive and life >= Life.DOWN:
                reply = self._owed(cell)
                if reply is not None:
                    body = self.kernel.book.codec.encode(None)
                    dead = (cell.address, "the supervisor ended before it had done what was asked")
                    found.append(Envelope(0, body, "NoneType", cell.id, reply=reply, dead=dead))
        return found

    def _owed(self, cell: Cell) -> ReplyTo | None:
        """Whom a supervisor owes an answer, by its committed state."""
        book = self.kernel.book
        book.load_state(cell)
        image = (cell.images or {}).get("owes")
        return None if image is None else materialise(image, book.codec.decode)

    def apply(self, lives: Iterable[LifeChange], dead: list[Dead]) -> None:
        """Bring life changes about; `dead` is what `doomed` said of them."""
        book = self.kernel.book
        rows = {(row.seq, row.index): row for row in dead}
        for id, incarnation, life in lives:
            cell = book.cell(id)
            if life == Life.STARTING and incarnation > 1:
                cell.restarts += 1
                self.restarts += 1
                self.kernel.news.restarted(cell, incarnation)
            cell.life, cell.incarnation = life, incarnation
            cell.row_dirty = True
            book.touch(cell)
            if life >= Life.DOWN:
                self.bury_requests(cell, life, rows)
                if cell.watches:
                    self.kernel.watching.end(cell)
            if life in OVER:
                self._empty(cell, rows)
            if life == Life.ENDED and book.find(cell.address) == cell.id:
                book.names[cell.address] = 0
                book.open.delete(name_key(cell.address))
                book.editions.own.pop(id, None)
            if life != Life.RUNNING:
                self.kernel.dispatch.withdraw(cell)
            self.kernel.dispatch.consider(cell)

    def bury_requests(self, cell: Cell, life: int, rows: dict[tuple[int, int], Dead]) -> None:
        """Bury what a supervisor was asked for and has not begun with."""
        for env in self.requests(cell, life):
            self.kernel.book.consume(cell, env)
            self.kernel.book.bury(rows[env.seq, env.index], env.reply)

    def _empty(self, cell: Cell, rows: dict[tuple[int, int], Dead]) -> None:
        """Bury what is in the inbox of an actor that is over."""
        book = self.kernel.book
        if cell.turn is not None:
            self.kernel.lifecycle.fence(cell.turn)
        for env in list(cell.inbox or ()):
            book.consume(cell, env)
            book.bury(rows[env.seq, env.index], env.reply)
        cell.attempts = cell.not_before = 0
        cell.stalled = ""
        cell.actor = None

    # --- births

    def birth(
        self,
        parent: Cell | None,
        address: str,
        class_name: str,
        version: int,
        spec: dict[str, Any],
        init: bytes,
        life: int,
        step: tuple[int, int, int, str] | None = None,
    ) -> Cell:
        """Record that an actor exists; its id is the record's seq, `step` what spawned it."""
        book = self.kernel.book
        parent_id = 0 if parent is None else parent.id
        init = book.blobs.small(init)
        who = (book.now_ns(), (), address, class_name, version, parent_id)
        fields = (*who, spec, init, int(life)) + (() if step is None else (step,))
        id = book.append(Kind.BIRTH, fields)
        row = born(address, class_name, version, parent_id, spec, init, life)
        return book.adopt(id, row)

    def children(self, parent: int) -> list[Cell]:
        """The actors born under a supervisor that have not ended, in order of birth."""
        book = self.kernel.book
        ids = {child_id(key)[1] for key, _ in book.store.scan(child_prefix(parent))}
        ids |= {cell.id for cell in book.cells.values() if cell.parent == parent}
        cells = [book.cell(id) for id in sorted(ids)]
        return [cell for cell in cells if cell.life != Life.ENDED]
