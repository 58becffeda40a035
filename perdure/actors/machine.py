"""What the kernel takes from the machine: threads, the loop, chance, the disk beside the ledger.

One port, with two implementations: the real one here, which costs nothing, and the simulated one
(perdure/simulation/), on which a seed decides who goes on. Time is a port of its own, `Clock`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter_ns, time_ns
from typing import Any, Protocol

from perdure.actors.garbage import collections
from perdure.actors.loop import Loop
from perdure.ledger.durable import write_whole
from perdure.ledger.flights import Flights


class Thread(Protocol):
    """A thread that may not have begun."""

    @property
    def ident(self) -> int | None: ...
    def start(self) -> None: ...
    def join(self, timeout: float | None = None) -> None: ...


class Flag(Protocol):
    """What threads wait for: `threading.Event`."""

    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Line(Protocol):
    """What one thread puts and another gets, in order: `queue.SimpleQueue`."""

    def put(self, item: Any) -> None: ...
    def get(self) -> Any: ...


class Machine(Protocol):
    """The machine that a kernel runs on."""

    def thread(self, target: Callable[[], object], name: str) -> Thread:
        """A daemon thread, not begun."""
        ...

    def flag(self) -> Flag: ...
    def line(self) -> Line: ...
    def loop(self) -> Loop: ...
    def random_bytes(self, number: int) -> bytes:
        """Random bytes that nobody has drawn before."""
        ...

    def pid(self) -> int: ...
    def wall_ns(self) -> int: ...
    def elapsed_ns(self) -> int:
        """A clock to measure work with."""
        ...

    def flights(self, directory: Path | None) -> Flights:
        """Where turns in flight are noted."""
        ...

    def free_bytes(self, directory: Path | None) -> int | None:
        """What room the disk has left; None for a run that needs none, and when nobody can tell."""
        ...

    def write_artifact(self, directory: Path | None, path: str, data: bytes) -> None:
        """Put a file in place, whole or not at all. Raises `OSError`."""
        ...

    def end_process(self, text: str, code: int) -> None:
        """End this process at once, and say why."""
        ...

    def begin(self) -> None:
        """A run begins on the calling thread."""
        ...

    def end(self) -> None:
        """It is over."""
        ...


class RealMachine:
    """This one."""

    flag = staticmethod(threading.Event)
    line: Callable[[], Line] = staticmethod(SimpleQueue)
    loop = staticmethod(Loop)
    random_bytes = staticmethod(os.urandom)
    pid = staticmethod(os.getpid)
    wall_ns = staticmethod(time_ns)
    elapsed_ns = staticmethod(perf_counter_ns)
    flights = staticmethod(Flights)
    begin = staticmethod(collections.begin)
    end = staticmethod(collections.end)

    def thread(self, target: Callable[[], object], name: str) -> Thread:
        return threading.Thread(target=target, name=name, daemon=True)

    def free_bytes(self, directory: Path | None) -> int | None:
        if directory is None:
            return None
        try:
            disk = os.statvfs(directory)
        except OSError:
            return None  # it is gone, say: writing tells what is wrong
        return disk.f_bavail * disk.f_frsize

    def write_artifact(self, directory: Path | None, path: str, data: bytes) -> None:
        if directory is not None:
            write_whole(directory / "artifacts" / path, data, top=directory)

    def end_process(self, text: str, code: int) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
        os._exit(code)
