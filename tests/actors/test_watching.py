"""Links and monitors: how the end of one life reaches others."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, SupervisorSpec, field
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from perdure.mailbox.signals import Down, Exited
from tests.kit import SECONDS, Disk, on_kernel, program, resumed, rows, running, settle
from tests.replaying import assert_identical


class Node(Actor, name="tests.watching.node"):
    """Does the verb that it is sent; writes down what it is told."""

    got: list[str] = field(default_factory=list)
    monitors: list[str] = field(default_factory=list)
    lives: int = 0

    async def on_start(self) -> None:
        self.lives += 1

    async def on_receive(self, message: Any) -> Any:
        match message:
            case Down(id=id, address=address, reason=reason):
                assert id in self.monitors
                self.got.append(f"down {address}: {reason}")
            case Exited(address=address, reason=reason):
                self.got.append(f"exited {address}: {reason}")
            case ("monitor", to):
                self.monitors.append(self.monitor(to))
            case ("demonitor", to):
                self.demonitor(to, self.monitors[-1])
            case ("link", to):
                self.link(to)
            case ("unlink", to):
                self.unlink(to)
            case ("link and stop", to):
                self.link(to)
                self.stop("enough")
            case ("stop", why):
                self.stop(why)
            case "crash":
                raise OSError("no line")
            case "got":
                return list(self.got)
            case "lives":
                return self.lives
        return None


class Trapping(Node, name="tests.watching.trapping"):
    trap_exit = True


def tree(**options: Any) -> Any:
    options.setdefault("redelivery", "none")
    kinds = {"a": Node, "b": Node, "t": Trapping}
    children = [Child(name, cls, **options) for name, cls in kinds.items()]
    fuse = SupervisorSpec(strategy="one_for_all", intensity=9, children=children[:2])
    return program(*children, Child("fuse", supervisor=fuse))


def do(run: Any, who: str, *message: Any) -> None:
    """Have one do something, and let all of it come to rest."""
    run.tell(f"/r/{who}", message if len(message) > 1 else message[0]).get(timeout=SECONDS)
    settle(run)


def ask(run: Any, who: str, what: str) -> Any:
    return run.ask(f"/r/{who}", what, timeout=SECONDS)


@pytest.fixture
def store() -> Any:
    """A ledger; what the test did in it is replayed at the end."""
    store = MemoryStore()
    yield store
    assert_identical(tree(), store)


# --- monitors


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (("stop", "normal"), "normal"),
        (("stop", "shutdown: tidy up"), "shutdown: tidy up"),
        (("stop", "out of paper"), "out of paper"),
        (("crash",), "OSError: no line"),
    ],
)
def test_a_monitor_is_told_once_why_a_life_ended(
    store: MemoryStore, end: tuple[str, ...], reason: str
) -> None:
    with running(tree(), store) as run:
        do(run, "a", "monitor", "../b")
        do(run, "b", *end)
        assert ask(run, "a", "got") == [f"down /r/b: {reason}"]
        do(run, "b", "crash")  # another life, which nobody watches
        assert ask(run, "a", "got") == [f"down /r/b: {reason}"]
    assert rows(store, Table.WATCH) == []


def test_a_kill_is_told_as_killed(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "monitor", "/r/b")
        run.exit("/r/b", "kill")
        settle(run)
        assert ask(run, "a", "got") == ["down /r/b: killed"]


def test_monitors_stack_and_each_is_told(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        for _ in range(3):
            do(run, "a", "monitor", "/r/b")
        do(run, "b", "crash")
        assert ask(run, "a", "got") == ["down /r/b: OSError: no line"] * 3


def test_one_that_is_undone_is_not_told(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "monitor", "/r/b")
        do(run, "a", "demonitor", "/r/b")
        do(run, "b", "crash")
        assert ask(run, "a", "got") == []
    assert rows(store, Table.WATCH) == []


def test_who_has_no_life_is_down_at_once(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "monitor", "/r/nobody")
        assert ask(run, "a", "got") == ["down /r/nobody: noproc"]


def test_a_watcher_that_ends_is_not_told_and_leaves_nothing_behind(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "monitor", "/r/b")
        do(run, "a", "crash")
        do(run, "b", "crash")
        assert ask(run, "a", "got") == []
    assert rows(store, Table.WATCH) == []


# --- links


def test_a_linked_actor_ends_with_the_reason_of_the_other_and_both_are_restarted(
    store: MemoryStore,
) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link", "/r/b")
        do(run, "b", "crash")
        assert ask(run, "a", "lives") == 2
        assert ask(run, "b", "lives") == 2
        assert on_kernel(run, lambda: run.kernel.book.cell_at("/r/a").reason) == "OSError: no line"


def test_a_link_works_from_either_end(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link", "/r/b")
        do(run, "a", "crash")
        assert ask(run, "b", "lives") == 2


def test_a_restart_is_another_life_that_is_linked_to_nobody(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link", "/r/b")
        do(run, "b", "crash")
        do(run, "b", "crash")
        assert ask(run, "b", "lives") == 3
        assert ask(run, "a", "lives") == 2


def test_a_normal_end_does_not_reach_who_does_not_trap_exits(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link", "/r/b")
        do(run, "b", "stop", "normal")
        assert ask(run, "a", "lives") == 1


@pytest.mark.parametrize("why", ["normal", "shutdown", "out of paper"])
def test_who_traps_exits_is_told_of_all_of_them(store: MemoryStore, why: str) -> None:
    with running(tree(), store) as run:
        do(run, "t", "link", "/r/b")
        do(run, "b", "stop", why)
        assert ask(run, "t", "got") == [f"exited /r/b: {why}"]
        assert ask(run, "t", "lives") == 1


def test_two_links_of_a_pair_are_one(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "t", "link", "/r/b")
        do(run, "b", "link", "/r/t")
        do(run, "t", "unlink", "/r/b")
        do(run, "b", "crash")
        assert ask(run, "t", "got") == []


def test_a_link_to_one_that_has_no_life_ends_who_does_not_trap_with_noproc(
    store: MemoryStore,
) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link", "/r/nobody")
        do(run, "t", "link", "/r/nobody")
        assert ask(run, "a", "lives") == 2
        assert ask(run, "t", "got") == ["exited /r/nobody: noproc"]


def test_a_turn_that_links_and_ends_takes_the_other_along(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link and stop", "/r/t")
        assert ask(run, "t", "got") == ["exited /r/a: enough"]


def test_a_crashed_turn_has_linked_nobody() -> None:
    class Clumsy(Node, name="tests.watching.node"):
        async def on_receive(self, message: Any) -> Any:
            if message == "link and crash":
                self.link("/r/t")
                raise OSError("no line")
            return await super().on_receive(message)

    with running(program(Child("a", Clumsy, redelivery="none"), Child("t", Trapping))) as run:
        do(run, "a", "link and crash")
        assert ask(run, "t", "got") == []


def test_a_chain_of_links_falls_together(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "a", "link", "/r/b")
        do(run, "b", "link", "/r/t")
        do(run, "a", "crash")
        assert ask(run, "b", "lives") == 2
        assert ask(run, "t", "got") == ["exited /r/b: OSError: no line"]


def test_an_actor_that_is_cancelled_tells_who_is_linked_to_it() -> None:
    store = MemoryStore()
    with running(tree(), store) as run:
        do(run, "t", "link", "/r/b")
        run.cancel("/r/b")
        settle(run)
        assert ask(run, "t", "got") == ["exited /r/b: shutdown: cancelled"]
    assert rows(store, Table.WATCH) == []


def test_a_child_that_its_supervisor_stops_tells_who_is_linked_to_it(store: MemoryStore) -> None:
    with running(tree(), store) as run:
        do(run, "t", "link", "/r/fuse/b")
        do(run, "fuse/a", "crash")  # its supervisor stops and starts both
        assert ask(run, "t", "got") == ["exited /r/fuse/b: shutdown"]


# --- durable


def test_links_and_monitors_hold_in_the_next_process() -> None:
    store = MemoryStore()
    with running(tree(), store) as run:
        do(run, "a", "monitor", "/r/b")
        do(run, "t", "link", "/r/b")
    assert len(rows(store, Table.WATCH)) == 4
    with resumed(tree(), store := store.reopened()) as run:
        do(run, "b", "crash")
        assert ask(run, "a", "got") == ["down /r/b: OSError: no line"]
        assert ask(run, "t", "got") == ["exited /r/b: OSError: no line"]
    assert_identical(tree(), store)


def test_an_end_is_told_whatever_instant_the_process_dies_at() -> None:
    disk = Disk()
    with running(tree(), disk) as run:
        do(run, "a", "monitor", "/r/b")
        do(run, "t", "link", "/r/b")
        do(run, "b", "crash")
    for moment in (each for each in disk.moments if each.head().seq):
        with resumed(tree(), moment) as run:
            settle(run)
            state = run.get_state("/r/a")
            expected = (
                ["down /r/b: OSError: no line"] if run.get_state("/r/b")["lives"] == 2 else []
            )
            assert state["got"] == expected


def test_an_unloaded_watcher_is_told() -> None:
    with running(tree()) as run:
        do(run, "a", "monitor", "/r/b")
        cells = lambda: run.kernel.book.cells.values()  # noqa: E731
        on_kernel(run, lambda: run.kernel.book.unload([c for c in cells() if c.idle]))
        do(run, "b", "crash")
        assert ask(run, "a", "got") == ["down /r/b: OSError: no line"]
