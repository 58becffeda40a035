"""What a run tells whoever watches it, and whoever wants its dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.attempts import attempts_max
from perdure.actors.cell import Cell
from perdure.actors.crashplan import CrashPlan
from perdure.actors.events import Event, Observer, shown
from perdure.actors.turn import Turn
from perdure.errors import UnknownName
from perdure.ledger.records import Dead
from perdure.mailbox.dead import DeadLetter
from perdure.mailbox.envelope import Envelope

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class News:
    """Shows events once what they tell of is durable (G3); makes DeadLetter messages."""

    def __init__(self, kernel: Kernel, observer: Observer) -> None:
        self.kernel = kernel
        self.observer = observer

    # --- events

    def announce(self, seq: int, event: Event) -> None:
        """Show an event once the record `seq` is durable."""
        self.kernel.barrier.when_durable(seq, lambda: self.observer(event))

    def crashed(self, turn: Turn, reason: str, plan: CrashPlan) -> None:
        """An attempt failed; its record was just appended."""
        cell, env, book = turn.cell, turn.envelope, self.kernel.book
        kind = "start_failed" if turn.kind == "start" else "crashed"
        text = shown(cell.edition.codec.decode(env.body)) if turn.kind == "receive" else ""
        limit = attempts_max(cell.spec)
        about = (book.now_ns(), cell.address, text, str(env.id), reason, turn.attempt, limit)
        self.announce(book.seq, Event(kind, *about))
        if plan.dead:
            self.announce(book.seq, Event("dead", *about))

    def restarted(self, cell: Cell, incarnation: int) -> None:
        """A new incarnation was told to start; its record was just appended."""
        book = self.kernel.book
        event = Event("restarted", book.now_ns(), cell.address, count=incarnation)
        self.announce(book.seq, event)

    def report(self, cell: Cell, seq: int, text: str) -> None:
        """Why something was done to an actor; the record `seq` holds it."""
        event = Event("report", self.kernel.book.now_ns(), cell.address, reason=text)
        self.announce(seq, event)

    def stalled(self, cell: Cell) -> None:
        """An actor waits for a repair; the record that says so was just appended."""
        book = self.kernel.book
        event = Event("stalled", book.now_ns(), cell.address, reason=cell.stalled)
        self.announce(book.seq, event)

    def killed(self, cell: Cell, env: Envelope, reason: str) -> None:
        """A message that ends processes was given up; its record was just appended."""
        book = self.kernel.book
        text = self._text(env)
        event = Event("dead", book.now_ns(), cell.address, text, str(env.id), reason)
        self.announce(book.seq, event)

    def _text(self, env: Envelope) -> str:
        try:
            return shown(self.kernel.book.editions.read(env.body))
        except UnknownName:
            return ""  # its class is gone

    # --- dead letters

    def notices(self, out: list[Envelope]) -> list[Envelope]:
        """DeadLetter messages for sends of the next record that are dead from the start."""
        found: list[Envelope] = []
        for index, env in enumerate(out):
            if env.dead is not None:
                dead = Dead(self.kernel.book.seq + 1, index, env.dead[0], env.dead[1], 0)
                found += self.notice(dead, env.body)
        return found

    def notices_of(self, dead: list[Dead]) -> list[Envelope]:
        """DeadLetter messages for messages that the next record takes out of inboxes."""
        book = self.kernel.book
        found: list[Envelope] = []
        for row in dead:
            cell = book.cells.get(book.find(row.to))
            lanes = () if cell is None else (*(cell.inbox or ()), *(cell.control or ()))
            for env in lanes:
                if (env.seq, env.index) == (row.seq, row.index):
                    found += self.notice(row, env.body)
                    break
        return found

    def notice(self, dead: Dead, body: bytes) -> list[Envelope]:
        """The message that tells the actor which wants dead letters of one; never of its own."""
        book = self.kernel.book
        to = book.dead_letters_to
        target = book.find(to) if to is not None and dead.to != to else 0
        if not target:
            return []
        id = f"{dead.seq}.{dead.index}"
        try:
            message = book.cell(target).edition.codec.decode(body)
        except UnknownName:
            message = None  # its class is gone; the dead letter itself keeps the bytes
        letter = DeadLetter(id, dead.to, message, dead.reason, dead.attempts)
        return [Envelope(target, book.codec.encode(letter), "DeadLetter")]
