"""The children of a pool: numbered, as many as one likes, and cheap to change one of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from perdure.supervisors.entry import Entry

_SHELF_BITS = 7
Shelf = dict[str, Entry]


def number_of(id: str) -> int | None:
    """The number that an instance's id is; None for any other text.

    >>> number_of("12"), number_of("012"), number_of("w")
    (12, None, None)
    """
    if id.isdecimal() and id.isascii() and not id.startswith("0"):
        return int(id)
    return None


class Instances(Mapping[str, Entry]):
    """Entries by their numbers, in order. Nothing writes to it: each change is a new one.

    They stand in shelves of 128, so that a change copies one shelf and the list of shelves.
    """

    __slots__ = ("_shelves", "_size")

    def __init__(self, shelves: dict[int, Shelf] | None = None, size: int = 0) -> None:
        self._shelves = shelves if shelves is not None else {}
        self._size = size

    def __getitem__(self, id: str) -> Entry:
        number = number_of(id)
        if number is None:
            raise KeyError(id)
        return self._shelves[number >> _SHELF_BITS][id]

    def __iter__(self) -> Iterator[str]:
        for shelf in self._shelves.values():
            yield from shelf

    def __len__(self) -> int:
        return self._size

    @classmethod
    def of(cls, entries: Mapping[str, Entry]) -> Instances:
        """Those entries, which are in the order of their numbers."""
        shelves: dict[int, Shelf] = {}
        for id, entry in entries.items():
            shelves.setdefault(int(id) >> _SHELF_BITS, {})[id] = entry
        return cls(shelves, len(entries))

    def with_entry(self, entry: Entry) -> Instances:
        """With that entry changed, or added: its number is then the highest."""
        index = int(entry.id) >> _SHELF_BITS
        shelf = self._shelves.get(index, {})
        size = self._size + (entry.id not in shelf)
        return Instances({**self._shelves, index: {**shelf, entry.id: entry}}, size)

    def without(self, id: str) -> Instances:
        """Without that entry."""
        index = int(id) >> _SHELF_BITS
        shelf = dict(self._shelves[index])
        del shelf[id]
        shelves = {**self._shelves, index: shelf}
        if not shelf:
            del shelves[index]
        return Instances(shelves, self._size - 1)

    def shelves(self) -> Mapping[int, Shelf]:
        """The shelves by their numbers; one that did not change is the same object."""
        return self._shelves


def difference(
    before: Mapping[str, Entry], after: Mapping[str, Entry]
) -> tuple[list[str], list[Entry]]:
    """Ids that are gone from `after`, and its entries that are new or other ones."""
    if before is after:
        return [], []
    if not (isinstance(before, Instances) and isinstance(after, Instances)):
        gone = [id for id in before if id not in after]
        return gone, [entry for id, entry in after.items() if before.get(id) is not entry]
    lost: list[str] = []
    changed: list[Entry] = []
    old, new = before.shelves(), after.shelves()
    for index in {**old, **new}:
        one, other = old.get(index, {}), new.get(index, {})
        if one is not other:
            parts = difference(one, other)
            lost += parts[0]
            changed += parts[1]
    return lost, changed
