"""The children of an ordinary supervisor, in start order."""

from __future__ import annotations

from collections.abc import Mapping

from perdure.supervisors.entry import Entry
from perdure.supervisors.shelves import Shelf, Shelves

_SHELF_BITS = 4


class Siblings(Shelves):
    """Entries in start order, by ids that are any names; an id that comes is the last.

    Where each stands is the same object for all that differ in entries only: a supervisor whose
    hundred children start again one by one changes an entry two hundred times, and no place.
    """

    __slots__ = ("_places",)

    def __init__(
        self,
        shelves: dict[int, Shelf] | None = None,
        size: int = 0,
        places: dict[str, int] | None = None,
    ) -> None:
        super().__init__(shelves, size)
        self._places = places if places is not None else {}

    def __getitem__(self, id: str) -> Entry:
        return self._shelves[self._places[id] >> _SHELF_BITS][id]

    @classmethod
    def of(cls, entries: Mapping[str, Entry]) -> Siblings:
        """Those entries, in their order."""
        if isinstance(entries, Siblings):
            return entries
        places = {id: place for place, id in enumerate(entries)}
        shelves: dict[int, Shelf] = {}
        for id, entry in entries.items():
            shelves.setdefault(places[id] >> _SHELF_BITS, {})[id] = entry
        return cls(shelves, len(places), places)

    def with_entry(self, entry: Entry) -> Siblings:
        places, place = self._places, self._places.get(entry.id)
        if place is None:
            place = next(reversed(places.values()), -1) + 1
            places = {**places, entry.id: place}
        return Siblings(*self.put(place >> _SHELF_BITS, entry), places)

    def without(self, id: str) -> Siblings:
        places = {each: place for each, place in self._places.items() if each != id}
        return Siblings(*self.taken(self._places[id] >> _SHELF_BITS, id), places)

    @property
    def places(self) -> Mapping[str, int]:
        """Where each stands."""
        return self._places


def is_same_order(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> bool:
    """Whether it shows without a look at each that they have the same ids in the same order.

    Those of a pool are in order whatever happens.
    """
    if isinstance(after, Siblings):
        return isinstance(before, Siblings) and after.places is before.places
    return isinstance(after, Shelves)
