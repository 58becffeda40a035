"""What a fold of the journal holds: actors, waiting messages, dead letters, and what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from perdure.ledger.images import Image

Id = tuple[int, int]
"""A message: (seq of the sending record, index)."""


class Violation(NamedTuple):
    """Something that must not be: the record it shows at, and what it is."""

    seq: int
    text: str

    def __str__(self) -> str:
        return f"record {self.seq}: {self.text}"


class Waiting(NamedTuple):
    """A message that waits in an inbox."""

    to: int
    lane: int
    sender: int
    reply: tuple[int, int, int, str] | None = None  # where its answer goes


class Letter(NamedTuple):
    """A dead letter, and the record that says so."""

    to: str
    reason: str
    attempts: int
    seq: int
    time: int


@dataclass(slots=True)
class Agent:
    """An actor as the journal has it."""

    address: str
    class_name: str
    parent: int
    life: int
    incarnation: int
    version: int = 1
    spec: dict[str, Any] = field(default_factory=dict)
    init: bytes = b""
    attempts: int = 0
    not_before: int = 0
    crashes: int = 0
    restarts: int = 0
    reason: str | bytes = ""  # of its last end; bytes: of the message that told it
    falls: int = 0
    fell_at: int = 0
    turns: int = 0
    stalled: str = ""
    suspended: int = 0
    watches: dict[tuple[int, str], str] = field(default_factory=dict)
    last: int = 0  # the record that its state is as of
    state_hash: bytes = bytes(16)
    images: dict[str, Image] = field(default_factory=dict)
    tokens: int = 0
    kept: int = 0  # as in its row
