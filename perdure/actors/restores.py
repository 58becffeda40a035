"""State set back: the ladder that a restart climbs, and what a person restores."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from perdure.actors.attempts import rungs_of
from perdure.actors.cell import Cell
from perdure.actors.marking import find_mark
from perdure.errors import Broken
from perdure.ledger.difference import difference
from perdure.ledger.images import Image, apply, state_hash
from perdure.ledger.journal import read_record
from perdure.ledger.past import chain, past
from perdure.ledger.records import Kind, Record, Turn

if TYPE_CHECKING:
    from perdure.actors.book import Book
    from perdure.actors.kernel import Kernel

FRESH = "fresh"
MARK = "mark:"


class Restored(NamedTuple):
    """A state that was set back: to which record's (0: to that of a new actor), and how far."""

    address: str
    as_of: int
    undone: int


def climb(kernel: Kernel, cell: Cell, incarnation: int) -> bool:
    """Before a restart: set the state back, if the actor fell so often that its ladder says so.

    False when what it needs to know is not durable yet: the start is to be tried again then.
    """
    book = kernel.book
    book.load_state(cell)
    rungs = rungs_of(cell.spec, cell.falls) if cell.fell_at == cell.turns else ()
    if not rungs:
        return True
    if book.durable < cell.seq:
        kernel.barrier.when_durable(cell.seq, lambda: kernel.dispatch.consider(cell))
        return False
    for rung in rungs:
        at = 0 if rung == FRESH else find_mark(book, cell.id, rung.removeprefix(MARK))
        if rung == FRESH or at > cell.id:
            restored = set_back(book, cell, rung, at, incarnation)
            if restored is not None:
                kernel.news.report(cell, book.seq, told(rung, restored))
            return True
    return True


def set_back(book: Book, cell: Cell, rung: str, at: int, incarnation: int) -> Restored | None:
    """Make the state of an actor what it was after the record `at`; None when it is that already.

    0 is the state of a new actor. All that it did up to now must be durable.
    """
    book.load_state(cell)
    as_of, images = 0, dict[str, Image]()
    if at > cell.id:
        found = past(lambda seq: _record(book, seq), cell.id, cell.last, at)
        images = found.images
        as_of = 0 if found.seq == cell.id else found.seq
    current = cell.images or {}
    delta = difference(current, images)
    if not delta:
        return None
    undone = _undone(book, cell, as_of)
    after = state_hash(cell.state_hash, delta)
    who = (book.now_ns(), (), cell.id, incarnation, rung, as_of, undone)
    seq = book.append(Kind.RESTORE, (*who, delta, after, cell.last))
    apply(current, delta)
    if cell.log is not None:
        cell.log.add(delta)
    cell.images, cell.state_hash, cell.last, cell.actor = current, after, seq, None
    cell.dirty = True
    book.touch(cell)
    return Restored(cell.address, as_of, undone)


def told(rung: str, restored: Restored) -> str:
    """A restore in words."""
    to = f"record {restored.as_of}" if restored.as_of else "the state of a new actor"
    return f"set back to {rung}: {to}, {restored.undone} turns undone"


def _undone(book: Book, cell: Cell, as_of: int) -> int:
    """The turns whose changes are gone."""
    undone = 0
    for record, body in chain(lambda seq: _record(book, seq), cell.id, cell.last):
        if record.seq <= as_of:
            break
        undone += isinstance(body, Turn) and bool(body.delta)
    return undone


def _record(book: Book, seq: int) -> Record:
    raw = book.store.record(seq)
    if raw is None:
        raise Broken(f"record {seq} is not durable, and a state is to be set back to it")
    return read_record(raw)
