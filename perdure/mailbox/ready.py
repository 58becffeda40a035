"""The ready set: units that may run now, best index first, in order of arrival among equals."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")


class ReadySet(Generic[T]):
    """An indexed heap: push, pop the best, discard or re-index any unit by itself.

    Removal is lazy (a removed entry stays in the heap until it surfaces), so every operation is
    O(log n) in C; the heap is rebuilt when more than half of it is dead.

    >>> ready = ReadySet[str]()
    >>> ready.push("cheap", 5.0)
    >>> ready.push("dear", 9.0)
    >>> ready.pop()
    'dear'
    """

    __slots__ = ("_arrival", "_entries", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._entries: dict[T, int] = {}
        self._arrival = 0

    def push(self, unit: T, index: float) -> None:
        """Add a unit, or give it a new index."""
        self._arrival = arrival = self._arrival + 1
        self._entries[unit] = arrival
        heappush(self._heap, (-index, arrival, unit))
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._entries):
            self._rebuild()

    def pop(self) -> T | None:
        """Take the unit with the greatest index; None when nothing is ready."""
        heap, entries = self._heap, self._entries
        while heap:
            _, arrival, unit = heappop(heap)
            if entries.get(unit) == arrival:
                del entries[unit]
                return unit
        return None

    def discard(self, unit: T) -> None:
        """Remove a unit if it is there."""
        self._entries.pop(unit, None)

    def index(self, unit: T) -> float:
        """The index that a unit in the set has; raises `KeyError` for any other."""
        arrival = self._entries[unit]
        return next(-key for key, number, _ in self._heap if number == arrival)

    def _rebuild(self) -> None:
        entries = self._entries
        self._heap = [entry for entry in self._heap if entries.get(entry[2]) == entry[1]]
        heapify(self._heap)

    def __contains__(self, unit: object) -> bool:
        return unit in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        """The units in the order in which they would be popped."""
        live = (entry for entry in self._heap if self._entries.get(entry[2]) == entry[1])
        return (unit for _, _, unit in sorted(live, key=lambda entry: entry[:2]))
