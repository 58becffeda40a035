"""The kernel's event loop on simulated hands: one callback at a time, and time that leaps."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

from perdure.actors.loop import Loop
from perdure.limits import LOOP_LOOK_SECONDS
from perdure.simulation.hands import NS, Hands, Life

Ts = TypeVarTuple("Ts")
LOOK_NS = int(LOOP_LOOK_SECONDS * NS)


class SimulatedLoop(Loop):
    """Runs one callback, then lets others go on; with nothing to run it waits, in virtual time.

    Callbacks keep their order, as asyncio promises. What the seed decides is what happens between
    any two of them: what other threads post, whether a timer is due by then, whether the process
    dies.
    """

    def __init__(self, hands: Hands, life: Life, look: Callable[[], None]) -> None:
        self._hands = hands
        self._life = life
        self._look = look
        self._busy_until = 0  # ns, when a busy loop looks around next
        super().__init__()
        self._inner: Any = self  # what asyncio keeps to itself: _ready, _scheduled, _stopping

    def time(self) -> float:
        return self._hands.now_ns / NS

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._inner._check_closed()
        handle = asyncio.Handle(callback, args, self, context)
        self._inner._ready.append(handle)
        self._hands.step(self._life)
        return handle

    def _run_once(self) -> None:
        hands, inner = self._hands, self._inner
        hands.step(self._life)
        self._take_due()
        if not inner._ready and not inner._stopping:
            self.on_idle()
            if not inner._ready:
                self._look()
            self._wait()
            self._take_due()
            self._busy_until = hands.now_ns + LOOK_NS
        elif hands.now_ns >= self._busy_until:
            self._busy_until = hands.now_ns + LOOK_NS
            self.on_busy()
        if inner._ready:
            handle = inner._ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _wait(self) -> None:
        """Nothing is ready: until something is, or the next timer."""
        inner = self._inner
        scheduled = inner._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        seconds = None
        if scheduled:
            seconds = max(0.0, scheduled[0].when() - self.time()) + 2e-9
        self._hands.wait(self._life, lambda: inner._ready or inner._stopping, seconds)

    def _take_due(self) -> None:
        scheduled, now = self._inner._scheduled, self.time()
        while scheduled and (scheduled[0]._cancelled or scheduled[0].when() <= now):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self._inner._ready.append(handle)
