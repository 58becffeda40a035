"""Which turns are in flight, in a file that `kill -9` leaves: what ran when a process died.

The file is mapped, so noting a turn is a store into memory, and the system's page cache keeps it
when the process is gone. A machine that goes down takes it along: that is no message's fault.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from perdure.limits import FLIGHTS_MAX

FILE = "flights"
HEAD = Struct(">36sB")  # the machine's boot, and whether a process is at it
FLIGHT = Struct(">QQI")
FIRST = 40
SCRATCH = FIRST + FLIGHTS_MAX * FLIGHT.size  # where turns past the bound are noted: never read
BYTES = SCRATCH + FLIGHT.size
NOBODY = bytes(FLIGHT.size)
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Flight(NamedTuple):
    """A turn that was in flight: its actor, and the id of its message."""

    actor: int
    seq: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody calls on a flight


class Flights:
    """Places for turns in flight, of a run in `directory`; None keeps them in memory only.

    `note` one with `FLIGHT.pack_into(flights.buffer, place, actor, seq, index)`, which is what it
    costs. Past `FLIGHTS_MAX` at once, further ones are not remembered.

    >>> flights = Flights(None)
    >>> flights.take()
    >>> place = flights.place()
    >>> FLIGHT.pack_into(flights.buffer, place, 7, 12, 0)
    >>> flights.noted()
    [Flight(actor=7, seq=12, index=0)]
    >>> flights.clear(place)
    >>> flights.noted()
    []
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._free = list(range(SCRATCH - FLIGHT.size, FIRST - 1, -FLIGHT.size))
        self.buffer: mmap.mmap | bytearray = bytearray(BYTES)

    def take(self) -> list[Flight] | None:
        """Begin to note; what was in flight when the last process died, None if it ended in order.

        A file that cannot be made, on a full disk say, is done without.
        """
        boot = _boot()
        if self._directory is not None:
            try:
                self.buffer = _mapped(self._directory / FILE)
            except OSError:
                self.buffer = bytearray(BYTES)
        said, is_open = HEAD.unpack_from(self.buffer)
        found = self.noted() if is_open and said == boot else None
        self.buffer[FIRST:] = bytes(BYTES - FIRST)
        HEAD.pack_into(self.buffer, 0, boot, 1)
        return found

    def noted(self) -> list[Flight]:
        """The turns that are in flight, in order of their messages."""
        places = range(FIRST, SCRATCH, FLIGHT.size)
        flights = {Flight(*FLIGHT.unpack_from(self.buffer, place)) for place in places}
        return sorted(
            (flight for flight in flights if flight.actor), key=lambda each: (each.seq, each.index)
        )

    def place(self) -> int:
        """A place of one's own. Any thread."""
        try:
            return self._free.pop()
        except IndexError:
            return SCRATCH

    def clear(self, place: int) -> None:
        """No turn is in flight there."""
        self.buffer[place : place + FLIGHT.size] = NOBODY

    def leave(self, place: int) -> None:
        """Give a place back."""
        self.clear(place)
        if place != SCRATCH:
            self._free.append(place)

    def close(self) -> None:
        """The process ends in order: whatever is in flight now was not what ended it."""
        HEAD.pack_into(self.buffer, 0, b"", 0)


def _mapped(path: Path) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        os.posix_fallocate(fd, 0, BYTES)  # a page that the disk has no room for would kill us
        return mmap.mmap(fd, BYTES)
    finally:
        os.close(fd)


def _boot() -> bytes:
    """What names this life of the machine; on a system without, all of them are one."""
    try:
        return BOOT_ID.read_bytes().strip()[:36].ljust(36, b"\0")
    except OSError:
        return bytes(36)
