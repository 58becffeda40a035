"""The journal folded a second time, by other code than the one that runs: what must be true now.

Pure. Nothing here is shared with the kernel but the shapes of records: where both agree, both are
right, or wrong in the same way by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from perdure.ledger import records
from perdure.ledger.images import Image, apply, state_hash
from perdure.ledger.journal import sender_of
from perdure.ledger.records import Lane, Life, Record, Send

MessageKey = tuple[int, int]
"""(seq of the sending record, index)."""

NO_HASH = bytes(16)


class Violation(NamedTuple):
    """Something that must not be: the record it shows at, and what it is."""

    seq: int
    text: str

    def __str__(self) -> str:
        return f"record {self.seq}: {self.text}"


class Buried(NamedTuple):
    """A dead letter."""

    to: str
    reason: str
    attempts: int
    seq: int


@dataclass(slots=True)
class Waiting:
    """A message that waits in an inbox."""

    to: int
    lane: int
    sender: int


@dataclass(slots=True)
class Life_:
    """An actor as the journal has it."""

    address: str
    class_name: str
    parent: int
    life: int
    incarnation: int
    attempts: int = 0
    not_before: int = 0
    crashes: int = 0
    turns: int = 0
    state_hash: bytes = NO_HASH
    images: dict[str, Image] = field(default_factory=dict)
