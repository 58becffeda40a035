"""Lost wake-ups: work that may be done, a slot that is free, and a kernel that goes to sleep.

Looked at each time the kernel's loop has nothing to run. It reads the kernel's memory, and decides
by rules of its own who may run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.ledger.records import Life
from perdure.simulation.outside import Outside

if TYPE_CHECKING:
    from perdure.actors.cell import Cell
    from perdure.actors.kernel import Kernel

SENDERS_MAX = 3


class Idle:
    """Looks at a kernel that is about to sleep."""

    def __init__(self, kernel: Kernel, outside: Outside) -> None:
        self.kernel = kernel
        self.outside = outside

    def look(self) -> None:
        """Whether anything should not be asleep."""
        kernel = self.kernel
        if kernel.ending.has_begun or kernel.barrier.sealed:
            return  # a commit is on its way: what comes after it wakes the kernel
        if kernel.book.open.records:
            self.outside.wrong(
                f"lost wake-up: records up to {kernel.book.seq} wait to be durable, nothing is on "
                "its way to the disk, and the kernel sleeps"
            )
        if kernel.barrier._waiting and not kernel.book.open.records:
            due = kernel.barrier._waiting[0][0]
            self.outside.wrong(f"lost wake-up: something waits for record {due}, and none comes")
        if kernel.budget_waiters and not kernel.book.budget.reserved:
            self.outside.wrong("lost wake-up: a step waits for room in the budget, and has it")
        if kernel.dispatch.active >= kernel.dispatch.limit:
            return
        if kernel.dispatch.resumes:
            turn = kernel.dispatch.resumes[0][0].turn
            self.outside.wrong(
                f"lost wake-up: {turn.cell.address} has what it waits for, and waits"
            )
        for cell in list(kernel.book.cells.values()):
            if cell.turn is None and self._may_run(cell):
                self.outside.wrong(f"lost wake-up: {cell.address} has work, and the kernel sleeps")
                return

    def _may_run(self, cell: Cell) -> bool:
        if cell.control:
            return self._takes_control(cell)
        if not cell.inbox or cell.life != Life.RUNNING or cell.stalled or cell.asleep is not None:
            return False
        if cell.held or cell.is_supervisor:
            return False
        if cell.suspended and cell.is_suspended:
            return False
        timer = self.kernel.dispatch.soon.get(cell)  # it may be due by now: a commit takes its time
        is_to_come = timer is not None and timer.function is not None
        return cell.not_before <= self.kernel.book.now_ns() and not is_to_come

    def _takes_control(self, cell: Cell) -> bool:
        """A supervisor keeps what its phase does not take; all others take all."""
        if cell.stalled:
            return False
        if not cell.is_supervisor:
            return True
        actor: Any = cell.actor
        if actor is None or cell.is_suspended:
            return False
        decode = cell.edition.codec.decode
        return any(actor.takes(decode(env.body)) for env in cell.control or ())
