"""How a container remembers what was done to it, so that a turn records only that.

A *root* is the value of a field: it logs operations. What is nested inside it is tracked too, but
logs nothing: a change climbs to the root, which records the one element that holds it. Plain
containers that a turn puts in stay plain, aliases and all, until the turn is collected; then each
place that holds one gets a copy of its own, as it would have after a reload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from perdure.actors.mutability import Mutability, mutability
from perdure.limits import STATE_OPS_MAX

Entry = tuple[Any, ...]  # (operation, *arguments): positions as int, values and keys as bytes
Encode = Callable[[Any, str], bytes]

OPS_SPARE = 16  # a log this much longer than its container is worth less than the whole value


class Tracked:
    """What the containers share: where they belong, and what changed since the last settle."""

    if not TYPE_CHECKING:
        __slots__ = ()  # the containers have them: a second base may not

    kinds: ClassVar[list[type[Tracked]]] = []
    __plain__: ClassVar[type[Any]]
    _dirty: set[str]  # of a root: the actor's set of changed fields
    _fresh: list[Any] | None  # mutable values put in: themselves in a list, their keys in a dict
    _key: Any  # of a root: its field; else where in `_up` it was last seen
    _log: Any  # of a root: operations; None when it will be recorded whole, and when nested
    _stale: dict[int, Tracked] | None  # nested containers that changed, by id
    _up: Tracked | None  # the container that this one is nested in; None for a root

    def __init_subclass__(cls) -> None:
        Tracked.kinds.append(cls)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return self.__plain__, (self.__plain__(self),)  # copies and pickles are plain

    def place(self, up: Tracked | None, key: Any) -> None:
        """Begin life in one place: inside `up`, or with None as a root."""
        self._up, self._key = up, key
        self._fresh = self._log = self._stale = None
        self._own(True, ())

    def settle(self, whole: bool) -> None:
        """Take what is here as recorded; containers that were put in become tracked.

        Unless `whole`, only what the log names is looked at.
        """
        stale, self._stale = self._stale, None
        fresh, self._fresh = self._fresh, None
        for child in (stale or {}).values():
            if child._up is self:
                child.settle(True)
        if whole or fresh:
            self._own(whole, fresh or ())
        if self._up is None:
            self._restart()

    def changes(self, encode: Encode, what: str) -> list[Entry] | None:
        """What to record of a root since it was last settled; None says: the whole value."""
        log, size = self._log, len(self)  # type: ignore[arg-type]
        if log is None or len(log) > 2 * size + OPS_SPARE:
            return None
        entries = self._entries(encode, what)
        if entries is None or any(mutability(v) == Mutability.OPAQUE for v in self._fresh_values()):
            return None
        for child in (self._stale or {}).values():
            where = self._find(child, encode, what)
            if where is not None:
                entries.append(("setitem", where, encode(child, what)))
                if mutability(child) == Mutability.OPAQUE:
                    return None
        return entries

    def whole(self) -> None:
        """Give up the log: the root will be recorded whole."""
        self._log = None
        self._touch()

    def _touch(self) -> None:
        """Tell all above that this container is no longer as recorded."""
        node: Tracked = self
        while node._up is not None:
            if node._up._stale is None:
                node._up._stale = {}
            node._up._stale[id(node)] = node
            node = node._up
        node._dirty.add(node._key)

    def _logs(self) -> bool:
        """Whether the next operation is to be logged; marks the field as changed either way."""
        log = self._log
        if log is not None and len(log) < STATE_OPS_MAX:
            if not log:
                self._dirty.add(self._key)
            return True
        self.whole()
        return False

    def _restart(self) -> None:
        self._log = []

    def _own(self, whole: bool, fresh: Iterable[Any]) -> None:
        raise NotImplementedError

    def _entries(self, encode: Encode, what: str) -> list[Entry] | None:
        raise NotImplementedError

    def _fresh_values(self) -> Iterable[Any]:
        return self._fresh or ()

    def _find(self, child: Tracked, encode: Encode, what: str) -> int | bytes | None:
        """Where a nested container is now, as an operation names it; None if it is gone."""
        raise NotImplementedError


def adopt(value: Any, up: Tracked | None, key: Any) -> Tracked:
    """A tracked copy of a plain or tracked container, for one place of its own."""
    for kind in Tracked.kinds:
        if isinstance(value, kind.__plain__):
            child = kind(value)  # type: ignore[call-arg]
            child.place(up, key)
            return child
    raise TypeError(f"{type(value).__name__} is no container")


def root(value: Any, field: str, dirty: set[str], *, logs: bool = True) -> Tracked:
    """A tracked copy of a container as the value of a field; it adds `field` to `dirty` if changed.

    Unless it `logs`, that is all that it tells.

    >>> from perdure.actors.tracked import TrackedList
    >>> dirty: set[str] = set()
    >>> pages = root(["a"], "pages", dirty)
    >>> pages.append("b")
    >>> dirty, pages
    ({'pages'}, ['a', 'b'])
    """
    tracked = adopt(value, None, field)
    tracked._dirty = dirty
    if logs:
        tracked._restart()
    return tracked
