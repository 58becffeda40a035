"""Cancelling ends an actor and all below it in one record; nothing of theirs starts after it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from perdure import Actor, Child, DeadLetter, FakeClock, Run, SupervisorSpec, field, tool
from perdure.errors import CommitFailed, Crashed, UnknownActor, UsageError
from perdure.ledger import records
from perdure.ledger.keys import Table
from perdure.ledger.memory import MemoryStore
from perdure.ledger.records import Life
from perdure.ledger.rows import ActorRow, unpack_row
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    dead_letters,
    of,
    on_kernel,
    program,
    resumed,
    rows,
    running,
    settle,
    until,
)

GATES: dict[str, Gate] = {}
CALLED: list[str] = []


@tool("test.effect", effect="external")
async def effect(name: str) -> str:
    CALLED.append(name)
    await GATES[name].passed()
    CALLED.append(f"{name} done")
    return name


@tool("test.blocking", effect="external")
def blocking(name: str) -> str:
    CALLED.append(name)
    GATES[name].wait()
    return name


class Worker(Actor, name="tests.cancelling.worker"):
    heard: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if isinstance(message, DeadLetter):
            self.heard.append(f"{message.to} {message.message}: {message.reason}")
            return None
        match message.split(" ", 1):
            case ["sleep", _]:
                await self.sleep(3_600.0)
            case ["ask", to]:
                return await self.ask(to, "hello", timeout=3_600.0)
            case ["set", to]:
                self.send_after(3_600.0, to, "ring")
            case ["call", name]:
                await self.call(effect, name=name)
                await self.call(effect, name="never")
            case ["spawn", name]:
                self.spawn(Worker, name)
            case ["heard"]:
                return list(self.heard)
            case ["crash"]:
                raise ValueError("crash")
        self.heard.append(message)
        return "did it"


class Blocker(Actor, name="tests.cancelling.blocker"):
    def on_receive(self, message: str) -> Any:
        self.call(blocking, name=message).get()
        self.call(blocking, name="never").get()


def still() -> FakeClock:
    return FakeClock(jumps=False)


def tree(**options: Any) -> Any:
    """`/r/team` supervises `a` and `b`; `/r/other` is beside it."""
    team = SupervisorSpec(children=[Child("a", Worker), Child("b", Worker)])
    return program(Child("team", supervisor=team), Child("other", Worker), **options)


def test_an_actor_and_all_below_it_end_in_one_record() -> None:
    store = MemoryStore()
    with running(tree(), store, clock=still()) as run:
        run.ask("/r/team/a", "spawn child", timeout=SECONDS)
        run.tell("/r/team/a/child", "sleep on")
        run.tell("/r/team/a/child", "waits behind it")
        run.tell("/r/team/b", "ask /r/other")
        until(run, lambda: run.kernel.waits.open)
        run.cancel("/r/team")
        (record,) = of(store, records.Cancel)
        ended = {change[0] for change in record.lives}
        addresses = {on_kernel(run, run.kernel.book.address, id) for id in ended}
        assert addresses == {
            "/r/team", "/r/team/a", "/r/team/a/*", "/r/team/a/child", "/r/team/b"
        }  # fmt: skip
        assert not run.kernel.waits.open
        assert settle(run) is False
        assert run.ask("/r/other", "x", timeout=SECONDS) == "did it"
        with pytest.raises(UnknownActor):
            run.cancel("/r/team/a")
    assert {life for address, life in lives_of(store).items() if "team" in address} == {Life.ENDED}
    waited = {("/r/team/a/child", "cancelled")}
    assert set(dead_letters(store)) >= waited
    assert rows(store, Table.TIMER) == []
    assert of(store, records.Crash) == []


def lives_of(store: MemoryStore) -> dict[str, Life]:
    found = [unpack_row(ActorRow, raw) for _, raw in rows(store, Table.ACTOR)]
    return {row.address: Life(row.life) for row in found}


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_its_supervisor_does_not_start_it_again(restart: Any) -> None:
    store = MemoryStore()
    parts = (Child("a", Worker, restart=restart), Child("b", Worker, attempts_max=1))
    with running(program(*parts, strategy="one_for_all"), store, clock=still()) as run:
        run.cancel("/r/a")
        run.tell("/r/b", "crash")
        settle(run)
        until(run, lambda: run.kernel.book.cell_at("/r/b").incarnation == 2)
        settle(run)
        assert run.ask("/r/b", "x", timeout=SECONDS) == "did it"
        with pytest.raises(Crashed, match="no such actor"):
            run.ask("/r/a", "x", timeout=SECONDS)
    assert lives_of(store)["/r/a"] == Life.ENDED


def test_not_even_when_it_was_restarting_its_children() -> None:
    """The exit that makes the supervisor restart them all came before the record."""

    class Stays(Worker, name="tests.cancelling.stays"):
        async def on_stop(self) -> None:
            await GATES["stop"].passed()

    GATES["stop"] = Gate()
    store = MemoryStore()
    parts = (Child("a", Worker), Child("b", Worker), Child("c", Stays))
    with running(program(*parts, strategy="one_for_all"), store) as run:
        run.tell("/r/b", "crash")
        GATES["stop"].reached()  # the supervisor waits for c to stop
        run.cancel("/r/a")
        GATES["stop"].open()
        settle(run)
        assert run.ask("/r/c", "x", timeout=SECONDS) == "did it"
    assert lives_of(store)["/r/a"] == Life.ENDED
    started = [send for turn in of(store, records.Turn) for send in turn.lives if send[2] == 1]
    assert [each[1] for each in started].count(2) == 2  # b and c, not a


def test_one_that_is_starting_is_passed_over() -> None:
    class Starts(Worker, name="tests.cancelling.starts"):
        async def on_start(self) -> None:
            await GATES["start"].passed()

    GATES["start"] = Gate()
    store = MemoryStore()
    team = SupervisorSpec(children=[Child("a", Starts), Child("b", Worker)])
    run_of = program(Child("other", Worker), Child("team", supervisor=team))

    def cancel_it(run: Any) -> None:
        GATES["start"].reached()
        run.cancel("/r/team/a")

    run = Run(run_of, store=store, seed=1, clock=FakeClock())
    canceller = threading.Thread(target=cancel_it, args=(run,))
    canceller.start()
    with run:  # up, although one of its children never was
        canceller.join(SECONDS)
        assert run.ask("/r/team/b", "x", timeout=SECONDS) == "did it"
    assert lives_of(store)["/r/team/a"] == Life.ENDED


def test_a_spawned_child_ends_and_its_address_is_free() -> None:
    store = MemoryStore()
    with running(tree(), store, clock=still()) as run:
        run.ask("/r/other", "spawn child", timeout=SECONDS)
        run.tell("/r/other/child", "sleep on").get(timeout=SECONDS)
        run.cancel("/r/other/child")
        run.ask("/r/other", "spawn child", timeout=SECONDS)
        assert run.ask("/r/other/child", "x", timeout=SECONDS) == "did it"


def test_who_asked_it_gets_crashed_and_who_wants_dead_letters_gets_them() -> None:
    store = MemoryStore()
    with running(tree(dead_letters_to="/r/other"), store, clock=still()) as run:
        run.tell("/r/team/a", "sleep on")
        answer = run.kernel.outside.ask("/r/team/a", "question")
        run.ask("/r/team/b", "set /r/team/a", timeout=SECONDS)
        run.cancel("/r/team/a")
        with pytest.raises(Crashed, match="cancelled"):
            answer.get(timeout=SECONDS)
        heard = run.ask("/r/other", "heard", timeout=SECONDS)
        texts = [f"/r/team/a {what}: cancelled" for what in ("sleep on", "question", "ring")]
        assert heard == texts
    assert rows(store, Table.TIMER) == []


@pytest.mark.parametrize("kind", [Worker, Blocker])
def test_an_effect_in_flight_may_end_and_none_starts_after_it(kind: type[Actor]) -> None:
    CALLED.clear()
    GATES.update(now=Gate(), never=Gate())
    store = MemoryStore()
    with running(program(Child("a", kind)), store, clock=still()) as run:
        run.tell("/r/a", "call now" if kind is Worker else "now")
        GATES["now"].reached()
        run.cancel("/r/a")
        GATES["now"].open()
        until(run, lambda: of(store, records.Late) or run.kernel.rest())
    assert CALLED[0] == "now"
    assert "never" not in CALLED
    assert of(store, records.Result) == []


def test_an_effect_whose_intent_was_not_durable_yet_does_not_start() -> None:
    CALLED.clear()
    GATES["now"] = Gate()
    disk = Disk()
    with running(program(Child("a", Worker)), disk, clock=still()) as run:
        disk.open.clear()
        run.kernel.outside.tell("/r/a", "call now")
        assert disk.waited.wait(SECONDS)
        until(run, lambda: run.kernel.dispatch.running)
        done = threading.Thread(target=run.cancel, args=("/r/a",))
        done.start()
        until(run, lambda: not run.kernel.dispatch.running)
        disk.open.set()
        done.join(SECONDS)
        settle(run)
    assert CALLED == []


def test_what_is_cancelled_stays_so_after_a_resume() -> None:
    disk = Disk()
    with running(tree(), disk, clock=still()) as run:
        run.tell("/r/team/a", "sleep on").get(timeout=SECONDS)
        run.cancel("/r/team")
        twin = disk.reopened()
    with resumed(tree(), twin) as run:
        settle(run)
        with pytest.raises(UnknownActor):
            run.cancel("/r/team")
        assert run.ask("/r/other", "x", timeout=SECONDS) == "did it"
    assert lives_of(twin)["/r/team/a"] == Life.ENDED


def test_a_record_that_never_became_durable_is_not_said_to_be() -> None:
    disk = Disk()
    with Run(tree(), store=disk, seed=1, clock=still()) as run:
        disk.full = True
        with pytest.raises(CommitFailed):
            run.cancel("/r/team")
    assert of(disk, records.Cancel) == []


@pytest.mark.parametrize(
    ("address", "error", "text"),
    [("/r", UsageError, "this is the root"), ("/r/nobody", UnknownActor, "no actor at /r/nobody")],
)
def test_the_root_and_nobody_cannot_be_cancelled(address: str, error: Any, text: str) -> None:
    with running(tree()) as run, pytest.raises(error, match=text):
        run.cancel(address)
