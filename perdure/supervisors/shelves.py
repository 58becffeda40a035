"""Children by their ids, of which one is cheap to change, however many there are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, ValuesView
from itertools import chain

from perdure.supervisors.entry import Entry

Shelf = dict[str, Entry]


class Shelves(Mapping[str, Entry]):
    """Entries in order, on shelves. Nothing writes to it: each change is a new one.

    A change copies one shelf and the list of shelves; the others stay the same objects.
    """

    __slots__ = ("_shelves", "_size")

    def __init__(self, shelves: dict[int, Shelf] | None = None, size: int = 0) -> None:
        self._shelves = shelves if shelves is not None else {}
        self._size = size

    @abstractmethod
    def with_entry(self, entry: Entry) -> Shelves:
        """With that entry changed, or added last."""

    @abstractmethod
    def without(self, id: str) -> Shelves:
        """Without that entry."""

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._shelves.values())

    def __len__(self) -> int:
        return self._size

    def values(self) -> ValuesView[Entry]:
        return _Entries(self)

    def shelves(self) -> Mapping[int, Shelf]:
        """The shelves by their numbers; one that did not change is the same object."""
        return self._shelves

    def put(self, index: int, entry: Entry) -> tuple[dict[int, Shelf], int]:
        """The shelves with that entry on one of them, and how many entries they hold."""
        shelf = self._shelves.get(index, {})
        size = self._size + (entry.id not in shelf)
        return {**self._shelves, index: {**shelf, entry.id: entry}}, size

    def taken(self, index: int, id: str) -> tuple[dict[int, Shelf], int]:
        """The shelves without that entry of one of them, and how many entries they hold."""
        shelf = dict(self._shelves[index])
        del shelf[id]
        shelves = {**self._shelves, index: shelf}
        if not shelf:
            del shelves[index]
        return shelves, self._size - 1


class _Entries(ValuesView[Entry]):
    """The entries, without looking each up by its id."""

    _mapping: Shelves

    def __iter__(self) -> Iterator[Entry]:
        return chain.from_iterable(map(dict.values, self._mapping.shelves().values()))


def difference(
    before: Mapping[str, Entry], after: Mapping[str, Entry]
) -> tuple[list[str], list[Entry]]:
    """Ids that are gone from `after`, and its entries that are new or other ones."""
    if before is after:
        return [], []
    if not (isinstance(before, Shelves) and isinstance(after, Shelves)):
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
