"""The supervision tree as people look at it: who is below whom, and how each is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from perdure.errors import LedgerDamaged
from perdure.ledger.images import materialise, read_images
from perdure.ledger.records import Life
from perdure.ledger.rows import ActorRow, StateRow
from perdure.supervisors.restarts import restarts_in
from perdure.supervisors.state import Supervision
from perdure.supervisors.stored import from_data

SPAWNED = "perdure.spawned"
"""The class of the implicit supervisor of spawned children: people do not look at it."""


@dataclass(slots=True)
class Node:
    """One actor in the tree. `supervision` is what a supervisor knows; None for any other actor.

    `life` is a word: born, starting, running, down, stopped, ended. `restarts` are its own.
    """

    id: int
    address: str
    class_name: str
    parent: int
    life: str
    incarnation: int
    turns: int
    crashes: int
    restarts: int
    waiting: int
    reason: str
    stalled: str = ""  # why it waits for a repair
    suspended: bool = False
    old_code: str = ""  # why it goes on with older code than the run's
    supervision: Supervision | None = None
    children: list[Node] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        id: int,
        row: ActorRow,
        state: StateRow | None,
        waiting: int,
        decode: Callable[[bytes], Any],
        old_code: str = "",
    ) -> Node:
        """The node of an actor's rows."""
        return cls(
            id,
            row.address,
            row.class_name,
            row.parent,
            Life(row.life).name.lower(),
            row.incarnation,
            0 if state is None else state.turns,
            row.crashes,
            row.restarts,
            waiting,
            row.reason,
            row.stalled,
            row.suspended != 0 and row.suspended == row.incarnation,
            old_code,
            None if state is None else _supervision(state, decode),
        )

    @property
    def name(self) -> str:
        """The last segment of its address."""
        return self.address.rpartition("/")[2]

    @property
    def kind(self) -> str:
        """The strategy of a supervisor, the class of any other actor."""
        return self.class_name if self.supervision is None else self.supervision.strategy

    @property
    def restarts_below(self) -> int:
        """How often a supervisor's own children were restarted."""
        return sum(child.restarts for child in self.children)

    def counted(self, now_ns: int) -> int:
        """Restarts that count against a supervisor's intensity at that ledger time."""
        if self.supervision is None:
            return 0
        oldest = now_ns // 1_000_000_000 - self.supervision.period
        return restarts_in(tuple(each for each in self.supervision.restarts if each[0] >= oldest))


def family(nodes: Iterable[Node]) -> list[Node]:
    """The roots, with everybody below them in order of birth.

    What `spawn` made is shown below the actor that made it, and the implicit supervisor is not.
    """
    by_id = {node.id: node for node in nodes}
    roots = []
    for node in by_id.values():
        above = by_id.get(node.parent)
        if node.class_name == SPAWNED:
            continue
        if above is not None and above.class_name == SPAWNED:
            above = by_id.get(above.parent)
        if above is None:
            roots.append(node)
        else:
            above.children.append(node)
    return roots


def _supervision(state: StateRow, decode: Callable[[bytes], Any]) -> Supervision | None:
    """What a supervisor's state says; None for the state of another actor."""
    image = state.images.get("supervision")
    if image is None or "actors" not in state.images:
        return None
    text = materialise(read_images({"": image})[""], decode)
    try:
        return from_data(json.loads(text))
    except (LedgerDamaged, TypeError, ValueError):
        return None  # an actor of a user that happens to have such fields
