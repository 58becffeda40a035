"""Threads for what may block: `def` handlers in revocable batches, and blocking steps."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from perdure.limits import POOL_THREADS_MAX

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn

Job = Callable[[], object]
"""What a thread runs; true when the thread is no longer one of the pool."""


class Batch:
    """Several `def` turns for one thread, one after the other; those not begun can be taken back."""

    __slots__ = ("abandoned", "current", "todo")

    def __init__(self) -> None:
        self.todo: deque[tuple[Turn, Callable[..., Any], tuple[Any, ...]]] = deque()
        self.current: Turn | None = None
        self.abandoned = False


class Pool:
    """Daemon threads, started when all others are busy, at most `POOL_THREADS_MAX`.

    They never touch the run: outcomes are posted to the kernel thread, several at once if they come
    faster than it takes them. A thread whose turn was fenced goes on alone and is replaced.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._load = 0  # jobs waiting or running
        self._threads = 0
        self._lock = threading.Lock()
        self._batches: set[Batch] = set()

    # --- blocking steps

    def call(self, job: Job) -> None:
        """Run `job` in a thread."""
        with self._lock:
            self._load += 1
            is_short = self._load > self._threads and self._threads < POOL_THREADS_MAX
            self._threads += is_short
        self._jobs.put(job)
        if is_short:
            threading.Thread(target=self._serve, name="perdure-pool", daemon=True).start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            is_over = job()
            if is_over:
                return  # its turn was fenced, and it has been replaced
            with self._lock:
                self._load -= 1

    def close(self) -> None:
        """Let threads that have nothing to do end."""
        for _ in range(self._threads):
            self._jobs.put(None)

    # --- turns

    def submit(self, turn: Turn, handler: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Run a `def` handler; its outcome comes back to `Turns`."""
        batch = Batch()
        batch.todo.append((turn, handler, args))
        self._batches.add(batch)
        self.call(lambda: self._work(batch))

    def _work(self, batch: Batch) -> bool:
        while batch.todo:
            try:
                turn, handler, args = batch.todo.popleft()
            except IndexError:
                break
            batch.current = turn
            error: BaseException | None = None
            answer = None
            try:
                answer = handler(*args)
            except BaseException as raised:
                error = raised
            self.kernel.on_kernel(self._done, batch, turn, answer, error)
            if batch.abandoned:
                return True
        return False

    def _done(
        self, batch: Batch, turn: Turn, answer: object, error: BaseException | None
    ) -> None:
        if not batch.todo:
            self._batches.discard(batch)
        if error is not None:
            self.kernel.turns.failed(turn, error)
        else:
            self.kernel.closing.close(turn, answer)

    def abandon(self, turn: Turn) -> None:
        """A fenced turn's thread goes on alone; it no longer counts as one of the pool."""
        for batch in list(self._batches):
            if batch.current is turn:
                batch.abandoned = True
                self._batches.discard(batch)
                with self._lock:
                    self._threads -= 1
                    self._load -= 1
