"""The last rung of a ladder: who keeps crashing takes its supervisor, and all below that, along."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Backoff, Child, SupervisorSpec, field
from perdure.actors.signals import state_of
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.supervisors import decide, events
from perdure.supervisors.state import Down, Idle, Stopping, Supervision
from tests.kit import SECONDS, Disk, dead_letters, of, on_kernel, program, resumed, running, settle
from tests.replaying import assert_identical

QUICK = Backoff(first=0.0)
LADDER = ("committed", "fresh", "supervisor")


HERE: dict[str, Any] = {}
"""The kernel of the run that is under way: what workers look at is in it, and outside of them."""


class Sandbox(Actor, name="tests.escalation.sandbox"):
    """Once it was told "wedge" nobody can work with it, until its next life."""

    is_wedged: bool = False

    async def on_start(self) -> None:
        self.is_wedged = False

    async def on_receive(self, message: str) -> None:
        self.is_wedged = message == "wedge"


async def work_in(sandbox: str) -> None:
    if state_of(HERE["kernel"], sandbox)["is_wedged"]:
        raise OSError("it is wedged")


class Worker(Actor, name="tests.escalation.worker"):
    """Cannot work while the sandbox beside it is wedged."""

    done: list[str] = field(default_factory=list)

    async def on_receive(self, message: str) -> Any:
        if message == "done":
            return list(self.done)
        HERE["kernel"] = self._turn.kernel
        await self.once(work_in, self.address.replace("worker", "sandbox"))
        self.done.append(message)
        return None


def cell(restore: tuple[str, ...] = LADDER, **options: Any) -> Child:
    """A supervisor of a worker and its sandbox."""
    given = {"attempts_max": 9, "backoff": QUICK, "restore_after": 2, **options}
    worker = Child("worker", Worker, restore=restore, **given)
    spec = SupervisorSpec(intensity=100, children=(Child("sandbox", Sandbox), worker))
    return Child("cell", supervisor=spec)


def work(run: Any, place: str = "/r/cell") -> None:
    """Have a worker work once, and once more after its sandbox was wedged."""
    for to, message in (("worker", "one"), ("sandbox", "wedge"), ("worker", "two")):
        run.tell(f"{place}/{to}", message).get(timeout=SECONDS)
        settle(run)


def lives(run: Any, *names: str) -> list[int]:
    """The incarnations of some actors."""
    book = run.kernel.book
    return [on_kernel(run, lambda name=name: book.cell_at(name).incarnation) for name in names]


def test_who_keeps_crashing_is_restarted_with_all_that_its_supervisor_has() -> None:
    store = MemoryStore()
    with running(program(cell()), store) as run:
        work(run)
        assert run.ask("/r/cell/worker", "done", timeout=SECONDS) == ["two"]
        assert lives(run, "/r/cell", "/r/cell/sandbox", "/r/cell/worker") == [2, 2, 5]
    assert [each.rung for each in of(store, records.Restore)] == ["fresh"]  # one rung before
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2, 3, 4]
    assert dead_letters(store) == []  # the message was tried again, with another sandbox


def test_without_that_rung_the_sandbox_stays_as_it_is() -> None:
    store = MemoryStore()
    with running(program(cell(("committed", "fresh"))), store) as run:
        work(run)
        assert lives(run, "/r/cell", "/r/cell/sandbox") == [1, 1]
    assert dead_letters(store) == [("/r/cell/worker", "OSError: it is wedged")]


def test_it_is_said_once_who_gave_up_and_why() -> None:
    store = MemoryStore()
    with running(program(cell()), store) as run:
        work(run)
    notes = [note for turn in of(store, records.Turn) for note in turn.notes]
    assert [note for note in notes if note.startswith("shutdown:")] == [
        "shutdown: worker: escalated"
    ]


def test_a_supervisor_that_cannot_help_either_is_its_supervisors_to_count() -> None:
    store = MemoryStore()

    class Hopeless(Actor, name="tests.escalation.hopeless"):
        async def on_receive(self, message: str) -> None:
            raise OSError("nothing helps")

    inner = Child("a", Hopeless, restore=("committed", "supervisor"), restore_after=1,
                  attempts_max=99, backoff=QUICK)  # fmt: skip
    spec = SupervisorSpec(intensity=100, children=(inner,))
    outer = SupervisorSpec(intensity=2, period=60.0, children=(Child("s", supervisor=spec),))
    tree = program(Child("o", supervisor=outer), intensity=0)
    with running(tree, store) as run:
        run.tell("/r/o/s/a", "go").get(timeout=SECONDS)
        assert run.wait(timeout=SECONDS).status == "failed"
    assert len(of(store, records.Crash)) == 3  # two restarts of its supervisor, and no third


def test_the_supervisor_gives_up_once_whatever_instant_the_process_dies_at() -> None:
    disk, tree = Disk(), program(cell())
    with running(tree, disk) as run:
        work(run)
        expected = run.ask("/r/cell/worker", "done", timeout=SECONDS)
    moments = [moment for moment in disk.moments if of(moment, records.Crash)]
    assert len(moments) > 3
    for moment in moments:
        with resumed(tree, moment) as run:
            settle(run)
            assert run.ask("/r/cell/worker", "done", timeout=SECONDS) == expected
            assert lives(run, "/r/cell") == [2]


def test_an_escalation_replays() -> None:
    store, tree = MemoryStore(), program(cell())
    with running(tree, store) as run:
        work(run)
    assert assert_identical(tree, store).crashes == 4


def test_a_spawned_child_takes_its_parent_along() -> None:
    class Parent(Actor, name="tests.escalation.parent"):
        async def on_start(self) -> None:
            self.spawn(Sandbox, "sandbox")
            options: Any = {"restore": ["committed", "supervisor"], "restore_after": 2}
            self.spawn(Worker, "worker", attempts_max=9, backoff=QUICK, **options)

        async def on_receive(self, message: str) -> Any:
            return await self.ask("worker", message)

    store = MemoryStore()
    with running(program(Child("p", Parent)), store) as run:
        work(run, "/r/p")
        assert lives(run, "/r/p") == [2]


@pytest.mark.parametrize(("restart", "phase"), [("permanent", Down), ("transient", Down)])
def test_a_supervisor_alone_with_that_child_ends_at_once(restart: str, phase: type) -> None:
    spec = SupervisorSpec(intensity=100, children=(Child("a", "A", restart=restart),))
    state, _ = decide.decide(Supervision(), events.Begin(spec), 0)
    state, _ = decide.decide(state, events.Started("a", 1), 0)
    reason = decide.Reason("crash", "OSError")
    state, acts = decide.decide(state, events.Exit("a", 1, reason, False, True), 0)
    assert isinstance(state.phase, phase)
    assert [type(act).__name__ for act in acts] == ["Report", "Report", "ExitSelf"]


def test_a_temporary_child_that_escalates_simply_goes() -> None:
    children = (Child("a", "A", restart="temporary"), Child("b", "B"))
    state, _ = decide.decide(Supervision(), events.Begin(SupervisorSpec(children=children)), 0)
    for name in ("a", "b"):
        state, _ = decide.decide(state, events.Started(name, 1), 0)
    reason = decide.Reason("crash", "OSError")
    state, _ = decide.decide(state, events.Exit("a", 1, reason, True, True), 0)
    assert isinstance(state.phase, Idle)
    assert not isinstance(state.phase, Stopping)
    assert list(state.children) == ["b"]
