"""The trace of a world: one line for each event, the same for the same seed, byte for byte."""

from __future__ import annotations

from hashlib import blake2b

from perdure.simulation.hands import NS, Hands

KEPT = 20_000  # lines in memory, the newest; all of them are in the digest


class Trace:
    """Numbers events, and keeps what they say.

    `until` is the event at which a world stops to be looked at; 0: none.
    """

    def __init__(self, hands: Hands, until: int = 0) -> None:
        self._hands = hands
        self._hash = blake2b(digest_size=16)
        self.until = until
        self.events = 0
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """One more event."""
        self.events += 1
        hands = self._hands
        line = f"{self.events:>6} {hands.now_ns / NS:14.6f} {hands.steps:>8} {text}"
        self._hash.update(line.encode() + b"\n")
        self.lines.append(line)
        if len(self.lines) > 2 * KEPT:
            del self.lines[:KEPT]

    @property
    def is_over(self) -> bool:
        """Whether the event has come at which to stop."""
        return 0 < self.until <= self.events

    def digest(self) -> str:
        """The digest of all lines so far."""
        return self._hash.hexdigest()
