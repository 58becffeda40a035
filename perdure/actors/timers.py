"""What happens later, by ledger time: one heap, one wake-up of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel

NS = 1_000_000_000
SLEEP_SECONDS_MAX = 3600.0  # a clock that is set forward is noticed within the hour


class Timers:
    """Callbacks by ledger time. With a clock that jumps, an idle kernel leaps to the next one."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._handle: asyncio.TimerHandle | None = None
        self._armed_ns = 0

    def at(self, due_ns: int, function: Callable[[], None]) -> None:
        """Call `function` once ledger time reaches `due_ns`."""
        self._count += 1
        heappush(self._heap, (due_ns, self._count, function))
        self._arm()

    def after(self, seconds: float, function: Callable[[], None]) -> None:
        """Call `function` in `seconds` of ledger time."""
        self.at(self.kernel.book.now_ns() + int(seconds * NS), function)

    @property
    def next_ns(self) -> int | None:
        """When the next callback is due; None without one."""
        return self._heap[0][0] if self._heap else None

    def fire(self) -> None:
        """Call what is due."""
        self._handle = None
        while self._heap and self._heap[0][0] <= self.kernel.book.now_ns():
            heappop(self._heap)[2]()
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
