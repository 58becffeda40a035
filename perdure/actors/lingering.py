"""Readers in other processes that do not end: a stopped one, a debugger, a foreign program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.events import Event
from perdure.errors import Broken, LedgerError

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.ledger.readers import Reader


class Lingering:
    """Says who has held the ledger as it was, from one look to the next; each of them once.

    Nothing waits for a reader. But the pages of what it may look at are not used again, and the
    file grows until it ends.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._seen: set[tuple[int, int]] = set()
        self._told: set[tuple[int, int]] = set()

    def look(self) -> None:
        """Look who reads, and tell of those who read the same at the last look. Any one thread."""
        try:
            readers = [each for each in self.kernel.book.store.readers() if each.behind]
        except (LedgerError, Broken):
            return  # it is closed, or what is wrong with it is for others to say
        found = {(each.pid, each.txn): each for each in readers}
        for key in (found.keys() & self._seen) - self._told:
            self._told.add(key)
            self.kernel.on_kernel(self._tell, found[key])
        self._seen = set(found)
        self._told &= self._seen

    def _tell(self, reader: Reader) -> None:
        text = (
            f"process {reader.pid} has been reading the ledger for {reader.behind:,} groups. "
            "Nothing waits for it, but the file grows until it ends"
        )
        now_ns = self.kernel.book.now_ns()
        self.kernel.news.observer(Event("reader", now_ns, "ledger", reason=text))
