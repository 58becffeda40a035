"""What waits for a person's word in a run: the actor of an address, the step of a record."""

from __future__ import annotations

from perdure.actors.cell import Cell
from perdure.actors.kernel import Kernel
from perdure.errors import UsageError
from perdure.mailbox.envelope import Envelope
from perdure.runtime.doubts import step_of

CLEARINGS = ("again", "forget", "dead")
"""What can be done about a stalled actor."""


def stalled_at(kernel: Kernel, address: str) -> Cell:
    """The stalled actor at an address. Raises `UnknownActor`; `UsageError` for one that is not."""
    cell = kernel.book.cell_at(address)
    if not cell.stalled:
        raise UsageError(
            f"{address} is not stalled, so there is nothing to repair. `perdure tree RUN` "
            "shows who is."
        )
    return cell


def step_in_doubt(kernel: Kernel, intent: int) -> tuple[Cell, Envelope, str]:
    """The step that a record says was about to happen, if that is all there is of it.

    In a run that goes on, that is so for what is under way: only a stalled actor's is in doubt.
    """
    book = kernel.book
    doubt = step_of(book.store, intent)
    cell = book.cell(doubt.actor)
    if not cell.stalled and not kernel.dispatch.is_stopping:
        raise UsageError(
            f"the step of record {intent} is under way in {cell.address}, or was judged already."
        )
    env = cell.pending(*doubt.message)
    if env is None:
        raise UsageError(f"message {doubt.message} of {cell.address} is over.")
    return cell, env, doubt.key
