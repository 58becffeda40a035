"""One world: a run, all its processes and their deaths, from a seed to the end of its work."""

from __future__ import annotations

import gc
import logging
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from perdure.simulation import bounds, damage
from perdure.simulation import outside as world_outside
from perdure.simulation.acts import Acts
from perdure.simulation.checks import Checks
from perdure.simulation.ending import Ending
from perdure.simulation.hands import NS, Hands, Killed
from perdure.simulation.lives import Faults, Process
from perdure.simulation.outside import LITTLE_BYTES, ROOM_BYTES, Outside
from perdure.simulation.trace import Trace
from perdure.simulation.tree import plant

LIVES_MAX = 8
STEPS_MAX = 4_000
FLIP_SHARE = 0.5  # of deaths, after which a bit is flipped to see whether that is found
ACT_SECONDS = (0.002, 0.02, 0.3)


@dataclass
class Outcome:
    """How a world went."""

    seed: int
    violations: list[str]
    digest: str  # of the trace
    events: int
    hours: float  # simulated
    seconds: float  # real
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)  # of the trace, the newest


class World:
    """Plays one seed."""

    def __init__(self, seed: int, hours: float, until: int = 0) -> None:
        self.seed = seed
        self.hours = hours
        self.chance = Random(f"world {seed}")
        self.hands = Hands(
            Random(f"hands {seed}"), step_ns=self.chance.choice((500, 5_000, 50_000))
        )
        self.outside = Outside(seed, Random(f"outside {seed}"), self.hands)
        self.checks = Checks(self.outside)
        self.program, addresses, self.outside.loose = plant(self.chance)
        self.outside.ring = addresses
        self.acts = Acts(self.outside, self.checks, self.chance, addresses)
        self.trace = Trace(self.hands, until)
        self.outside.note = self.trace.note
        self._processes = 0
        self._pace = self.chance.choice(ACT_SECONDS)

    def play(self) -> None:
        """Live life after life, then let the run come to its end without faults."""
        for _ in range(self.chance.randint(1, LIVES_MAX)):
            if self.is_over:
                return
            self._live(self._faults())
        if not self.is_over:
            self.outside.is_calm = True
            self.outside.free_bytes = ROOM_BYTES
            Ending(self.acts, self._process(Faults())).play(self)
        if not self.outside.violations:
            self.checks.ended()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to see."""
        is_late = self.hands.now_ns > self.hours * 3_600 * NS
        return bool(self.outside.violations) or is_late or self.trace.is_over

    def _faults(self) -> Faults:
        faults, chance = Faults(), self.chance
        if chance.random() < 0.15:
            faults.refuses_at, faults.is_kept = chance.randint(1, 60), chance.random() < 0.4
        faults.has_power_cut = chance.random() < 0.2
        return faults

    def _process(self, faults: Faults) -> Process:
        self._processes += 1
        process = Process(self.outside, self.checks, self.program, self._processes, faults)
        self.outside.note(f"process {self._processes} begins")
        process.begin()
        return process

    def _live(self, faults: Faults) -> None:
        """One life: things are done to it until it dies."""
        process = self._process(faults)
        ends_at = self.hands.steps + int(self.chance.random() ** 2 * STEPS_MAX)
        with_end = self.chance.random()
        try:
            self._wait_until_up(process, ends_at)
            self.acts.arrive(process)
            while not process.is_over and self.hands.steps < ends_at and not self.is_over:
                self._wait(process, ends_at, self.chance.expovariate(1.0) * self._pace)
                if not process.is_over:
                    self.acts.act(process)
            if with_end < 0.15 and not process.is_over:
                self._end_in_order(process, with_end)
        except Killed:  # it died while it was spoken to
            pass
        if not process.is_over:
            process.kill()
        self.end(process)

    def _wait(self, process: Process, ends_at: int, seconds: float) -> None:
        self.hands.wait(
            self.hands.current.life,
            lambda: process.is_over or self.hands.steps >= ends_at,
            seconds,
        )

    def _wait_until_up(self, process: Process, ends_at: int) -> None:
        """Nobody can speak to a run before its tree is up."""
        is_up = process.run.kernel.outside.is_up
        self.hands.wait(
            self.hands.current.life,
            lambda: is_up.is_set() or process.is_over or self.hands.steps >= ends_at,
        )

    def _end_in_order(self, process: Process, how: float) -> None:
        """The run is drained, or drains because its disk is full."""
        if how < 0.08:
            self.outside.free_bytes = LITTLE_BYTES
            self.outside.count("a full disk")
        else:
            process.run.drain()
            self.outside.count("a drain")
        self._wait(process, sys.maxsize, 30.0)
        self.outside.free_bytes = ROOM_BYTES

    def end(self, process: Process) -> str:
        """A process is gone."""
        status = process.close()
        self.outside.counts[f"process: {status}"] += 1
        if process.machine.ended_with is not None:
            self.outside.counts["a process that ended itself"] += 1
        self.outside.note(f"process {process.machine.number} is gone: {status}")
        if self.chance.random() < FLIP_SHARE:
            damage.look(self.outside, self.chance)
        if self.hands.failures:
            error = self.hands.failures[0]
            self.outside.violations.append(f"a thread failed: {type(error).__name__}: {error}")
        return status


def simulate(seed: int, hours: float = 1.0, until: int = 0) -> Outcome:
    """Play the world of a seed, up to an event if one is given."""
    began = time.monotonic()
    world = World(seed, hours, until)
    with _stage(world.outside), world.hands, bounds.small(world.chance):
        try:
            world.play()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the seed shows
            world.outside.violations.append(f"{type(error).__name__}: {error}")
    counts = world.outside.counts + world.checks.model.kinds
    counts["commits"] = world.outside.platter.commits
    return Outcome(
        seed,
        world.outside.violations,
        world.trace.digest(),
        world.trace.events,
        world.hands.now_ns / NS / 3_600,
        time.monotonic() - began,
        counts,
        world.trace.lines,
    )


@contextmanager
def _stage(outside: Outside) -> Iterator[None]:
    """Have handlers play in a world; what Python says of the threads of dead processes is moot."""
    hook, had_gc = sys.unraisablehook, gc.isenabled()
    logger = logging.getLogger("asyncio")
    level = logger.level
    sys.unraisablehook = lambda unraisable: None
    logger.setLevel(logging.CRITICAL + 1)
    gc.freeze()  # there is enough to look through
    gc.disable()  # what a finalizer does must not depend on when it is run
    world_outside.enter(outside)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        world_outside.leave()
        gc.collect()
        gc.unfreeze()
        if had_gc:
            gc.enable()
        logger.setLevel(level)
        sys.unraisablehook = hook
