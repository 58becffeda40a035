"""Who is at work now: each turn in flight, its handler, and the line of the user's code."""

from __future__ import annotations

import asyncio
import inspect
import threading
from pathlib import Path
from typing import Any

from perdure import Actor, Child, FakeClock, message, nonblocking
from perdure.actors.census import census
from perdure.actors.doorbell import ask
from tests.kit import SECONDS, Gate, on_kernel, program, running, until


@message("tests.census.go")
class Go:
    pass


GATES: dict[str, Gate] = {}
HELD = threading.Event()


def line_of(function: Any, text: str) -> int:
    """The line of a function that holds a text."""
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


class Awaits(Actor, name="tests.census.awaits"):
    async def on_receive(self, message: Go) -> None:
        await self.inner()

    async def inner(self) -> None:
        await GATES["awaits"].passed()
        await asyncio.sleep(0)


class Blocks(Actor, name="tests.census.blocks"):
    def on_receive(self, message: Go) -> None:
        blocked()


def blocked() -> None:
    GATES["blocks"].wait()


class Sleeps(Actor, name="tests.census.sleeps"):
    async def on_receive(self, message: Go) -> None:
        await self.sleep(3_600)


class Holds(Actor, name="tests.census.holds"):
    @nonblocking
    def on_receive(self, message: Go) -> None:
        HELD.set()
        assert GATES["holds"]._open.result(SECONDS) is None


def gates(monkeypatch: Any, *names: str) -> None:
    for name in names:
        monkeypatch.setitem(GATES, name, Gate())


def turns(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {turn["address"]: turn for turn in found["turns"]}


def test_a_turn_is_shown_with_the_line_that_it_is_at(monkeypatch: Any) -> None:
    gates(monkeypatch, "awaits", "blocks")
    cast = program(Child("a", Awaits), Child("b", Blocks), Child("s", Sleeps))
    with running(cast, clock=FakeClock(jumps=False)) as run:
        for address in ("/r/a", "/r/b", "/r/s"):
            run.tell(address, Go())
        GATES["awaits"].reached()
        GATES["blocks"].reached()
        until(run, lambda: len(run.kernel.waits.open) == 1)
        found = on_kernel(run, lambda: census(run.kernel, is_stuck=False))
        for gate in GATES.values():
            gate.open()
        until(run, lambda: len(run.kernel.dispatch.running) <= 1)
    seen = turns(found)
    assert {turn["handler"] for turn in seen.values()} == {"on_receive"}
    assert (seen["/r/s"]["line"], seen["/r/s"]["does"]) == (
        line_of(Sleeps, "self.sleep"),
        "waiting",
    )
    assert {seen[each]["does"] for each in ("/r/a", "/r/b")} == {"running"}
    assert {Path(seen[each]["file"]).name for each in ("/r/a", "/r/b")} == {"kit.py"}
    assert (found["in_flight"], found["limit"], found["stuck"]) == (3, 4, False)


def test_frames_of_libraries_are_looked_past(monkeypatch: Any) -> None:
    monkeypatch.setattr("perdure.actors.census.is_users", lambda path: path == __file__)
    gates(monkeypatch, "awaits", "blocks")
    with running(program(Child("a", Awaits), Child("b", Blocks))) as run:
        for address in ("/r/a", "/r/b"):
            run.tell(address, Go())
        GATES["awaits"].reached()
        GATES["blocks"].reached()
        found = turns(on_kernel(run, lambda: census(run.kernel, is_stuck=False)))
        for gate in GATES.values():
            gate.open()
    assert found["/r/a"]["line"] == line_of(Awaits.inner, "passed()")
    assert found["/r/b"]["line"] == line_of(blocked, "wait()")


def test_a_handler_that_holds_the_kernel_is_shown_by_another_thread(
    tmp_path: Path, monkeypatch: Any
) -> None:
    gates(monkeypatch, "holds")
    HELD.clear()
    with running(program(Child("h", Holds)), ledger=tmp_path) as run:
        until(run, lambda: ask(tmp_path, "census", SECONDS))  # somebody listens at the door
        run.tell("/r/h", Go())
        assert HELD.wait(SECONDS)
        found = ask(tmp_path, "census", SECONDS)
        GATES["holds"].open()
    assert found is not None
    (turn,) = found["turns"]
    assert (found["stuck"], turn["does"]) == (True, "holding the kernel")
    assert turn["line"] == line_of(Holds, "assert GATES")


def test_what_nobody_knows_is_answered_with_what_is_known(tmp_path: Path) -> None:
    with running(program(Child("s", Sleeps)), ledger=tmp_path) as run:
        answers: list[dict[str, Any] | None] = []
        until(run, lambda: (tmp_path / "door").exists())
        while not any(answers):  # it is there a moment before anybody listens
            answers.append(ask(tmp_path, "horoscope", SECONDS))
        assert "It knows census, ring." in str(answers[-1])


class Starts(Actor, name="tests.census.starts"):
    async def on_start(self) -> None:
        await GATES["starts"].passed()

    async def on_receive(self, message: Go) -> None:
        raise AssertionError


def test_a_run_that_takes_long_to_start_can_be_asked(tmp_path: Path, monkeypatch: Any) -> None:
    gates(monkeypatch, "starts")
    asked: list[dict[str, Any] | None] = []

    def look() -> None:
        GATES["starts"].reached()
        while not asked or asked[-1] is None:
            asked.append(ask(tmp_path, "census", SECONDS))
        GATES["starts"].open()

    outside = threading.Thread(target=look)
    outside.start()
    with running(program(Child("s", Starts)), ledger=tmp_path):
        outside.join(SECONDS)
    assert asked[-1] is not None
    (turn,) = asked[-1]["turns"]
    assert (turn["address"], turn["handler"]) == ("/r/s", "on_start")
