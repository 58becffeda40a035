"""Forks that may not act yet: which run wrote what, and whether effects wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.ledger.keys import FORK_KEY
from perdure.ledger.lineage import run_id_at
from perdure.ledger.records import Kind
from perdure.ledger.rows import ForkRow, pack_row, unpack_row

if TYPE_CHECKING:
    from perdure.actors.book import Book
    from perdure.ledger.group import Store

HELD = "held: a fork; `perdure resume FORK --live` lets it act"
"""Why a call waits."""


class Pedigree:
    """Who this run is, and of whom it is a fork. `run_id` is set when the header is known."""

    def __init__(self, store: Store) -> None:
        raw = store.get(FORK_KEY)
        self.fork = None if raw is None else unpack_row(ForkRow, raw)
        self.run_id = b"" if self.fork is None else self.fork.run_id
        self.has_refused = False  # a call waits, in this process

    def run_id_at(self, seq: int) -> bytes:
        """The id of the run that wrote a record; idempotency keys are made of it."""
        return run_id_at(self.run_id, self.fork, seq)

    def holds(self, effect: str) -> bool:
        """Whether a call with that effect has to wait until the fork is live."""
        is_held = self.fork is not None and self.fork.held and effect != "read"
        self.has_refused |= is_held
        return is_held

    def let_live(self, book: Book) -> None:
        """Record that a fork may act from here on; nothing for a run that may already."""
        if self.fork is not None and self.fork.held:
            self.fork = self.fork._replace(held=False)
            book.append(Kind.LIVE, (book.now_ns(), ()))
            book.open.puts[FORK_KEY] = pack_row(self.fork)
