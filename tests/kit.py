"""What tests of running actors share: runs in memory, their journal, gates, time to be moved.

Nothing here sleeps: whatever a test waits for is an event, and `SECONDS` is only the bound after
which it has failed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from perdure import Child, FakeClock, Run, SupervisorSpec
from perdure.ledger.audit import audit_store
from perdure.ledger.journal import read_record
from perdure.ledger.keys import BUDGET_KEY, Table, dead_id
from perdure.ledger.memory import MemoryStore
from perdure.ledger.rows import BudgetRow, DeadRow, unpack_row
from perdure.runtime.program import Program
from tests.tables import assert_tables_follow

SECONDS = 60.0
B = TypeVar("B")


def program(*children: Child, strategy: str = "one_for_one", **options: Any) -> Program:
    """A program whose root `/r` supervises `children`, and forgives them a lot.

    `options` are those of `Program` (`concurrency`, `tokens`, `dead_letters_to`), or of the root
    (`intensity`, `period`).
    """
    spec = {"intensity": 1_000, "period": 5.0}
    spec |= {name: options.pop(name) for name in list(options) if name in spec}
    root = SupervisorSpec(strategy=strategy, children=children, **spec)
    return replace(Program.of(Child("r", supervisor=root)), **options)


class Disk(MemoryStore):
    """A ledger in memory that keeps what a process would find that starts after each commit.

    `closed` holds commits back until it is opened; `full` makes them fail.
    """

    def __init__(self) -> None:
        super().__init__(self._look)
        self.moments: list[MemoryStore] = []
        self.full = False
        self.open = threading.Event()
        self.open.set()
        self.waited = threading.Event()  # a commit is being held back

    def _look(self, number: int) -> None:
        self.moments.append(self.reopened())
        if not self.open.is_set():
            self.waited.set()
            assert self.open.wait(SECONDS)
        if self.full:
            raise OSError(28, "No space left on device")


@contextmanager
def running(program: Program, store: MemoryStore | None = None, **options: Any) -> Iterator[Run]:
    """A run of `program`, begun; drained at the end, and audited. `options` are those of `Run`."""
    options.setdefault("clock", FakeClock())
    store = store or MemoryStore()
    with Run(program, options.pop("ledger", None), seed=1, store=store, **options) as run:
        wait_beside(run, store)
        yield run
    assert audit_store(store.reopened()) == []
    assert_tables_follow(store.reopened())


@contextmanager
def resumed(program: Program, store: MemoryStore, **options: Any) -> Iterator[Run]:
    """The run that a process takes up which finds `store`; drained and audited too."""
    options.setdefault("clock", FakeClock())
    directory = options.pop("ledger", None)
    with Run.resume(directory, store=store, program=program, **options) as run:
        wait_beside(run, store)
        yield run
    assert audit_store(store.reopened()) == []
    assert_tables_follow(store.reopened())


def wait_beside(run: Run, store: MemoryStore) -> None:
    """Have no commit be waited for by the kernel itself, on a disk that a test may hold back."""
    if isinstance(store, Disk):
        run.kernel.barrier.committer.quick_ns = 0


def settle(run: Run) -> bool:
    """Wait until nothing can go on by itself and all is durable; whether something waits."""
    quiet: Future[bool] = Future()

    def look(waiting: bool) -> None:
        if not quiet.done():
            quiet.set_result(waiting)

    run.kernel.on_kernel(run._set_watch, look)
    try:
        return quiet.result(SECONDS)
    finally:
        run.kernel.on_kernel(run._set_watch, lambda waiting: None)


def on_kernel(run: Run, function: Any, *args: Any) -> Any:
    """Run a function on the kernel thread, and give back what it returns."""
    return run.kernel.ask_kernel(function, *args)


@contextmanager
def at_once(run: Run) -> Iterator[None]:
    """What the block tells a run happens at one time, then time leaps on.

    With a clock that leaps, a run that has nothing to do goes to its next timer at once: also
    between two lines of a test, which is slower on some days than on others.
    """
    clock = run.kernel.book.clock.clock
    clock.jumps = False

    def go_on() -> None:
        clock.jumps = True
        run.kernel.rest()

    try:
        yield
    finally:
        run.kernel.on_kernel(go_on)


def until(run: Run, condition: Callable[[], object]) -> None:
    """Wait until `condition`, looked at on the kernel thread, is true."""
    deadline = time.monotonic() + SECONDS
    while not on_kernel(run, condition):
        assert time.monotonic() < deadline, "it never came to that"


def advance(run: Run, seconds: float) -> None:
    """Move the fake clock of a run, and have it notice."""

    def move() -> None:
        run.kernel.book.clock.clock.advance(seconds)
        run.kernel.timers.fire()

    on_kernel(run, move)


def journal(store: MemoryStore) -> list[Any]:
    """What the durable records say, in order."""
    twin = store.reopened()
    return [read_record(raw).body for raw in twin.records()]


def of(store: MemoryStore, kind: type[B]) -> list[B]:
    """The durable records of one kind."""
    return [body for body in journal(store) if isinstance(body, kind)]


def rows(store: MemoryStore, table: Table) -> list[tuple[bytes, bytes]]:
    """The durable rows of a table."""
    return list(store.reopened().scan(bytes([table])))


def dead_letters(store: MemoryStore) -> list[tuple[str, str]]:
    """(address, reason) of each dead letter, in order of sending."""
    found = [(dead_id(key), unpack_row(DeadRow, raw)) for key, raw in rows(store, Table.DEAD)]
    return [(row.to, row.reason) for _, row in sorted(found)]


def budget(store: MemoryStore) -> BudgetRow:
    """The durable budget."""
    raw = store.reopened().get(BUDGET_KEY)
    assert raw is not None
    return unpack_row(BudgetRow, raw)


class Gate:
    """Where handlers wait until a test opens it: `await gate.passed()`, or `gate.wait()`."""

    def __init__(self) -> None:
        self._arrived = threading.Semaphore(0)
        self._open: Future[None] = Future()

    def open(self) -> None:
        if not self._open.done():
            self._open.set_result(None)

    def reached(self, times: int = 1) -> None:
        """Wait until handlers have come here that many more times."""
        for _ in range(times):
            assert self._arrived.acquire(timeout=SECONDS), "no handler came to the gate"

    async def passed(self) -> None:
        self._arrived.release()
        await asyncio.shield(asyncio.wrap_future(self._open))

    def wait(self) -> None:
        self._arrived.release()
        self._open.result(SECONDS)
