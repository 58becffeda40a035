"""Threads for what may block: `def` handlers in revocable batches, and blocking steps."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from perdure.ledger.flights import FLIGHT, Flights
from perdure.limits import BATCH_STALL_SECONDS, BATCH_TURNS_MAX, POOL_THREADS_MAX

if TYPE_CHECKING:
    from perdure.actors.kernel import Kernel
    from perdure.actors.turn import Turn

GONE = object()
Job = Callable[[], object]
"""What a thread runs; `GONE` when the thread is no longer one of the pool."""
Work = tuple["Turn", Callable[..., Any], tuple[Any, ...]]


class Batch:
    """Several `def` turns for one thread, one after the other, in one slot.

    The thread takes them from the left, the kernel may take those not begun back from the right:
    both ends of a deque are safe without a lock.
    """

    __slots__ = (
        "current", "has_slot", "is_abandoned", "is_handed_over", "place", "thread_id", "todo",
    )  # fmt: skip

    def __init__(self) -> None:
        self.todo: deque[Work] = deque()
        self.current: Turn | None = None
        self.thread_id = 0
        self.is_handed_over = False
        self.is_abandoned = False
        self.has_slot = True
        self.place: int | None = None  # where its thread notes what it runs


class Pool:
    """Daemon threads, started when all others are busy, at most `POOL_THREADS_MAX`.

    They never touch the run: outcomes are posted to the kernel thread. Turns that are expected to
    be short and are ready in the same tick share one thread hop; when their thread stalls, those
    not begun go back to the ready set. A thread whose turn was fenced goes on alone, replaced.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._jobs = kernel.machine.line()
        self._load = 0  # jobs waiting or running
        self._threads = 0
        self._lock = threading.Lock()
        self._filling: Batch | None = None  # what this tick of the loop adds to
        self._batches: dict[Turn, Batch] = {}

    # --- threads

    def call(self, job: Job) -> None:
        """Run `job` in a thread."""
        with self._lock:
            self._load += 1
            is_short = self._load > self._threads and self._threads < POOL_THREADS_MAX
            self._threads += is_short
        self._jobs.put(job)
        if is_short:
            self.kernel.machine.thread(self._serve, "perdure-pool").start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job() is GONE:
                return  # its turn was fenced, and it has been replaced
            with self._lock:
                self._load -= 1

    def close(self) -> None:
        """Let threads that have nothing to do end."""
        for _ in range(self._threads):
            self._jobs.put(None)

    # --- turns

    def submit(
        self, turn: Turn, handler: Callable[..., Any], args: tuple[Any, ...], is_short: bool
    ) -> None:
        """Run a `def` handler; its outcome comes back to the kernel."""
        batch = self._filling
        if batch is None or not is_short:
            batch = Batch()
            self.kernel.dispatch.active += 1  # the batch's own slot: its turns share it
            if is_short:
                self._filling = batch
                self.kernel.loop.call_soon(self._hand_over, batch)
        batch.todo.append((turn, handler, args))
        self._batches[turn] = batch
        self.kernel.dispatch.share(turn)
        if not is_short or len(batch.todo) >= BATCH_TURNS_MAX:
            self._hand_over(batch)

    def _hand_over(self, batch: Batch) -> None:
        if batch.is_handed_over:
            return  # it was full before the tick ended
        batch.is_handed_over = True
        if batch is self._filling:
            self._filling = None
        if not batch.todo:
            self._release(batch)
            return
        if len(batch.todo) > 1:
            self.kernel.loop.call_later(BATCH_STALL_SECONDS, self._look, batch, None)
        self.call(lambda: self._work(batch))

    def _work(self, batch: Batch) -> object:
        batch.thread_id = threading.get_ident()
        flights = self.kernel.interruptions.flights
        batch.place = place = flights.place()
        try:
            return self._run(batch, flights, place)
        finally:
            flights.leave(place)

    def _run(self, batch: Batch, flights: Flights, place: int) -> object:
        while True:
            try:
                turn, handler, args = batch.todo.popleft()
            except IndexError:
                break
            batch.current = turn
            env = turn.envelope
            FLIGHT.pack_into(flights.buffer, place, turn.cell.id, env.seq, env.index)
            answer, error = None, None
            try:
                answer = handler(*args)
                for asked in (turn.asks or {}).values():
                    if not asked.is_failure_seen:
                        asked.get()  # dropped without get(): answered before the turn closes
            except BaseException as raised:  # noqa: BLE001 - a crash, whatever it is
                error = raised
            flights.clear(place)
            self.kernel.on_kernel(self._done, turn, answer, error)
            if batch.is_abandoned:
                return GONE
        self.kernel.on_kernel(self._release, batch)
        return None

    def _done(self, turn: Turn, answer: object, error: BaseException | None) -> None:
        self._batches.pop(turn, None)
        if error is not None:
            self.kernel.turns.failed(turn, error)
        else:
            self.kernel.closing.close(turn, answer)

    def _release(self, batch: Batch) -> None:
        """Give the batch's slot back, once."""
        if batch.has_slot:
            batch.has_slot = False
            self.kernel.dispatch.active -= 1
            self.kernel.dispatch.kick()

    def _look(self, batch: Batch, before: Turn | None) -> None:
        """Take back what is not begun, if the thread is still at the turn it was at before."""
        if not batch.todo:
            return
        if batch.current is before and before is not None:
            self.take_back(batch)
        else:
            self.kernel.loop.call_later(BATCH_STALL_SECONDS, self._look, batch, batch.current)

    def take_back(self, batch: Batch) -> None:
        """Put turns that are not begun back into the ready set; no attempt is counted."""
        while batch.todo:
            try:
                turn, _, _ = batch.todo.pop()
            except IndexError:
                return
            self._batches.pop(turn, None)
            self.kernel.turns.undo(turn)

    def thread_of(self, turn: Turn) -> int | None:
        """The thread that runs a turn's handler; 0 if it has not begun, None if it is no `def`."""
        batch = self._batches.get(turn)
        if batch is None:
            return None
        return batch.thread_id if batch.current is turn else 0

    def has_slot(self, turn: Turn) -> bool:
        """Whether a turn runs in the slot of its batch."""
        batch = self._batches.get(turn)
        return batch is not None and batch.has_slot

    def place(self, turn: Turn) -> int | None:
        """Where a turn that a thread is at is noted as in flight."""
        batch = self._batches.get(turn)
        return batch.place if batch is not None and batch.current is turn else None

    def lend(self, turn: Turn) -> bool:
        """A batched turn waits for the kernel: its batch ends with it, and lends the slot."""
        batch = self._batches.get(turn)
        if batch is None or not batch.has_slot:
            return False
        self.take_back(batch)
        batch.has_slot = False
        return True

    def abandon(self, turn: Turn) -> None:
        """A fenced turn's thread goes on alone; it no longer counts as one of the pool."""
        batch = self._batches.pop(turn, None)
        if batch is None:
            return
        if batch.current is turn:
            self.take_back(batch)
            batch.is_abandoned = True
            self._release(batch)
            with self._lock:
                self._threads -= 1
                self._load -= 1
