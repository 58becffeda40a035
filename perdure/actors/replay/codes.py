"""Which code ran which turn, as records say: processes, reloads, actors that kept what they had."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.actors.cell import Cell
from perdure.actors.editions import Edition, Editions
from perdure.ledger import records

if TYPE_CHECKING:
    from perdure.actors.replay.past import Past

Id = tuple[int, int]
CodeOf = Callable[[bytes], Edition]
"""The code of a digest, as a new edition each time."""


class Codes:
    """The editions of a journal that is read from its start."""

    def __init__(self, past: Past, code_of: CodeOf) -> None:
        self.past = past
        self.code_of = code_of
        self.editions = Editions(code_of(b""))
        self._renewing: dict[int, tuple[int, Id]] = {}  # actor -> the turn it has other code after

    def opened(self, digest: bytes) -> None:
        """A process has loaded code, and everybody runs it."""
        self._renewing.clear()
        self.editions = Editions(self.code_of(digest))

    def reload(self, seq: int, body: records.Reload) -> None:
        """Everybody, or some and all below them, run other code from their next message on."""
        past, edition = self.past, self.code_of(body.code_hash)
        if body.scope:
            self.editions.some_to(edition, seq, self._below(body.scope))
        else:
            self.editions.all_to(edition, seq)
        for id, _ in body.kept:
            self.editions.keep(id, past.cell(id).edition)
        under_way = {id: (incarnation, (at, n)) for id, incarnation, at, n in body.under_way}
        self._renewing |= under_way
        for cell in list(past.cells.values()):
            if cell.id not in under_way:
                self._recast(cell)

    def keep(self, body: records.Keep) -> None:
        """An actor goes on with code that it had before."""
        cell = self.past.cell(body.actor)
        edition = self._that_ran(cell, body.code_hash)
        self.editions.keep(cell.id, edition)
        self._renewing.pop(cell.id, None)
        cell.run(edition)

    def ended(self, id: int) -> None:
        """An actor is gone."""
        self.editions.own.pop(id, None)
        self._renewing.pop(id, None)

    # --- turns that were under way

    def begin(self, cell: Cell, incarnation: int, message: Id) -> None:
        """The record of a turn comes next: it ran older code, if it is the one under way then."""
        if self._renewing.get(cell.id, (incarnation, message)) != (incarnation, message):
            self.renew(cell)

    def renew(self, cell: Cell) -> None:
        """The turn is over that an actor was at when its code changed."""
        if self._renewing.pop(cell.id, None) is not None:
            self._recast(cell)

    def _recast(self, cell: Cell) -> None:
        edition = self.editions.of(cell.id, cell.class_name)
        if edition is not cell.edition:
            cell.run(edition)

    def _below(self, scope: tuple[int, ...]) -> list[int]:
        found = list(scope)
        for id in found:  # grows while it is read
            found += self.past.below.get(id, ())
        return found

    def _that_ran(self, cell: Cell, digest: bytes) -> Edition:
        """What an actor ran before, by its digest."""
        each = cell.edition.before
        while each is not None:
            if each.digest == digest:
                return each.of(cell.class_name)
            each = each.before
        return self.code_of(digest)


EFFECTS: dict[type[Any], Callable[[Past, int, Any], None]] = {
    records.Reload: lambda past, seq, body: past.codes.reload(seq, body),
    records.Keep: lambda past, seq, body: past.codes.keep(body),
}
"""What these records change."""
