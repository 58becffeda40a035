"""The kernel's event loop: asyncio's, which knows the timers that handlers have set on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sized
from contextvars import Context
from selectors import DefaultSelector, SelectorKey
from time import monotonic
from typing import Any, TypeVarTuple
from weakref import WeakKeyDictionary

from perdure.limits import LOOP_LOOK_SECONDS

Ts = TypeVarTuple("Ts")

KEPT_MIN = 8  # timers of one task before those that are over are looked for


class _Selector(DefaultSelector):
    """What a loop sleeps in; it looks at sockets now and then while there are other things to do.

    asyncio looks in each round, and most rounds of a busy kernel are shorter than the look.
    """

    _next = 0.0

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        now = monotonic()
        if timeout is None or timeout > 0:
            self._loop.on_idle()
            if self._loop.has_ready:
                timeout = 0
            elif timeout is not None:
                timeout = max(0.0, timeout - (monotonic() - now))  # it may have waited for the disk
        elif now < self._next:
            return []
        else:
            self._loop.on_busy()
        events = super().select(timeout)
        self._next = monotonic() + LOOP_LOOK_SECONDS
        return events


class Loop(asyncio.SelectorEventLoop):
    """Remembers which task set a timer, as `asyncio.timeout` and `asyncio.sleep` do.

    It calls `on_idle` each time that it has nothing to run, before it sleeps, and `on_busy` now and
    then while it does not come to that.
    """

    def __init__(self) -> None:
        super().__init__(_Selector(self))
        self.on_idle: Callable[[], None] = _nothing
        self.on_busy: Callable[[], None] = _nothing
        self._timers: WeakKeyDictionary[asyncio.Task[Any], list[asyncio.TimerHandle]]
        self._timers = WeakKeyDictionary()

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call `callback` in the next round: what asyncio does, in one call less deep."""
        inner: Any = self
        if inner._closed or inner._debug:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        inner._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call `callback` at a time of the loop's clock, and note whose timer it is."""
        handle = super().call_at(when, callback, *args, context=context)
        task = asyncio.current_task(self)
        if task is not None and not _is_ours(callback):
            handles = self._timers.setdefault(task, [])
            if len(handles) >= KEPT_MIN:
                handles[:] = [each for each in handles if self._is_set(each)]
            handles.append(handle)
        return handle

    @property
    def has_ready(self) -> bool:
        """Whether there is something to run now."""
        ready: Sized = self._ready  # type: ignore[attr-defined]
        return len(ready) > 0

    def _is_set(self, handle: asyncio.TimerHandle) -> bool:
        return not handle.cancelled() and handle.when() > self.time()

    def has_timers(self, tasks: Iterable[asyncio.Task[Any]]) -> bool:
        """Whether a timer that one of the tasks has set is still to come."""
        return any(self._is_set(each) for task in tasks for each in self._timers.get(task, ()))


def _nothing() -> None:
    return


def _is_ours(callback: Callable[..., object]) -> bool:
    """Whether the kernel set a timer, while it did something for a task."""
    return (getattr(callback, "__module__", None) or "").startswith("perdure.")
