"""Full inboxes: who sends there waits, or is refused; nothing is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import (
    Actor,
    Child,
)
from perdure.actors.signals import send_stop
from perdure.errors import (
    Crashed,
    InboxFull,
)
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    Gate,
    dead_letters,
    of,
    on_kernel,
    program,
    running,
    settle,
    until,
)


@pytest.mark.parametrize("options", [{}, {"cost": 5.0}])
def test_a_full_inbox_refuses_in_the_handler_that_sends(options: dict[str, Any]) -> None:
    gate = Gate()

    class Busy(Actor, name="tests.dispatch.busy"):
        async def on_receive(self, message: Any) -> None:
            await gate.passed()

    class Sender(Actor, name="tests.dispatch.sender3"):
        async def on_receive(self, message: str) -> str:
            try:
                self.tell("../busy", "one too many", **options)
            except InboxFull as full:
                return str(full)
            return "sent"

    with running(program(Child("a", Sender), Child("busy", Busy))) as run:
        on_kernel(run, setattr, run.kernel.pressure, "hard_max", 3)
        run.tell("/r/busy", 0).get(timeout=SECONDS)
        gate.reached()
        answers = [run.ask("/r/a", "x", timeout=SECONDS) for _ in range(3)]
        gate.open()
    assert answers[:2] == ["sent", "sent"]
    assert "/r/busy" in answers[2]
    assert "3 of 3" in answers[2]


def test_an_ask_and_the_outside_are_refused_by_a_full_inbox_too() -> None:
    gate, store = Gate(), MemoryStore()

    class Busy(Actor, name="tests.dispatch.busy2"):
        async def on_receive(self, message: Any) -> None:
            await gate.passed()

    class Asker(Actor, name="tests.dispatch.asker"):
        async def on_receive(self, message: str) -> None:
            await self.ask("../busy", "x")

    tree = program(Child("a", Asker, attempts_max=1), Child("busy", Busy))
    with running(tree, store) as run:
        on_kernel(run, setattr, run.kernel.pressure, "hard_max", 1)
        run.tell("/r/busy", 0).get(timeout=SECONDS)
        gate.reached()
        with pytest.raises(Crashed, match="InboxFull"):
            run.ask("/r/a", "x", timeout=SECONDS)
        with pytest.raises(InboxFull, match="/r/busy"):
            run.tell("/r/busy", 1).get(timeout=SECONDS)
        with pytest.raises(InboxFull, match="/r/busy"):
            run.ask("/r/busy", 1, timeout=SECONDS)
        gate.open()
        settle(run)
    assert [to for to, _ in dead_letters(store)] == ["/r/a"]


def test_who_sends_past_the_soft_limit_waits_until_the_inbox_has_drained() -> None:
    gate, order = Gate(), []

    class Busy(Actor, name="tests.dispatch.busy3"):
        async def on_receive(self, message: Any) -> None:
            await gate.passed()
            order.append(message)

    class Sender(Actor, name="tests.dispatch.sender4"):
        async def on_receive(self, message: int) -> None:
            order.append(f"send {message}")
            for n in range(message):
                self.tell("../busy", n)

    store = MemoryStore()
    with running(program(Child("a", Sender), Child("busy", Busy)), store) as run:
        run.kernel.book.soft_max = 4
        run.tell("/r/a", 6)
        run.tell("/r/a", 1)
        gate.reached()
        until(run, lambda: run.kernel.dispatch.held)
        assert order == ["send 6"]
        gate.open()
        settle(run)
    released = order.index("send 1")
    assert order[released - 1] >= 2  # not before the inbox was half empty
    assert [n for n in order if n not in ("send 6", "send 1")] == [0, 1, 2, 3, 4, 5, 0]
    assert len(of(store, records.Turn)) >= 9


def test_if_everybody_is_held_the_oldest_goes_on() -> None:
    class Ring(Actor, name="tests.dispatch.ring"):
        got: int = 0

        async def on_receive(self, message: int) -> int:
            self.got += 1
            if message:
                for _ in range(3):
                    self.tell(self.ref("../a" if self.address == "/r/b" else "../b"), message - 1)
            return self.got

    with running(program(Child("a", Ring), Child("b", Ring))) as run:
        run.kernel.book.soft_max = 1
        run.tell("/r/a", 5)
        settle(run)
        counts = [run.ask(f"/r/{x}", 0, timeout=SECONDS) for x in "ab"]
    assert counts == [1 + 9 + 81 + 1, 3 + 27 + 243 + 1]


class Chatty(Actor, name="tests.pressure.chatty"):
    """Tells on what it is told, and a few things as it starts."""

    count: int = 0

    async def on_start(self) -> None:
        for n in range(3):
            self.tell("../quiet", n)

    async def on_receive(self, message: str) -> None:
        self.count += 1
        self.tell("../quiet", message)


class Quiet(Actor, name="tests.pressure.quiet"):
    """Takes what it is told, when it is let."""

    async def on_receive(self, message: Any) -> None:
        return None


CHAT = program(Child("quiet", Quiet), Child("a", Chatty))


def hold(run: Any) -> None:
    """Have `a` held, whose user messages were none so far."""
    run.suspend("/r/quiet")
    on_kernel(run, setattr, run.kernel.book, "soft_max", 1)
    run.exit("/r/a", "broken")
    settle(run)


def test_the_oldest_of_those_that_are_held_runs_when_all_ready_work_is() -> None:
    with running(CHAT) as run:
        hold(run)
        run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
        assert run.get_state("/r/a")["count"] == 1


def test_who_is_held_as_its_life_ends_handles_nothing_before_the_next() -> None:
    with running(CHAT) as run:
        hold(run)
        run.suspend("/r")  # which would have started it again
        on_kernel(run, tell_and_stop, run)
        settle(run)
        assert run.get_state("/r/a")["count"] == 0
        run.unsuspend("/r")
        settle(run)
        assert run.get_state("/r/a")["count"] == 1


def tell_and_stop(run: Any) -> None:
    run.kernel.outside.tell("/r/a", "x")
    run.kernel.loop.call_soon(send_stop, run.kernel, "/r/a", "normal")
