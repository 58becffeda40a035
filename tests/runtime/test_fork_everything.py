"""A run with spawns, asks, timers, crashes and a dead letter forks at each record to one end."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Backoff, Child, FakeClock, Run, SupervisorSpec, field
from perdure.errors import Crashed
from perdure.ledger.audit import audit_store
from perdure.ledger.memory import MemoryStore
from perdure.runtime.fork import fork_store
from perdure.runtime.program import Program
from perdure.runtime.view import View
from tests.kit import SECONDS, program
from tests.tables import assert_tables_follow


class Lead(Actor, name="tests.everything.lead"):
    """Spawns workers, asks each, is late for one, and asks somebody who always crashes."""

    answers: list[Any] = field(default_factory=list)

    lives: int = 0

    async def on_start(self) -> None:
        self.lives += 1
        if self.lives == 1:
            self.tell(self.address, "begin")

    async def on_receive(self, message: str) -> None:
        if message == "begin":
            for name in ("one", "two"):
                self.spawn(Worker, name, init={"factor": len(name)}, attempts_max=2)
                self.answers.append(await self.ask(name, 7))
            self.mark("asked")
            self.send_after(60.0, self.address, "later")
        elif message == "later":
            if self.attempt == 1:
                raise ValueError("the first time, it is too late")
            try:
                await self.ask("../bad", 1)
            except Crashed as error:
                self.answers.append(str(error).split()[0])
            self.tell("../nobody", "unread")
            self.tell("two", 5)
            self.spawn(Worker, "three", init={"factor": 3})
            self.tell("three", "stop")


class Worker(Actor, name="tests.everything.worker"):
    factor: int
    seen: list[int] = field(default_factory=list)
    up: int = 0

    async def on_start(self) -> None:
        self.up += 1

    async def on_receive(self, message: Any) -> int:
        if message == "stop":
            self.stop()
            return 0
        if message == 7 and self.attempt == 1 and self.factor == 3:
            raise ValueError("not at once")
        self.seen.append(message)
        return message * self.factor


class Bad(Actor, name="tests.everything.bad"):
    async def on_receive(self, message: int) -> None:
        raise ValueError(message)


def tree(intensity: int) -> Program:
    quick = Backoff(first=0.0)
    spec = SupervisorSpec(
        strategy="rest_for_one",
        intensity=intensity,
        period=1.0,
        children=[
            Child("bad", Bad, attempts_max=2, backoff=quick),
            Child("lead", Lead, backoff=quick),
        ],
    )
    return program(Child("team", supervisor=spec))


def ended(store: MemoryStore) -> dict[str, Any]:
    """What everybody has in the end, and which messages nobody handled."""
    twin = store.reopened()
    assert audit_store(twin) == []
    assert_tables_follow(twin)
    view = View(twin)
    nodes = [node for node in view.actors() if node.supervision is None]
    found: dict[str, Any] = {n.address: (n.life, view.state(n.address)) for n in nodes}
    return found | {"dead": [(each.to, each.reason) for each in view.dead_letters()]}


@pytest.mark.parametrize("intensity", [9, 0])
def test_each_fork_comes_to_the_end_of_the_original(intensity: int) -> None:
    program, source = tree(intensity), MemoryStore()
    with Run(program, store=source, seed=1, clock=FakeClock()) as run:
        status = run.wait(SECONDS).status
    whole, source = ended(source), source.reopened()
    head = source.head().seq
    for at in range(1, head + 1):
        fork = MemoryStore()
        fork_store(source, at, fork)
        fork = fork.reopened()
        with Run.resume(None, store=fork, program=program, clock=FakeClock()) as run:
            assert run.wait(SECONDS).status == status, at
        assert ended(fork) == whole, at
