"""The event loop of replayed handlers: time is the ledger's, and leaps to what comes next.

What comes next is a recorded outcome or the loop's own timer, in the order of ledger time: so tasks
wake in the order in which they woke when the turn first ran, whatever that is worth to the handler.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from perdure.actors import leftovers
from perdure.limits import REPLAY_SLACK_SECONDS, REPLAY_WAIT_SECONDS_MAX

if TYPE_CHECKING:
    from perdure.actors.turn import Turn

NS = 1_000_000_000
_PIPE = 1  # what a loop watches for itself: the pipe that wakes it from other threads


class NeverWakes(BaseException):
    """A handler waits for something that is not recorded and will not come by itself."""


class _Selector(selectors.SelectSelector):
    """Asks the loop to leap instead of waiting, unless a handler does I/O of its own."""

    idle: Callable[[float | None], bool]
    is_busy: Callable[[], bool]

    def select(self, timeout: float | None = None) -> list[Any]:
        is_busy = self.is_busy()
        if timeout is not None and timeout <= 0:
            return super().select(0) if is_busy else []
        if is_busy:
            found = super().select(0)
            if found:
                return found
        if self.idle(timeout):
            return []
        if not is_busy:
            raise NeverWakes
        found = super().select(REPLAY_WAIT_SECONDS_MAX)
        if not found:
            raise NeverWakes
        return found


class ReplayLoop(asyncio.SelectorEventLoop):
    """An event loop for one handler at a time; `run` runs one from ledger time `start_ns` on."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.idle, selector.is_busy = self._leap, self._is_busy
        self._ahead: list[tuple[int, int, Callable[[], object]]] = []
        self._now = 0.0
        self._began = 0.0
        self._jobs = 0
        self._zero_ns = 0  # the ledger time of loop time 0
        self._turn: Turn | None = None
        super().__init__(selector)
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]
        self.set_exception_handler(lambda loop, context: None)  # of tasks that nobody awaited

    def time(self) -> float:
        return self._now

    @property
    def elapsed(self) -> float:
        """Seconds since the handler began."""
        return self._now - self._began

    def run(self, turn: Turn, handler: Coroutine[Any, Any, Any]) -> Any:
        """Run the handler of a turn to its end, and the tasks that it leaves behind to theirs.

        Raises what it raises, and `NeverWakes`.
        """
        self._turn = turn
        self._zero_ns, self._began = turn.time_ns - int(self._now * NS), self._now
        self._ahead.clear()
        return self.run_until_complete(self._through(turn, handler))

    def not_before(self, time_ns: int) -> None:
        """Have it be that ledger time at least: a record says that the handler was here then."""
        late = (time_ns - self._zero_ns) / NS - self._now
        if late > 0:
            scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
            for timer in scheduled:  # the handler came to set them that much later, too
                timer._when += late  # type: ignore[attr-defined]
            self._now += late

    def at(self, time_ns: int, seq: int, function: Callable[[], object]) -> None:
        """Call `function` when nothing else is left to do before that ledger time."""
        heapq.heappush(self._ahead, (time_ns, seq, function))

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> Any:
        """Count jobs in threads: the loop waits for those."""
        job = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        job.add_done_callback(self._job_done)
        return job

    def _job_done(self, _: object) -> None:
        self._jobs -= 1

    async def _through(self, turn: Turn, handler: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await handler
        finally:
            await leftovers.end(turn)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **options)
        starter = asyncio.current_task(loop)
        if starter is not None and self._turn is not None:
            leftovers.note(self._turn, starter, task)
        return task

    def _is_busy(self) -> bool:
        return self._jobs > 0 or len(self._selector.get_map()) > _PIPE  # type: ignore[attr-defined]

    def _leap(self, timeout: float | None) -> bool:
        """Go on to the next thing ahead; False when there is none."""
        if self._ahead:
            when = (self._ahead[0][0] - self._zero_ns) / NS
            if timeout is None or when <= self._now + timeout + REPLAY_SLACK_SECONDS:
                self._now = max(self._now, when)
                heapq.heappop(self._ahead)[2]()
                return True
        if timeout is None:
            return False
        self._now += timeout
        return True
