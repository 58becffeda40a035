"""The outside of a simulated run: all that outlives its processes, and remembers on its own.

Tools have their effects here, files appear here, receipts and answers arrive here. What is written
down here is never read by the run: checkers hold it against the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from perdure.ledger.flights import BYTES
from perdure.limits import DISK_FREE_BYTES_MIN
from perdure.simulation.disk import Platter

if TYPE_CHECKING:
    from perdure.simulation.hands import Hands
    from perdure.simulation.machine import SimulatedMachine

ROOM_BYTES = 1_000_000_000
LITTLE_BYTES = DISK_FREE_BYTES_MIN // 2


class Violated(Exception):
    """Something that must hold does not."""


@dataclass
class Call:
    """One execution of a tool."""

    uid: str  # of the step: one message's, one place in its plot
    tool: str
    key: str  # the idempotency key it was given, if it takes one
    process: int
    state: str = "running"  # done, failed
    is_refuted: bool = False  # a person said that it had not happened


@dataclass
class Outside:
    """One world's outside."""

    seed: int
    chance: Random  # of tools and handlers: not of threads
    hands: Hands
    platter: Platter = field(default_factory=Platter)
    flights: bytearray = field(default_factory=lambda: bytearray(BYTES))
    free_bytes: int = ROOM_BYTES
    is_calm: bool = False  # no faults any more: what hangs goes on
    machine: SimulatedMachine | None = None  # of the process that lives
    artifacts: dict[str, bytes] = field(default_factory=dict)
    calls: dict[str, list[Call]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)  # of each place that fails some times
    outcomes: dict[str, str] = field(default_factory=dict)  # of steps that handlers have gone past
    again: set[str] = field(default_factory=set)  # work that a person had sent again
    ring: list[str] = field(default_factory=list)  # addresses, in a circle
    loose: set[str] = field(default_factory=set)  # addresses of actors whose state may be set back
    counts: Counter[str] = field(default_factory=Counter)  # of what happened, for the coverage
    violations: list[str] = field(default_factory=list)
    note: Callable[[str], None] = lambda text: None  # an event for the trace
    on_call: Callable[[Call, list[Call]], object] = lambda call, before: None
    on_released: Callable[[str, bytes], object] = lambda path, data: None

    # --- what breaks a rule

    def wrong(self, text: str) -> None:
        """Something does not hold; the world ends."""
        if self.is_alive:
            self.violations.append(text)
            self.note(f"VIOLATED {text}")

    @property
    def is_alive(self) -> bool:
        """Whether a process is there; what a dead one's threads still say was never said."""
        return self.machine is not None and not self.machine.life.is_dead

    def count(self, what: str) -> None:
        """Something happened that a world should have."""
        if self.is_alive:
            self.counts[what] += 1

    # --- for threads of the process

    def pause(self, seconds: float) -> None:
        """The thread that calls is busy for some time."""
        assert self.machine is not None
        self.machine.pause(seconds)

    def step(self) -> None:
        """Others may go on before the thread that calls."""
        assert self.machine is not None
        self.hands.step(self.machine.life)

    def hang(self) -> None:
        """The thread that calls hangs until the faults are over."""
        assert self.machine is not None
        self.count("hang")
        self.hands.wait(self.machine.life, lambda: self.is_calm)

    def die(self) -> None:
        """The process dies, now."""
        assert self.machine is not None
        self.count("death by a handler")
        self.machine.end_process("a handler killed it", 9)

    def fails(self, place: str, times: int) -> bool:
        """Whether something that fails so many times fails now."""
        if self.failures[place] >= times or (self.is_calm and times < 99):
            return False
        if self.is_alive:
            self.failures[place] += 1
        return True

    # --- tools

    def begin_call(self, uid: str, tool: str, key: str) -> Call:
        """A tool begins to have its effect."""
        self.step()
        assert self.machine is not None
        call = Call(uid, tool, key, self.machine.number)
        before = self.calls.setdefault(uid, [])
        self.note(f"{tool} {uid}")
        self.on_call(call, before)
        before.append(call)
        return call

    def end_call(self, call: Call, state: str) -> None:
        """It has had it, or has failed without."""
        if self.is_alive:
            call.state = state
        self.step()

    # --- what comes out

    def released(self, path: str, data: bytes) -> None:
        """A file is in place."""
        if self.is_alive:
            self.note(f"artifact {path}, {len(data)} bytes")
            self.on_released(path, data)
            self.artifacts[path] = data

    def is_again(self, uid: str) -> bool:
        """Whether work may happen once more, or comes of such: a person had it sent again.

        So is a question that a task group gave up (`c` in its name) and an attempt asks anew.
        """
        return "c" in uid or any(uid == each or uid.startswith(f"{each}.") for each in self.again)

    def met(self, uid: str, outcome: str) -> None:
        """A handler meets what came of a step."""
        if self.is_again(uid):
            return
        first = self.outcomes.get(uid, outcome)
        if first != outcome:
            self.wrong(f"G4: a handler went past step {uid}, {first}, and meets {outcome} now")

    def passed(self, uid: str, outcome: str) -> None:
        """A handler has gone past a step: from now on, every attempt at it meets the same."""
        if self.is_alive:
            self.outcomes[uid] = outcome


_now: list[Outside] = []


def now() -> Outside:
    """The outside of the world that is being simulated in this process."""
    return _now[-1]


def enter(outside: Outside) -> None:
    """Have handlers and tools play in that world."""
    _now[:] = [outside]


def leave() -> None:
    """No world is being simulated any more."""
    _now.clear()
