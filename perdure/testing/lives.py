"""The processes of one run, one after the other, each of which may meet a fault of its ledger."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from perdure.actors.crashpoint import EachRecord
from perdure.actors.kernel import Kernel
from perdure.actors.verdicts import Verdicts
from perdure.clock import NS, FakeClock
from perdure.errors import CommitFailed
from perdure.ledger.faults import Fault, FaultStore
from perdure.runtime.doubts import doubts
from perdure.runtime.program import Program
from perdure.runtime.repairs import step_in_doubt
from perdure.runtime.run import Run
from perdure.testing.pauses import Pauses
from perdure.testing.toolbox import Toolbox, step_key

REAL_SECONDS_MAX = 30.0
THREAD_SECONDS, THREAD_LOOKS_MAX = 0.001, 200  # for what a thread of a dead process still does
WAITS = {"Future._wait", "Kernel.ask_kernel"}
"""Where a thread of the pool waits for its kernel."""

POOL = "perdure-pool"

Act = Callable[[Kernel], bool]
"""What is done to a run when nothing goes on in it, if it was not done before: then False."""


class Life(NamedTuple):
    """How a process ended: killed by its fault, or standing still; and what is wrong with that."""

    is_killed: bool
    stalled: tuple[tuple[str, str], ...] = ()  # who waits for a repair, and why
    error: BaseException | None = None
    is_stuck: bool = False  # it never came to an end


class Process(EachRecord):
    """A process at a run, in which each record is a write of its own.

    When nothing goes on, it says of steps in doubt what the tools know, as a person would who
    looks; then does what is left of `acts`; then ends.
    """

    def __init__(self, run: Run, toolbox: Toolbox, acts: Sequence[Act]) -> None:
        super().__init__(run.kernel)
        self.run = run
        self.toolbox = toolbox
        self.acts = list(acts)
        self.pauses = Pauses(run.kernel)
        self.pauses.on_calm = lambda: self.quiet(True)
        self.stalled: tuple[tuple[str, str], ...] = ()
        run.between = self
        run.kernel.quiet = self.quiet
        toolbox.begin(run.kernel, self.pauses)

    def look(self) -> None:
        super().look()
        if self.kernel.ending.error is not None:
            self.pauses.close()

    def live(self, store: FaultStore) -> Life:
        """Go on until the fault strikes, or nothing is left to do."""
        before = set(threading.enumerate())
        with self.run:
            is_over = self.kernel.ended.wait(REAL_SECONDS_MAX)
        for thread in set(threading.enumerate()) - before:
            if thread.name == POOL:
                _wait_out(thread)  # what a dead process still does, it did before
        error = self.kernel.ending.error
        if store.has_struck and isinstance(error, CommitFailed):
            return Life(True)
        return Life(False, self.stalled, error, not is_over)

    # --- when nothing goes on

    def quiet(self, waiting: bool) -> None:
        """Nothing can go on by itself; kernel thread."""
        kernel = self.kernel
        if kernel.ending.has_begun or self._judge():
            return
        while self.acts:
            if self.acts.pop(0)(kernel):
                return
        self.stalled = tuple(
            (cell.address, cell.stalled) for cell in kernel.book.cells.values() if cell.stalled
        )
        if waiting:
            kernel.ending.begin("waiting", "what is left waits for something outside")
        else:
            kernel.ending.begin("finished", "nothing left to do")

    def _judge(self) -> bool:
        """Give the verdict on a step in doubt, if there is one, as the tools' log has it."""
        kernel, book = self.kernel, self.kernel.book
        for doubt in doubts(book.store):
            if not book.cell(doubt.actor).stalled:
                continue
            cell, env, key = step_in_doubt(kernel, doubt.intent)
            of_step = step_key(book.pedigree.run_id_at(doubt.intent), (env.seq, env.index), key)
            happened = self.toolbox.value_of(of_step)
            if happened is None:
                Verdicts(kernel).did_not_happen(cell, env, key)
            else:
                Verdicts(kernel).happened(cell, env, key, book.codec.encode(happened[0]))
            kernel.dispatch.consider(cell)
            kernel.loop.call_soon(kernel.budget_freed)
            kernel.dispatch.kick()
            return True
        return False


def _wait_out(thread: threading.Thread) -> None:
    """Wait until a thread of a dead process has ended, or waits for that process for ever."""
    for _ in range(THREAD_LOOKS_MAX):
        frame = sys._current_frames().get(thread.ident or 0)
        names = set()
        while frame is not None:
            names.add(frame.f_code.co_qualname)
            frame = frame.f_back
        if not names or names & WAITS:
            return
        thread.join(THREAD_SECONDS)


class Course(NamedTuple):
    """The life of a run: what its last process leaves, and how that one ended."""

    store: FaultStore
    last: Life
    crashes: int
    writes: tuple[int, ...]  # of the first process: the kind of the last record of each


class Subject:
    """What is to be crashed: a program, what it is told at first, and what is done to it later.

    `tells` are (address, message), sent as a scenario's first messages are. After `within` seconds
    of ledger time, if given, the run is ended, whatever is left.
    """

    def __init__(
        self,
        program: Program,
        tells: Iterable[tuple[str, object]] = (),
        acts: Iterable[Act] = (),
        within: float | None = None,
    ) -> None:
        self.program = program
        self.tells = list(tells)
        self.acts = list(acts)
        self.within = within

    def process(self, store: FaultStore, clock: FakeClock, toolbox: Toolbox, seed: int) -> Life:
        """One process: it begins the run if the ledger has none, or takes it up."""
        if store.head().seq:
            run = Run.resume(None, store=store, program=self.program, clock=clock)
        else:
            run = Run(self.program, seed=seed, store=store, clock=clock)
        run.kernel.outside.first_posts += self.tells
        process = Process(run, toolbox, self.acts)
        if self.within is not None:
            left = int(self.within * NS) - clock.monotonic_ns()
            end = (run.kernel.ending.begin, "waiting", f"{self.within:g} s are over")
            run.kernel.timers.at(run.kernel.book.now_ns() + left, lambda: end[0](*end[1:]))
        return process.live(store)

    def live(
        self,
        faults: Sequence[Fault],
        toolbox: Toolbox,
        *,
        seed: int = 1,
        between: Callable[[FaultStore], object] = lambda store: None,
    ) -> Course:
        """Begin a run, and take it up after each fault that strikes, until it stands still.

        `faults` are those of the first process, of the next…; the last one has none. `between` is
        shown what each process leaves.
        """
        clock, crashes, left = FakeClock(), 0, list(faults)
        first = store = FaultStore(left.pop(0) if left else None)
        while True:
            life = self.process(store, clock, toolbox, seed)
            store = store.successor(left.pop(0) if left else None)
            between(store)
            if not life.is_killed:
                return Course(store, life, crashes, tuple(first.kinds))
            crashes += 1
