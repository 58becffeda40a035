"""The code of a run's actors: what the ledger says of it, and who cannot be loaded with newer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.actors.cell import Cell
from perdure.actors.editions import Edition
from perdure.actors.events import Event
from perdure.ledger import fold_code
from perdure.ledger.blobs import digest_of, refer
from perdure.ledger.interventions import Reload
from perdure.ledger.keys import CODE_KEY
from perdure.ledger.records import Kind
from perdure.ledger.rows import CodeRow, pack_row, unpack_row
from perdure.mailbox.control import crash as reason_of

if TYPE_CHECKING:
    from perdure.actors.actor import Actor
    from perdure.actors.kernel import Kernel


class Codes:
    """Who has new code after the turn that it is at, and who goes on with what it had."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._row: CodeRow | None = None  # as it is with the open group; None: as it is stored
        self._unproven: set[int] = set()  # actors that no object was made of by their new code

    # --- what the ledger says

    def opened(self, seq: int, edition: Edition, durability: str) -> None:
        """A process took the ledger: everybody runs the code that it has loaded, at its level."""
        edition.since = seq
        self._put(fold_code.opened(self._now(), seq, edition.digest, durability))

    def keep_files(self, files: bytes) -> bytes:
        """Have the files of code in the ledger, once; the reference to them, if there are any."""
        if not files:
            return b""
        reference = refer(files)
        self.kernel.book.blobs.keep({digest_of(reference): files})
        return reference

    def reloaded(self, seq: int, body: Reload) -> None:
        """A reload was recorded."""
        self._put(fold_code.reloaded(self._now(), seq, body))

    def _now(self) -> CodeRow:
        raw = self.kernel.book.store.get(CODE_KEY) if self._row is None else None
        stored = fold_code.NO_CODE if raw is None else unpack_row(CodeRow, raw)
        return self._row or stored

    def _put(self, row: CodeRow) -> None:
        self._row = row
        self.kernel.book.open.puts[CODE_KEY] = pack_row(row)

    def mark(self, cell: Cell, seq: int) -> None:
        """Have the row of an actor say since which record it goes on with older code."""
        cell.kept = seq
        cell.row_dirty = True
        self.kernel.book.touch(cell)

    # --- turns that were under way, actors that were not loaded

    def renew(self, cell: Cell) -> None:
        """The turn is over that an actor was at when its code changed."""
        cell.renews = False
        edition = self.kernel.book.editions.of(cell.id, cell.class_name)
        if edition is not cell.edition:
            cell.run(edition)
            self._unproven.add(cell.id)

    def doubt(self, cell: Cell) -> None:
        """An actor was given code of which no object of it was made yet."""
        self._unproven.add(cell.id)

    def proven(self, cell: Cell) -> None:
        """An object was made by the code that an actor is to run."""
        if self._unproven:
            self._unproven.discard(cell.id)

    def fall_back(self, cell: Cell, error: Exception) -> Actor:
        """The object of an actor that its new code cannot load, by the code that it had before.

        Raises `error` if that is not what is wrong: it ran on this code already, or never on other.
        """
        newer = cell.edition
        had_other = cell.id < newer.since and cell.last < newer.since
        if not had_other and cell.id not in self._unproven:
            raise error
        edition = newer.before
        while edition is not None:
            cell.run(edition.of(cell.class_name))
            try:
                actor = self.kernel.turns.made(cell)
            except Exception:  # noqa: BLE001 - user code; what the newest said is what is told
                edition = edition.before
                continue
            self._keep(cell, error)
            return actor
        cell.run(newer)
        raise error

    def _keep(self, cell: Cell, error: Exception) -> None:
        book, why = self.kernel.book, str(reason_of(error))
        fields = (book.now_ns(), (), cell.id, cell.edition.digest, why)
        seq = book.append(Kind.KEEP, fields)
        book.editions.keep(cell.id, cell.edition)
        self._unproven.discard(cell.id)
        self.mark(cell, seq)
        self.kernel.news.announce(seq, Event("kept", book.now_ns(), cell.address, reason=why))
