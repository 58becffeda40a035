"""What comes of a turn that is over: it changes nothing, and is recorded."""

from __future__ import annotations

from perdure.actors.book import Book
from perdure.actors.turn import Turn
from perdure.ledger.records import Kind


def late(book: Book, turn: Turn, what: str) -> None:
    """Record that a result of a turn that is over changed nothing."""
    cell, env = turn.cell, turn.envelope
    who = (cell.id, turn.incarnation, cell.incarnation, (env.seq, env.index))
    book.append(Kind.LATE, (book.now_ns(), (), *who, what))
