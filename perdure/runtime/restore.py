"""Setting an actor, and all below it, back to a mark, in a run that no process works on."""

from __future__ import annotations

from pathlib import Path

from perdure.actors.cell import Cell
from perdure.actors.kernel import Kernel
from perdure.actors.marking import find_mark, mark_of
from perdure.actors.recovery import OVER, opened
from perdure.actors.restores import FRESH, MARK, Restored, set_back
from perdure.errors import UsageError
from perdure.runtime.program import package_version
from perdure.runtime.run import Run
from perdure.runtime.view import View


def restore(directory: str | Path, address: str, mark: str) -> list[Restored]:
    """Set the states of an actor and of all below it back to what they were at a mark.

    Who was born later starts over from its init; supervisors stay as they are. Inboxes, timers and
    journaled steps stay too: a message in hand is tried again with the old state. Returns whose
    state is another now. Raises `UsageError`, `UnknownActor`.
    """
    with View(directory) as view:
        if not mark_of(view.store.get, view.find(address), mark):
            raise _no_mark(address, mark)
        if view.status.status in OVER:
            raise UsageError(
                f"the run is {view.status.status}: nothing would go on from the state of a mark. "
                f"`perdure fork RUN --at {mark} --to DIR` does."
            )
    run = Run.resume(directory)
    found: list[Restored] = []

    def begin() -> None:
        kernel, book = run.kernel, run.kernel.book
        top = book.cell_at(address)
        at = find_mark(book, top.id, mark)
        if not at:
            raise _no_mark(address, mark)
        kernel.dispatch.is_stopping = True
        opened(kernel, package_version(), run.program.files)
        for cell in _below(kernel, top):
            rung = f"{MARK}{mark}" if at > cell.id else FRESH
            restored = set_back(book, cell, rung, at, cell.incarnation)
            found.extend(() if restored is None else (restored,))
        kernel.outside.is_up.set()
        kernel.ending.begin("interrupted", f"{address} was set back to {mark}")

    run.begin_with(begin)
    with run:
        run.kernel.ended.wait()
    run.report()
    return found


def _no_mark(address: str, mark: str) -> UsageError:
    return UsageError(
        f"neither {address} nor the run has a mark {mark!r}. `perdure trace RUN` shows what marks."
    )


def _below(kernel: Kernel, cell: Cell) -> list[Cell]:
    """An actor and all that live below it, without their supervisors."""
    found = [] if cell.is_supervisor else [cell]
    for child in kernel.lives.children(cell.id):
        found += _below(kernel, child)
    return found
