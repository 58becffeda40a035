"""What happens later, by ledger time: one heap, one wake-up of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000
REBUILD_TIMERS_MIN = 1_024  # fewer than these are not worth a rebuild
SLEEP_SECONDS_MAX = 3600.0  # a clock that is set forward is noticed within the hour


class Timer:
    """One callback to come. `cancel` it when it has become pointless, else a run waits for it."""

    __slots__ = ("function", "is_over")

    def __init__(self, function: Callable[[], None]) -> None:
        self.function: Callable[[], None] | None = function
        self.is_over = False  # it was called, or forgotten since it was cancelled

    def cancel(self) -> None:
        """Let it be; a second time, or after it was called, nothing happens."""
        self.function = None

    def renew(self, function: Callable[[], None]) -> bool:
        """Undo a `cancel`, if it is not too late: whether it will call."""
        if not self.is_over:
            self.function = function
        return not self.is_over


class Timers:
    """Callbacks by ledger time. With a clock that jumps, an idle kernel leaps to the next one."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._heap: list[tuple[int, int, Timer]] = []
        self._rebuilt = REBUILD_TIMERS_MIN
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_ns = 0

    def at(self, due_ns: int, function: Callable[[], None]) -> Timer:
        """Call `function` once ledger time reaches `due_ns`."""
        self._count += 1
        timer = Timer(function)
        heappush(self._heap, (due_ns, self._count, timer))
        if len(self._heap) > self._rebuilt:
            self._rebuild()
        self._arm()
        return timer

    def after(self, seconds: float, function: Callable[[], None]) -> Timer:
        """Call `function` in `seconds` of ledger time."""
        return self.at(self.kernel.book.now_ns() + int(seconds * NS), function)

    def _rebuild(self) -> None:
        """Drop the cancelled, each time there are twice as many as the last rebuild left."""
        for _, _, timer in self._heap:
            timer.is_over = timer.function is None
        self._heap = [entry for entry in self._heap if not entry[2].is_over]
        heapify(self._heap)
        self._rebuilt = max(REBUILD_TIMERS_MIN, 2 * len(self._heap))

    @property
    def next_ns(self) -> int | None:
        """When the next callback is due; None without one."""
        while self._heap and self._heap[0][2].function is None:
            heappop(self._heap)[2].is_over = True
        return self._heap[0][0] if self._heap else None

    def fire(self) -> None:
        """Call what is due."""
        self._handle = None
        while self._heap and self._heap[0][0] <= self.kernel.book.now_ns():
            timer = heappop(self._heap)[2]
            function, timer.function, timer.is_over = timer.function, None, True
            if function is not None:
                function()
        self._arm()

    def _arm(self) -> None:
        if not self._heap or self.kernel.book.clock.clock.jumps:
            return
        due = self._heap[0][0]
        if self._handle is not None:
            if due >= self._armed_ns:
                return
            self._handle.cancel()
        self._armed_ns = due
        seconds = max(0.0, (due - self.kernel.book.now_ns()) / NS)
        self._handle = self.kernel.loop.call_later(min(seconds, SLEEP_SECONDS_MAX), self.fire)
