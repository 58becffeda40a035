"""The machine of one simulated process: what the kernel takes from it, from a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.ledger.flights import Flights
from perdure.simulation import hands as moving
from perdure.simulation.hands import NS, Hands, Life
from perdure.simulation.loop import SimulatedLoop

if TYPE_CHECKING:
    from perdure.simulation.outside import Outside

WALL_NS = 1_700_000_000 * NS


class SimulatedClock:
    """A process's clocks. The wall clock may stand anywhere: also before it stood before."""

    jumps = False

    def __init__(self, hands: Hands, wall_ns: int) -> None:
        self._hands = hands
        self._wall_ns = wall_ns - hands.now_ns

    def wall_ns(self) -> int:
        return self._wall_ns + self._hands.now_ns

    def monotonic_ns(self) -> int:
        return self._hands.now_ns

    def jump_to(self, monotonic_ns: int) -> None:
        raise RuntimeError("simulated time passes by itself")


class SimulatedMachine:
    """A process: threads that move when it is their turn, and the outside that outlives it."""

    def __init__(
        self,
        hands: Hands,
        life: Life,
        outside: Outside,
        clock: SimulatedClock,
        *,
        number: int,
        is_watched: bool = True,
    ) -> None:
        self.hands = hands
        self.life = life
        self.outside = outside
        self.clock = clock
        self.number = number
        self.is_watched = is_watched
        self.on_idle: Callable[[], None] = lambda: None
        self.wall_ns = clock.wall_ns
        self.elapsed_ns = clock.monotonic_ns
        self.ended_with: str | None = None
        self.made: SimulatedLoop | None = None

    def thread(self, target: Callable[[], object], name: str) -> moving.Thread:
        if name == "perdure-watchdog" and not self.is_watched:
            target = _nothing
        return moving.Thread(self.hands, self.life, target, name)

    def flag(self) -> moving.Flag:
        return moving.Flag(self.hands, self.life)

    def line(self) -> moving.Line:
        return moving.Line(self.hands, self.life)

    def loop(self) -> SimulatedLoop:
        self.made = SimulatedLoop(self.hands, self.life, lambda: self.on_idle())
        return self.made

    def random_bytes(self, number: int) -> bytes:
        return self.hands.chance.randbytes(number)

    def pid(self) -> int:
        return self.number

    def flights(self, directory: Path | None) -> Flights:
        flights = Flights(directory)
        flights.buffer = self.outside.flights
        return flights

    def free_bytes(self, directory: Path | None) -> int | None:
        return self.outside.free_bytes

    def write_artifact(self, directory: Path | None, path: str, data: bytes) -> None:
        self.pause(self.hands.chance.expovariate(2_000))
        self.outside.released(path, data)
        self.pause(self.hands.chance.expovariate(2_000))

    def end_process(self, text: str, code: int) -> None:
        self.ended_with = text
        self.die()
        raise moving.Killed

    def die(self) -> None:
        """The process is dead; what it had noted beside the ledger stays as it is."""
        self.life.is_dead = True
        self.outside.flights = bytearray(self.outside.flights)

    def begin(self) -> None:
        return

    def end(self) -> None:
        return

    def pause(self, seconds: float) -> None:
        """Let time pass for the thread that calls."""
        self.hands.sleep(self.life, seconds)


def _nothing() -> None:
    return
