"""Ledger time that scripted tools and probes take: it passes when nothing else can go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from perdure.actors.kernel import Kernel
from perdure.errors import PerdureError

NS = 1_000_000_000
LOOK_SECONDS = 0.0005  # real ones, while a thread or the disk is at work


class Over(PerdureError):
    """The run ended while a scripted tool or a probe took its time."""


class Pause(NamedTuple):
    """One wait: until when in ledger time (None: until it is told), and of which task."""

    due_ns: int | None
    future: asyncio.Future[Any]
    task: asyncio.Task[Any] | None


class Pauses:
    """The waits of tools that stand in for slow ones. Everything here is on the kernel thread.

    A tool that is at work keeps a run from leaping ahead in time: it may be done any moment. One
    that only pauses does not, so while there is a pause, this looks whether anything else goes on.
    If not, it leaps to the next moment (on a clock that jumps), or says so to `on_calm`.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.on_calm: Callable[[], object] = lambda: None
        self._open: list[Pause] = []
        self._is_looking = False

    async def sleep(self, seconds: float) -> None:
        """Let that much ledger time pass."""
        await self._wait(self.kernel.book.now_ns() + int(seconds * NS), self._future())

    async def until(self, future: asyncio.Future[Any]) -> Any:
        """Wait for what the test does, however long that takes."""
        return await self._wait(None, future)

    def _future(self) -> asyncio.Future[Any]:
        return self.kernel.loop.create_future()

    async def _wait(self, due_ns: int | None, future: asyncio.Future[Any]) -> Any:
        pause = Pause(due_ns, future, asyncio.current_task())
        self._open.append(pause)
        self.look()
        try:
            return await future
        finally:
            self._open.remove(pause)

    @property
    def next_ns(self) -> int | None:
        """When something is due next, of the run's own timers too."""
        dues = [pause.due_ns for pause in self._open if pause.due_ns is not None]
        timer = self.kernel.timers.next_ns
        return min([*dues, *(() if timer is None else (timer,))], default=None)

    def leap(self, to_ns: int) -> None:
        """Move ledger time, and have happen what is due then."""
        self.kernel.book.clock.jump_to(to_ns)
        self.kernel.timers.fire()
        for pause in list(self._open):
            if pause.due_ns is not None and pause.due_ns <= to_ns and not pause.future.done():
                pause.future.set_result(None)
        self.kernel.dispatch.kick()
        self.kernel.loop.call_soon(self.kernel.rest)
        self.look()

    def close(self) -> None:
        """Nobody waits any more: the run is about to end."""
        for pause in list(self._open):
            if not pause.future.done():
                pause.future.set_exception(Over("the run ended while this took its time."))

    # --- whether anything goes on

    def look(self) -> None:
        """Look from now on, until nothing goes on but pauses."""
        if not self._is_looking and self._open:
            self._is_looking = True
            self.kernel.loop.call_soon(self._look)

    def _look(self) -> None:
        loop = self.kernel.loop
        if not self._open or self.kernel.ending.has_begun:
            self._is_looking = False
            self.close()
        elif getattr(loop, "_ready"):  # noqa: B009 - asyncio does not tell what it will call
            loop.call_soon(self._look)
        elif not self._is_calm():
            loop.call_later(LOOK_SECONDS, self._look)
        else:
            self._is_looking = False
            due = self.next_ns
            if due is not None and self.kernel.book.clock.clock.jumps:
                self.leap(due)
            else:
                self.on_calm()

    def _is_calm(self) -> bool:
        kernel, paused = self.kernel, {pause.task for pause in self._open}
        if not kernel.barrier.is_clean or kernel.releases.is_busy or kernel.door.is_busy:
            return False
        works = kernel.steps.under_way
        if any(work.task not in paused for work in works):
            return False  # a tool that is no stand-in
        turns = {work.turn for work in works}
        turns |= {turn for turn in kernel.dispatch.running if turn.task in paused}  # of probes
        holders = [turn for turn in kernel.dispatch.running if not turn.lent and turn not in turns]
        of_loop = {work.task for work in works} | {turn.task for turn in turns}
        threads = len(paused - of_loop)  # of `def` handlers
        if any(turn.on_loop for turn in holders) or len(holders) > threads:
            return False  # a handler computes, or waits for what is no step
        tasks = [t.task for t in kernel.dispatch.running if t.task is not None]
        return not kernel.loop.has_timers(tasks)


__all__ = ["Over", "Pause", "Pauses"]
