"""Steps that no handler asks for any more: what they reserved is charged as their message goes.

Nobody knows whether they happened: a process died in the middle, and the next attempt crashed
before it came to them, or went another way; or their actor was ended while they were under way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from perdure.actors.cell import Step
from perdure.ledger.records import Kind, Life
from perdure.ledger.steprecords import UNASKED

if TYPE_CHECKING:
    from perdure.actors.book import Book
    from perdure.actors.cell import Cell
    from perdure.actors.kernel import Kernel
    from perdure.actors.lives import LifeChange
    from perdure.mailbox.envelope import Envelope


def charge(kernel: Kernel, cell: Cell, env: Envelope) -> None:
    """Settle what the steps of a message still reserve; to be called before a record ends it."""
    for key, step in list((env.steps or {}).items()):
        if step.reserved:
            text = f"its message ended and nobody had asked for {key} again"
            value = kernel.book.codec.encode((UNASKED, text, ""))
            end(kernel.book, cell, env, key, False, value, step.reserved)
            kernel.loop.call_soon(kernel.budget_freed)  # who waits for that room is refused


def charge_inboxes(kernel: Kernel, lives: Iterable[LifeChange]) -> None:
    """`charge` for all messages of those who are over for good; before the record that says so."""
    for id, _, life in lives:
        if life >= Life.STOPPED:
            cell = kernel.book.cell(id)
            for env in cell.inbox or ():
                if env.steps:
                    charge(kernel, cell, env)


def end(
    book: Book, cell: Cell, env: Envelope, key: str, ok: bool, value: bytes, spent: int
) -> None:
    """Record what a step ended with that nothing in this process does."""
    old: Step = (env.steps or {})[key]
    value = book.blobs.small(value)
    who = (cell.id, cell.incarnation, cell.attempts + 1, (env.seq, env.index))
    what = (key, old.name, old.digest, ok, value, spent, old.reserved, 0)
    how = (None, old.intent, old.begun, old.tries)
    seq = book.append(Kind.RESULT, (book.now_ns(), (), *who, *what, *how))
    if old.reserved:
        book.set_budget(book.budget.settle(old.reserved, spent))
        cell.spend(spent)
    step = Step("done", old.name, old.digest, seq)
    step.ok, step.value, step.begun, step.intent = ok, value, old.begun, old.intent
    step.tries, step.effect, step.redone = old.tries, old.effect, old.redone
    book.keep_step(cell, env, key, step)
