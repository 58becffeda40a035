"""What a fold of the journal knows of waits: steps that a message asked for and has not got."""

from __future__ import annotations

from perdure.ledger.folded import Id

Reply = tuple[int, int, int, str]
"""(asker's id, seq and index of the message that it is at, step key)."""


class Waits:
    """The open waits of each message, and the timers that end them; each is settled once."""

    def __init__(self, timers: dict[Id, int]) -> None:
        self._timers = timers  # of the whole fold: a settled wait takes its own along
        self.open: dict[Id, dict[str, Id | None]] = {}
        self.settled: dict[Id, set[str]] = {}

    def asked(self, message: Id, key: str) -> None:
        """A message asks for something, or once more after it was cancelled."""
        self.settled.get(message, set()).discard(key)
        self.open.setdefault(message, {})[key] = None

    def timed(self, reply: Reply, timer: Id) -> None:
        """It waits no longer than until that timer."""
        self.open.setdefault((reply[1], reply[2]), {})[reply[3]] = timer

    def settle(self, message: Id, key: str) -> int | None:
        """A wait is over; when its time was up, if it had one. A late answer is none."""
        waits = self.open.get(message)
        if waits is None or key not in waits:
            return None
        self.settled.setdefault(message, set()).add(key)
        timer = waits.pop(key)
        return None if timer is None else self._timers.pop(timer, None)

    def is_settled(self, message: Id, key: str) -> bool:
        """Whether a message has got that already."""
        return key in self.settled.get(message, ())

    def gone(self, message: Id) -> None:
        """A message was consumed, or is a dead letter: it waits for nothing more."""
        for timer in self.open.pop(message, {}).values():
            if timer is not None:
                self._timers.pop(timer, None)
        self.settled.pop(message, None)
