"""Exit signals and links where they are easily wrong: order, restarts in between, what is told."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, Reject, SupervisorSpec, field
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from perdure.mailbox.signals import Down, Exited
from tests.kit import SECONDS, Gate, on_kernel, program, running, settle, until
from tests.replaying import assert_identical

gate = Gate()


@pytest.fixture(autouse=True)
def _new_gate() -> Any:
    global gate  # noqa: PLW0603 - actors are built by the kernel, and reach nothing else
    gate = Gate()
    yield
    gate.open()


class Node(Actor, name="tests.exits.node"):
    """Does the verb that it is sent; writes down what it is told."""

    got: list[str] = field(default_factory=list)
    lives: int = 0

    async def on_start(self) -> None:
        self.lives += 1

    async def on_receive(self, message: Any) -> Any:
        match message:
            case Down(address=address, reason=reason):
                self.got.append(f"down {address}: {reason}")
            case Exited(address=address, reason=reason):
                self.got.append(f"exited {address}: {reason}")
            case ("monitor", to):
                self.monitor(to)
            case ("exit, tell", to):
                self.exit(to, "enough")
                self.tell(to, "told")
            case ("exit, ask", to):
                self.exit(to, "enough")
                return await self.ask(to, "lives")
            case ("link, exit, wait", to):
                self.link(to)
                self.exit(to, "enough")
                await gate.passed()
            case ("link, exit, reject", to):
                self.link(to)
                self.exit(to, "enough")
                raise Reject("not today")
            case ("spawn", name):
                self.spawn(Node, name)
            case ("stop", why):
                self.stop(why)
            case "crash":
                raise OSError("no line")
            case "lives":
                return self.lives
            case _:
                self.got.append(message)
        return None


class Trapping(Node, name="tests.exits.trapping"):
    trap_exit = True


def tree() -> Any:
    children = [Child(name, Node, redelivery="none") for name in "ab"]
    team = SupervisorSpec(intensity=9, children=[Child("c", Node, redelivery="none")])
    return program(*children, Child("t", Trapping), Child("team", supervisor=team))


@pytest.fixture
def store() -> Any:
    """A ledger; what the test did in it is replayed at the end."""
    store = MemoryStore()
    yield store
    assert_identical(tree(), store)


def do(run: Any, who: str, *message: Any) -> None:
    """Have one do something, and let all of it come to rest."""
    run.tell(f"/r/{who}", message if len(message) > 1 else message[0]).get(timeout=SECONDS)
    settle(run)


def got(run: Any, who: str) -> Any:
    return run.get_state(f"/r/{who}")["got"]


def test_a_signal_to_who_traps_exits_keeps_its_place_among_the_messages(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "exit, tell", "/r/t")
        assert got(run, "t") == ["exited /r/a: enough", "told"]


def test_a_signal_is_to_the_life_that_there_is_when_its_turn_is_committed(
    store: MemoryStore,
) -> None:
    with running(tree(), store) as run:
        run.tell("/r/a", ("link, exit, wait", "/r/b"))
        gate.reached()
        run.tell("/r/b", "crash")
        until(run, lambda: run.kernel.book.cell_at("/r/b").incarnation == 2)
        gate.open()
        until(run, lambda: run.kernel.book.cell_at("/r/b").incarnation == 3)
        settle(run)
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2  # the link was to that life too


def test_a_signal_goes_out_with_its_turn_and_not_with_a_question_before(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        assert run.ask("/r/a", ("exit, ask", "/r/b"), timeout=SECONDS) == 1
        settle(run)
        assert run.ask("/r/b", "lives", timeout=SECONDS) == 2


def test_a_turn_that_rejects_its_message_links_and_signals_nobody(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        with pytest.raises(Reject, match="not today"):
            run.ask("/r/a", ("link, exit, reject", "/r/b"), timeout=SECONDS)
        assert run.ask("/r/b", "lives", timeout=SECONDS) == 1
        do(run, "b", "crash")
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 1


def test_a_kill_of_one_that_is_down_changes_nothing(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        run.suspend("/r")
        do(run, "a", "crash")
        run.exit("/r/a", "kill")
        settle(run)
        cell = on_kernel(run, lambda: run.kernel.book.cell_at("/r/a"))
        assert (cell.life, cell.reason) == (Life.DOWN, "OSError: no line")
        run.unsuspend("/r")
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2


def test_a_signal_to_one_that_is_down_does_not_reach_its_next_life(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        run.suspend("/r")
        do(run, "a", "crash")
        run.exit("/r/a", "enough")
        run.unsuspend("/r")
        settle(run)
        assert run.ask("/r/a", "lives", timeout=SECONDS) == 2


def test_who_falls_with_a_killed_supervisor_was_killed_whatever_ended_an_earlier_life(
    store: MemoryStore,
) -> None:
    with running(tree(), store) as run:
        do(run, "team/c", "crash")
        do(run, "a", "monitor", "/r/team/c")
        run.exit("/r/team", "kill")
        settle(run)
        assert got(run, "a") == ["down /r/team/c: killed"]


def test_a_spawned_child_that_ends_with_its_parent_was_shut_down() -> None:
    transient = program(Child("a", Node), Child("b", Node, restart="transient"))
    store = MemoryStore()
    with running(transient, store) as run:
        do(run, "b", "spawn", "kid")
        do(run, "a", "monitor", "/r/b/kid")
        do(run, "b", "stop", "normal")
        assert got(run, "a") == ["down /r/b/kid: shutdown"]
    assert_identical(transient, store)


def test_one_turn_can_have_so_many_links_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perdure.actors.exits.TURN_INTENTS_MAX", 2)

    class Eager(Actor, name="tests.exits.eager"):
        async def on_receive(self, message: int) -> None:
            for _ in range(message):
                self.link("/r/b")

    with running(program(Child("a", Eager), Child("b", Node))) as run:
        run.ask("/r/a", 2, timeout=SECONDS)
        with pytest.raises(Exception, match="more than 2 signals, links or monitors"):
            run.ask("/r/a", 3, timeout=SECONDS)
