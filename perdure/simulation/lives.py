"""One process of a world after the other: how each begins, what is done to it, how it dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from perdure.errors import CommitFailed, LedgerDamaged, LedgerError, NotALedger
from perdure.ledger.flights import BYTES
from perdure.runtime.program import Program
from perdure.runtime.run import Run
from perdure.simulation.checks import Checks
from perdure.simulation.disk import Disk, Platter, open_platter
from perdure.simulation.hands import NS, Hands, Killed, Life
from perdure.simulation.idle import Idle
from perdure.simulation.machine import WALL_NS, SimulatedClock, SimulatedMachine
from perdure.simulation.outside import Outside

WRITE_SECONDS = 0.0002
FLUSH_SECONDS = (0.0, 0.0005, 0.004, 0.05)
SOFT_MAX, HARD_MAX = (3, 10, 10_000), (30, 100_000)  # messages of an inbox
WALL_JUMPS_SECONDS = (0, 0, -3_600, 3_600, -7)


class Faults:
    """What is wrong with the machine of one process."""

    refuses_at = 0  # the commit that the disk refuses; 0: none
    is_kept = False  # it says so, and has kept it
    has_power_cut = False


class Process:
    """One process at the run: real kernel code on hands that a seed moves."""

    def __init__(
        self, outside: Outside, checks: Checks, program: Program, number: int, faults: Faults
    ) -> None:
        self.outside = outside
        self.checks = checks
        self.hands: Hands = outside.hands
        self.faults = faults
        self.life = Life(f"process {number}")
        self._commits = 0
        chance = self.hands.chance
        self._flush_seconds = chance.choice(FLUSH_SECONDS)
        wall = WALL_NS + self.hands.now_ns + chance.choice(WALL_JUMPS_SECONDS) * NS
        self.machine = SimulatedMachine(
            self.hands,
            self.life,
            outside,
            SimulatedClock(self.hands, wall),
            number=number,
            is_watched=chance.random() < 0.3,
        )
        outside.machine = self.machine
        self.run = self._begun(program)
        self.run.kernel.book.soft_max = chance.choice(SOFT_MAX)
        self.run.kernel.pressure.hard_max = chance.choice(HARD_MAX)
        self.machine.on_idle = Idle(self.run.kernel, outside).look

    def _begun(self, program: Program) -> Run:
        outside = self.outside
        options: dict[str, Any] = {
            "clock": self.machine.clock,
            "observer": self.checks.told,
            "machine": self.machine,
        }
        store = open_platter(outside.platter, self._disk())
        try:
            return Run.resume(None, store=store, program=program, **options)
        except NotALedger:
            store = open_platter(outside.platter, self._disk())
            return Run(program, seed=outside.seed, store=store, **options)

    def begin(self) -> None:
        """The process is there; its kernel begins."""
        with contextlib.suppress(Killed):  # it may die as it begins
            self.run.kernel.start(self.run._start)

    # --- the disk

    def _disk(self) -> Disk:
        return Disk(self._written, self._flushed, self._durable)

    def _written(self) -> None:
        self.machine.pause(self.hands.chance.random() * WRITE_SECONDS)

    def _flushed(self, platter: Platter) -> bool:
        self._commits += 1
        self.machine.pause(self.hands.chance.expovariate(1.0) * self._flush_seconds)
        if self._commits != self.faults.refuses_at:
            return True
        self.outside.count("a commit that fails")
        if not self.faults.is_kept:
            raise LedgerError("Input/output error")
        return False

    def _durable(self, platter: Platter) -> None:
        self.checks.committed(platter)
        self.machine.pause(self.hands.chance.expovariate(1.0) * WRITE_SECONDS)

    # --- its end

    @property
    def is_over(self) -> bool:
        """Whether it has died, or its run has ended."""
        return self.life.is_dead or self.run.kernel.ended.is_set()

    def kill(self) -> None:
        """It dies, now."""
        self.machine.die()

    def close(self) -> str:
        """It is gone: how it ended, and what its death left is looked at."""
        was_killed = self.life.is_dead
        status = "killed" if was_killed else self._status()
        if not was_killed:
            self.machine.die()  # threads that hang are gone with it
        book: Any = self.run.kernel.book
        book.append = _dead  # what unwinds must not go on as if it lived
        self.hands.bury(self.life)
        self._sweep()
        if was_killed and self.faults.has_power_cut:
            self.outside.flights = bytearray(BYTES)
        self.checks.died()
        return status

    def _status(self) -> str:
        try:
            return self.run.report().status
        except CommitFailed:
            return "commit failed"
        except LedgerDamaged as damaged:
            if self.outside.platter.flip is None:
                self.outside.violations.append(f"damage that nobody did is found: {damaged}")
            return "damaged"
        except BaseException as error:  # noqa: BLE001 - whatever it is, it should not be
            self.outside.violations.append(
                f"the kernel failed: {type(error).__name__}: {error} {_place(error)}"
            )
            return "failed"

    def _sweep(self) -> None:
        """Have nothing of a dead process act, or complain, when Python clears it away."""
        loop = self.machine.made
        if loop is None or loop.is_closed():
            return
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            _quietly(coroutine.close)
        loop.set_exception_handler(lambda loop, context: None)
        _quietly(loop.close)


def _dead(*args: object) -> int:
    raise Killed


def _quietly(act: Callable[[], object]) -> None:
    with contextlib.suppress(BaseException):
        act()


def _place(error: BaseException) -> str:
    """Where it came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"({trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"


__all__ = ["Faults", "Killed", "Process"]
