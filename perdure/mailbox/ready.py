"""The ready set: units that may run now, best index first, in order of arrival among equals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

STALE_MIN = 64  # fewer stale entries than these are not worth the work


class ReadySet(Generic[T]):
    """An indexed heap: push, pop the best, discard or re-index any unit by itself.

    The heap holds each index once, with a queue of the units that have it: there are few indices
    and many units, so most pushes and pops never touch the heap. Removal is lazy: a unit that was
    discarded or has another index by now is passed over when it surfaces.

    >>> ready = ReadySet[str]()
    >>> ready.push("cheap", 5.0)
    >>> ready.push("dear", 9.0)
    >>> ready.pop()
    'dear'
    """

    __slots__ = ("_best", "_entries", "_indices", "_queues", "_stale")

    def __init__(self) -> None:
        self._entries: dict[T, tuple[float, T]] = {}  # unit -> (index, unit), as it is queued
        self._queues: dict[float, deque[tuple[float, T]]] = {}
        self._indices: list[float] = []  # negated: a heap of the indices that have a queue
        self._best: deque[tuple[float, T]] | None = None  # the queue of the greatest of them
        self._stale = 0  # queued entries that no longer count

    def push(self, unit: T, index: float) -> None:
        """Add a unit, or give it a new index; with the one that it has it keeps its place."""
        entries = self._entries
        if unit in entries:
            if entries[unit][0] == index:
                return
            self._forget()
        entries[unit] = entry = (index, unit)
        queue = self._queues.get(index)
        if queue is None:
            queue = self._queues[index] = deque()
            heappush(self._indices, -index)
            self._find_best()
        queue.append(entry)

    def pop(self) -> T | None:
        """Take the unit with the greatest index; None when nothing is ready."""
        entries, queue = self._entries, self._best
        while queue is not None:
            while queue:
                entry = queue.popleft()
                unit = entry[1]
                held = entries.pop(unit, None)
                if held is entry:
                    return unit
                if held is not None:
                    entries[unit] = held
                self._stale -= 1
            del self._queues[-heappop(self._indices)]
            queue = self._find_best()
        return None

    def _find_best(self) -> deque[tuple[float, T]] | None:
        indices = self._indices
        self._best = self._queues[-indices[0]] if indices else None
        return self._best

    @property
    def best(self) -> T | None:
        """The unit that `pop` would take."""
        unit = self.pop()
        if unit is not None:  # it goes back to where it was
            index = -self._indices[0]
            self._entries[unit] = entry = (index, unit)
            self._queues[index].appendleft(entry)
        return unit

    def discard(self, unit: T) -> None:
        """Remove a unit if it is there."""
        if self._entries.pop(unit, None) is not None:
            self._forget()

    def _forget(self) -> None:
        """One more queued entry is stale; when most of them are, the queues are made anew."""
        self._stale += 1
        if self._stale <= STALE_MIN or self._stale <= len(self._entries):
            return
        self._stale = 0
        entries = self._entries
        for index, queue in list(self._queues.items()):
            left = deque(entry for entry in queue if entries.get(entry[1]) is entry)
            if left:
                self._queues[index] = left
            else:
                del self._queues[index]
        self._indices = [-index for index in self._queues]
        heapify(self._indices)
        self._find_best()

    def index(self, unit: T) -> float:
        """The index that a unit in the set has; raises `KeyError` for any other."""
        return self._entries[unit][0]

    def __contains__(self, unit: object) -> bool:
        return unit in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        """The units in the order in which they would be popped."""
        for index in sorted(self._queues, reverse=True):
            for entry in list(self._queues[index]):
                if self._entries.get(entry[1]) is entry:
                    yield entry[1]
