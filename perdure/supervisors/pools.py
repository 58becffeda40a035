"""The children of a pool: numbered, as many as one likes, and cheap to change one of."""

from __future__ import annotations

from collections.abc import Mapping

from perdure.supervisors.entry import Entry
from perdure.supervisors.shelves import Shelf, Shelves

_SHELF_BITS = 7


def number_of(id: str) -> int | None:
    """The number that an instance's id is; None for any other text.

    >>> number_of("12"), number_of("012"), number_of("w")
    (12, None, None)
    """
    if id.isdecimal() and id.isascii() and not id.startswith("0"):
        return int(id)
    return None


class Instances(Shelves):
    """Entries by their numbers, in order, on shelves of 128."""

    __slots__ = ()

    def __getitem__(self, id: str) -> Entry:
        number = number_of(id)
        if number is None:
            raise KeyError(id)
        return self._shelves[number >> _SHELF_BITS][id]

    @classmethod
    def of(cls, entries: Mapping[str, Entry]) -> Instances:
        """Those entries, which are in the order of their numbers."""
        shelves: dict[int, Shelf] = {}
        for id, entry in entries.items():
            shelves.setdefault(int(id) >> _SHELF_BITS, {})[id] = entry
        return cls(shelves, len(entries))

    def with_entry(self, entry: Entry) -> Instances:
        """With that entry changed, or added: its number is then the highest."""
        return Instances(*self.put(int(entry.id) >> _SHELF_BITS, entry))

    def without(self, id: str) -> Instances:
        return Instances(*self.taken(int(id) >> _SHELF_BITS, id))
