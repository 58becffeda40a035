"""A ledger in memory with faults on demand: a process that dies at a write, a disk that refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from perdure.ledger.group import Group, Head, nothing
from perdure.ledger.memory import MemoryStore

DISK_FULL = 28  # ENOSPC


class Fault(NamedTuple):
    """What goes wrong, and at the how-manieth commit of a process, from 1 on.

    - `before`: the process dies, and that group is lost;
    - `after`: it dies when the group is durable, and nobody has heard so;
    - `full`: the disk has no room for this group, nor for any after it;
    - `once`: the disk refuses this one group. As with any refusal, the process ends.
    """

    at: int
    kind: Literal["before", "after", "full", "once"] = "before"

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]} write {self.at}"


_WORDS = {
    "before": "killed before",
    "after": "killed after",
    "full": "the disk is full from",
    "once": "the disk refuses",
}


class Died(Exception):
    """The process died here, as far as its ledger is concerned."""


class FaultStore(MemoryStore):
    """The twin in memory, in which one thing goes wrong at a commit that one chooses.

    After a death nothing is committed any more. `successor` is what the next process finds.

    >>> store = FaultStore(Fault(2))
    >>> store.commit(Group(1, [(1, b"first")])).seq
    1
    >>> store.commit(Group(2, [(1, b"second")]))
    Traceback (most recent call last):
    perdure.ledger.faults.Died: killed before write 2
    >>> store.successor().head().seq
    1
    """

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__(self._refuse)
        self.fault = fault
        self.kinds: list[int] = []  # of the last record of each group that was handed over
        self.has_struck = False

    @property
    def writes(self) -> int:
        """How many groups this process has handed over."""
        return len(self.kinds)

    def successor(self, fault: Fault | None = None) -> FaultStore:
        """What a process that starts after this one ended finds, and what befalls that one."""
        twin = FaultStore(fault)
        self.copy_to(twin)
        return twin

    def commit(self, group: Group, written: Callable[[], None] = nothing) -> Head:
        fault = self.fault
        is_death = fault is not None and fault.kind in ("before", "after")
        if self.has_struck and is_death:
            raise Died(str(fault))
        self.kinds.append(group.records[-1][0] if group.records else 0)
        if fault is None or not is_death or self.writes != fault.at:
            return super().commit(group, written)
        if fault.kind == "after":
            super().commit(group, written)
        self.has_struck = True
        raise Died(str(fault))

    def _refuse(self, number: int) -> None:
        fault = self.fault
        if fault is not None and fault.kind in ("full", "once") and number == fault.at:
            self.has_struck = True  # and the store refuses whatever comes after it
            raise OSError(DISK_FULL, "No space left on device")
