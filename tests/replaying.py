"""What tests of replay share: a journal in memory is replayed, and what differs comes back."""

from __future__ import annotations

from typing import Any, NamedTuple

from perdure import Actor, Child
from perdure.actors.replay.compare import Difference
from perdure.actors.replay.scene import Scene
from perdure.ledger.memory import MemoryStore
from perdure.runtime.program import Program
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.view import View
from tests.kit import SECONDS, program, running, settle


class Replayed(NamedTuple):
    """What came of a replay."""

    turns: int  # of user messages
    crashes: int
    differences: list[Difference]
    skipped: list[str]
    at: Scene | None  # the turn that differs


def replayed(program: Program, store: MemoryStore, actor: str | None = None) -> Replayed:
    """Replay all of a journal with the code of a program."""
    with Replay(View(store.reopened()), Cast.of(program), actor=actor) as replay:
        turns = sum(scene.kind == "receive" for scene in replay.scenes())
        at = replay.diverged
        differences = [] if at is None else at.differences
        return Replayed(turns, replay.crashes, differences, list(replay.skipped), at)


def assert_identical(program: Program, store: MemoryStore) -> Replayed:
    """Replay, and hold that all of it ran and nothing differed."""
    found = replayed(program, store)
    assert found.differences == [], found.differences
    assert found.skipped == []
    return found


def lived_by(*messages: Any, to: str = "/r/a", **actors: type[Actor]) -> tuple[Any, MemoryStore]:
    """A program with those actors, and the ledger of a run in which `to` got the messages."""
    tree, store = program(*(Child(name, cls) for name, cls in actors.items())), MemoryStore()
    with running(tree, store) as run:
        for message in messages:
            run.tell(to, message).get(timeout=SECONDS)
            settle(run)
    return tree, store
