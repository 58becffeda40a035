"""Lists, dicts and sets that log what was done to them: see `tracking` for how they work together.

They are what their names say in every other way: `isinstance`, `==`, iteration, `json`, slices and
copies (which are plain). Only C functions that write into a list behind its methods, as `heapq`
does, go unseen, but for a changed length, which `bypassed` finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

from perdure.actors.mutability import ATOMS, is_container
from perdure.actors.tracking import Encode, Entry, Tracked, adopt


class TrackedList(list[Any], Tracked):
    """A list that logs append, extend, setitem, delitem and splice."""

    __slots__ = ("_dirty", "_fresh", "_key", "_log", "_low", "_size", "_stale", "_up")
    __plain__ = list
    _low: int  # no mutable value that was put in is below it
    _size: int  # when last settled

    def append(self, value: Any) -> None:
        list.append(self, value)
        if self._logs():
            self._log.append(("append", value))
            if type(value) not in ATOMS:
                self._put(len(self) - 1, (value,))

    def extend(self, values: Iterable[Any]) -> None:
        if new := list(values):
            list.extend(self, new)
            if self._logs():
                self._log.append(("extend", new))
                self._put(len(self) - len(new), new)

    def insert(self, index: SupportsIndex, value: Any) -> None:
        at = slice(index, None).indices(len(self))[0]
        self._splice(at, at, [value])

    def pop(self, index: SupportsIndex = -1) -> Any:
        at = _position(index, len(self))
        value = list.pop(self, index)
        if self._logs():
            self._log.append(("delitem", at))
            self._low = min(at, self._low)
        return value

    def remove(self, value: Any) -> None:
        del self[self.index(value)]

    def clear(self) -> None:
        self._splice(0, len(self), [])

    def sort(self, **how: Any) -> None:
        self.whole()
        list.sort(self, **how)

    def reverse(self) -> None:
        self.whole()
        list.reverse(self)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            list.__setitem__(self, index, value)
            if self._logs():
                at = _position(index, len(self))
                self._log.append(("setitem", at, value))
                self._put(at, (value,))
        elif index.step in (None, 1):
            first, last, _ = index.indices(len(self))
            self._splice(first, max(first, last), list(value))
        else:
            self.whole()
            list.__setitem__(self, index, value)

    def __delitem__(self, index: Any) -> None:
        if not isinstance(index, slice):
            self.pop(index)
        elif index.step in (None, 1):
            self[index] = []
        else:
            self.whole()
            list.__delitem__(self, index)

    def __iadd__(self, values: Iterable[Any]) -> TrackedList:  # type: ignore[misc]
        self.extend(values)
        return self

    def __imul__(self, times: SupportsIndex) -> TrackedList:
        n = times.__index__()
        if n > 0:
            self.extend(list(self) * (n - 1))
        else:
            self.clear()
        return self

    def bypassed(self) -> bool:
        """Whether a C function such as `heapq.heappush` changed it behind these methods."""
        return self._log is not None and not self._log and len(self) != self._size

    def _splice(self, first: int, last: int, values: list[Any]) -> None:
        if first == last and not values:
            return
        list.__setitem__(self, slice(first, last), values)
        if self._logs():
            self._log.append(("splice", first, last, values))
            self._low = min(first, self._low)
            self._put(first, values)

    def _put(self, low: int, values: Iterable[Any]) -> None:
        """Note which of the values that came in, at `low` or after, can change in place."""
        if new := [value for value in values if type(value) not in ATOMS]:
            self._fresh = self._fresh or []
            self._fresh += new
            self._low = min(low, self._low)

    def _restart(self) -> None:
        self._log = []
        self._low = self._size = len(self)

    def _own(self, whole: bool, fresh: Iterable[Any]) -> None:
        taken = {id(value) for value in fresh}  # put in again, maybe: that place needs a copy
        low = 0 if whole else self._low
        for at, value in enumerate(self[low:] if low else list(self), low):
            if not is_container(value):
                continue
            if isinstance(value, Tracked) and value._up is self and id(value) not in taken:
                value._key = at
                taken.add(id(value))
            else:
                list.__setitem__(self, at, adopt(value, self, at))

    def _entries(self, encode: Encode, what: str) -> list[Entry] | None:
        return [op if op[0] == "delitem" else (*op[:-1], encode(op[-1], what)) for op in self._log]

    def _find(self, child: Tracked, encode: Encode, what: str) -> int | None:
        at: int = child._key
        if at < len(self) and self[at] is child:
            return at
        return next((i for i, value in enumerate(self) if value is child), None)


def _position(index: SupportsIndex, length: int) -> int:
    at = index.__index__()
    return at if at >= 0 else at + length


class TrackedDict(dict[Any, Any], Tracked):
    """A dict that logs setitem and delitem."""

    __slots__ = ("_dirty", "_fresh", "_key", "_log", "_stale", "_up")
    __plain__ = dict

    def __setitem__(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, key, value)
        if self._logs():
            self._log.append(("setitem", key, value))
            if type(value) not in ATOMS:
                self._fresh = self._fresh or []
                self._fresh.append(key)

    def __delitem__(self, key: Any) -> None:
        dict.__delitem__(self, key)
        if self._logs():
            self._log.append(("delitem", key))

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        if key not in self:
            return dict.pop(self, key, *default)
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[Any, Any]:
        key, value = dict.popitem(self)
        if self._logs():
            self._log.append(("delitem", key))
        return key, value

    def clear(self) -> None:
        for key in list(self):
            del self[key]

    def update(self, *others: Any, **items: Any) -> None:
        for key, value in dict(*others, **items).items():
            self[key] = value

    def __ior__(self, other: Any) -> TrackedDict:  # type: ignore[misc]
        self.update(other)
        return self

    @classmethod
    def fromkeys(cls, keys: Iterable[Any], value: Any = None) -> dict[Any, Any]:
        return dict.fromkeys(keys, value)

    def _own(self, whole: bool, fresh: Iterable[Any]) -> None:
        for key in list(self) if whole else fresh:
            value = self.get(key)
            if isinstance(value, Tracked) and value._up is self and value._key == key:
                continue
            if is_container(value):
                dict.__setitem__(self, key, adopt(value, self, key))

    def _entries(self, encode: Encode, what: str) -> list[Entry] | None:
        entries: list[Entry] = []
        for op in self._log:
            if type(op[1]) is not str and type(op[1]) is not int:
                return None  # encoding it whole says what is wrong with the key
            entries.append((op[0], *(encode(part, what) for part in op[1:])))
        return entries

    def _fresh_values(self) -> Iterable[Any]:
        return [self[key] for key in self._fresh or () if key in self]

    def _find(self, child: Tracked, encode: Encode, what: str) -> bytes | None:
        return encode(child._key, what) if self.get(child._key) is child else None


class TrackedSet(set[Any], Tracked):
    """A set that logs add and discard, as the net of a turn: its log maps element to operation."""

    __slots__ = ("_dirty", "_fresh", "_key", "_log", "_stale", "_up")
    __plain__ = set

    def add(self, value: Any) -> None:
        if value not in self:
            set.add(self, value)
            if self._logs():
                self._log.pop(value, None)  # 1 and True are one key: keep the one that came last
                self._log[value] = "add"

    def discard(self, value: Any) -> None:
        if value in self:
            set.discard(self, value)
            if self._logs():
                self._log[value] = "discard"

    def remove(self, value: Any) -> None:
        if value not in self:
            raise KeyError(value)
        self.discard(value)

    def pop(self) -> Any:
        value = next(iter(self), None) if self else set.pop(self)  # which raises KeyError
        self.discard(value)
        return value

    def clear(self) -> None:
        self.difference_update(self)

    def update(self, *others: Iterable[Any]) -> None:
        for value in set().union(*others):
            self.add(value)

    def difference_update(self, *others: Iterable[Any]) -> None:
        for value in set().union(*others):
            self.discard(value)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        self.difference_update(self.difference(self.intersection(*others)))

    def symmetric_difference_update(self, other: Iterable[Any]) -> None:
        common = self.intersection(other := set(other))
        self.difference_update(common)
        self.update(other - common)

    def __ior__(self, other: Any) -> TrackedSet:  # type: ignore[misc]
        self.update(other)
        return self

    def __iand__(self, other: Any) -> TrackedSet:  # type: ignore[misc]
        self.intersection_update(other)
        return self

    def __isub__(self, other: Any) -> TrackedSet:  # type: ignore[misc]
        self.difference_update(other)
        return self

    def __ixor__(self, other: Any) -> TrackedSet:  # type: ignore[misc]
        self.symmetric_difference_update(other)
        return self

    def _restart(self) -> None:
        self._log = {}

    def _own(self, whole: bool, fresh: Iterable[Any]) -> None:
        """Nothing: what can change in place cannot be in a set."""

    def _entries(self, encode: Encode, what: str) -> list[Entry] | None:
        return [
            (op, data) for data, op in sorted((encode(v, what), op) for v, op in self._log.items())
        ]
