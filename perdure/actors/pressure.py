"""Back-pressure: who sends to an inbox past its soft limit waits until it has drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.limits import INBOX_HARD_MAX
from perdure.mailbox.admission import admit, holds_senders, releases_senders

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel


class Pressure:
    """Holds senders, and releases them. Kernel messages are exempt: nothing holds a supervisor."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.hard_max = INBOX_HARD_MAX

    def admit(self, address: str, to: int) -> None:
        """Raise `InboxFull` if the inbox of `to` takes no more; one not loaded is empty."""
        target = self.kernel.book.cells.get(to)
        if target is not None and target.inbox:
            admit(address, len(target.inbox), self.hard_max)

    def sent(self, sender: int, target: Cell) -> None:
        """A message was put into an inbox: hold its sender if that is too long now."""
        if not sender or not holds_senders(target.waiting, self.kernel.book.soft_max):
            return
        cell = self.kernel.book.cell(sender)
        if target.holds is None:
            target.holds = {}
        if cell is not target and cell not in target.holds:
            target.holds[cell] = None
            cell.held += 1

    def drained(self, cell: Cell) -> None:
        """An inbox got shorter: release those who wait for it, if it is short enough."""
        if not cell.holds or not releases_senders(cell.waiting, self.kernel.book.soft_max):
            return
        senders, cell.holds = cell.holds, None
        for sender in senders:
            sender.held -= 1
            self.kernel.dispatch.held.pop(sender, None)
            self.kernel.dispatch.consider(sender)
