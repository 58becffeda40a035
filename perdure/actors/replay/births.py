"""Births in turns under way: the turn that asks for one again gets that."""

from __future__ import annotations

from perdure.actors.cell import Cell

Id = tuple[int, int]


class Births:
    """Who was born by whom and for which message, until that message is over."""

    def __init__(self) -> None:
        self._by: dict[int, dict[str, tuple[Cell, Id | None]]] = {}

    def add(self, by: int, cell: Cell, message: Id | None) -> None:
        """The actor `by` bore one; without a message, for the turn that it is at."""
        self._by.setdefault(by, {})[cell.address] = cell, message

    def of(self, by: int, message: Id) -> dict[str, Cell]:
        """Whom a try at the message may ask for, by address."""
        born = self._by.get(by, {}).items()
        return {address: cell for address, (cell, of) in born if of in (None, message)}

    def spawned(self, by: int, message: Id) -> list[Cell]:
        """The children that tries at the message have spawned."""
        return [cell for cell, of in self._by.get(by, {}).values() if of == message]

    def over(self, by: int, message: Id) -> None:
        """The message is over, or begun as if it were new."""
        for address in self.of(by, message):
            del self._by[by][address]
        if not self._by.get(by, True):
            del self._by[by]

    def ended(self, by: int) -> None:
        """The actor is gone."""
        self._by.pop(by, None)
