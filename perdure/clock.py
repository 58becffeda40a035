"""Time, the one source of it: a real clock, and one that tests move."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

NS = 1_000_000_000


class Clock(Protocol):
    """Wall and monotonic time in int64 ns; one that `jumps` may be leapt to the next timer."""

    jumps: bool

    def wall_ns(self) -> int: ...
    def monotonic_ns(self) -> int: ...
    def jump_to(self, monotonic_ns: int) -> None: ...


class RealClock:
    """The machine's clocks."""

    jumps = False

    wall_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)

    def jump_to(self, monotonic_ns: int) -> None:
        raise RuntimeError("real time does not jump")


class FakeClock:
    """A clock that stands still until a test, or an idle kernel, moves it.

    >>> clock = FakeClock()
    >>> clock.advance(2.5)
    >>> clock.monotonic_ns()
    2500000000
    """

    def __init__(self, *, wall_seconds: float = 1_700_000_000.0, jumps: bool = True) -> None:
        self.jumps = jumps
        self._wall = int(wall_seconds * NS)
        self._now = 0

    def wall_ns(self) -> int:
        return self._wall + self._now

    def monotonic_ns(self) -> int:
        return self._now

    def jump_to(self, monotonic_ns: int) -> None:
        self._now = max(self._now, monotonic_ns)

    def advance(self, seconds: float) -> None:
        """Move time forward; negative seconds are refused."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += int(seconds * NS)


class LedgerClock:
    """Ledger time: int64 ns that never decreases, however the wall clock jumps.

    It is the last recorded time plus monotonic elapsed time, raised to wall time at start.
    """

    def __init__(self, clock: Clock, last_ns: int = 0) -> None:
        self.clock = clock
        self.monotonic_ns = monotonic_ns = clock.monotonic_ns
        self.ahead_ns = ahead_ns = max(last_ns, clock.wall_ns()) - monotonic_ns()
        self.now_ns: Callable[[], int] = lambda: monotonic_ns() + ahead_ns
        """Ledger time now. Turns, each of which wants it twice, add up the two by themselves."""

    def jump_to(self, ledger_ns: int) -> None:
        """Leap to a ledger time; only on a clock that `jumps`."""
        self.clock.jump_to(ledger_ns - self.ahead_ns)
