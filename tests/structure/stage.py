"""Where work is counted: the real kernel on hands that always move in the same order.

It is the machine of `perdure/simulation/` without its chance. Of the threads that can go on, the
one that began last does; time passes by their steps alone. Each commit takes `DISK_SECONDS` of it:
far longer than turns do, as on a real disk. So a group holds what the kernel lets gather while it
waits, on every machine the same.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from random import Random
from typing import Any, TypeVar

from perdure.actors import onfailure
from perdure.ledger.group import Group, Head, Store, nothing
from perdure.runtime.run import Run
from perdure.simulation.hands import Hands, Life, Stuck
from perdure.simulation.machine import WALL_NS, SimulatedClock, SimulatedMachine
from perdure.simulation.outside import Outside
from tests.structure.workloads import LEAD, WORKLOADS, Go, Note

DISK_SECONDS = 0.01
TRACEBACK_BYTES = 200  # the end of each, and less than all: it names files, wherever they lie

T = TypeVar("T")


class NoChance(Random):
    """Says the same whenever threads ask who is next."""

    def randint(self, a: int, b: int) -> int:
        return a

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        return seq[-1]


class Stage:
    """A run in which one workload is done."""

    def __init__(self, name: str, store: Store) -> None:
        self.name, self.workload = name, WORKLOADS[name]
        self._commit: Callable[..., Head] = store.commit
        store.commit = self.commit  # type: ignore[method-assign]
        self.hands = Hands(NoChance(1))
        self.life = Life(name)
        clock = SimulatedClock(self.hands, WALL_NS)
        outside = Outside(1, Random(1), self.hands)
        self.machine = SimulatedMachine(
            self.hands, self.life, outside, clock, number=1, is_watched=False
        )
        options: dict[str, Any] = {"store": store, "clock": clock, "machine": self.machine}
        self.run = Run(self.workload.program(), seed=1, **options)
        self.run.kernel.quiet = self._quiet
        self._is_quiet = False

    def commit(self, group: Group, written: Callable[[], None] = nothing) -> Head:
        head = self._commit(group, written)
        self.machine.pause(DISK_SECONDS)
        return head

    def _quiet(self, is_waiting: bool) -> None:
        self._is_quiet = True

    def play(self, meter: AbstractContextManager[object]) -> None:
        """Do the work, so that all is known that is found out once; then again, in `meter`."""
        kernel = self.run.kernel
        with self.hands, _no_garbage(), _short_tracebacks():
            kernel.start(self.run._start)
            self._wait(kernel.outside.is_up.is_set)
            self._lap(0)
            with meter:
                self._lap(1)
            self.run.drain()
            self._wait(kernel.ended.is_set)
            self.run.report()
            self.life.is_dead = True
            self.hands.bury(self.life)

    def _lap(self, lap: int) -> None:
        if self.workload.act is not None:
            self._tell(LEAD, Go(self.name, lap))
            return
        for n in range(self.workload.number):
            self._tell(self.workload.posted_to, Note(n))

    def _tell(self, address: str, message: object) -> None:
        """Tell an actor; come back when nothing is left to do and all is durable."""
        self._is_quiet = False
        self.run.tell(address, message)
        self._wait(lambda: self._is_quiet or self.run.kernel.ended.is_set())

    def _wait(self, ready: Callable[[], object]) -> None:
        try:
            self.hands.wait(self.hands.current.life, ready)
        except Stuck:
            self.run.report()  # raises what ended the kernel, if something did
            raise
        if self.hands.failures:
            raise self.hands.failures[0]


@contextmanager
def _no_garbage() -> Iterator[None]:
    """What a finalizer calls must not be counted with whatever is going on."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _short_tracebacks() -> Iterator[None]:
    """Crashes are recorded with a text of the same length wherever the project lies."""
    module: Any = onfailure
    before, module.TRACEBACK_BYTES_MAX = module.TRACEBACK_BYTES_MAX, TRACEBACK_BYTES
    try:
        yield
    finally:
        module.TRACEBACK_BYTES_MAX = before
