"""What was done to a run from above its actors replays as it was: restores, cancels, verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from perdure import Actor, Backoff, Child, Run, tool
from perdure.actors import marking
from perdure.actors.cancelling import cancel
from perdure.ledger import records
from perdure.ledger.faults import Fault
from perdure.ledger.memory import MemoryStore
from perdure.limits import TURN_MARKS_MAX
from perdure.runtime.program import Program
from perdure.runtime.replay import Cast, Replay
from perdure.runtime.restore import restore
from perdure.runtime.view import View
from perdure.testing.lives import Subject
from perdure.testing.toolbox import Toolbox
from tests.actors.test_cancelling import still
from tests.actors.test_cancelling import tree as team
from tests.actors.test_marking import Blocking, Careful
from tests.actors.test_restores import Sums, sums, tell
from tests.actors.test_verdicts import AMOUNT, repair, stalled
from tests.kit import SECONDS, Disk, of, on_kernel, program, resumed, running, settle, until
from tests.replaying import assert_identical, replayed
from tests.runtime.test_restore import desk

__all__ = ["desk", "stalled"]


# --- state set back


@pytest.mark.parametrize("messages", [(5, "mark", 6, 7, "work"), (11, "mark", 6, "work", 3)])
def test_a_ladder_that_was_climbed_replays_with_the_states_it_went_back_to(
    messages: tuple[Any, ...],
) -> None:
    store, cast = MemoryStore(), program(sums())
    with running(cast, store) as run:
        tell(run, *messages)
    assert of(store, records.Restore)
    assert_identical(cast, store)


def test_a_ladder_replays_whatever_instant_the_process_died_at() -> None:
    disk, cast = Disk(), program(sums(after=1), Child("b", Sums))
    with running(cast, disk) as run:
        tell(run, 5, "mark", 6, 7, "work", 9, "work")
    for moment in disk.moments[len(disk.moments) // 4 :]:
        with resumed(cast, moment) as run:
            settle(run)
        assert_identical(cast, moment)


def test_a_run_that_was_set_back_to_a_mark_replays_on_from_there(desk: Path) -> None:
    restore(desk, "/desk/pair", "good")
    with Run.resume(desk) as run:
        message = run.kernel.book.codec.from_json({"$": "Note", "text": "again"})
        for name in ("1", "2", "2/child"):
            run.ask(f"/desk/pair/{name}", message, timeout=SECONDS)
    with View(desk) as view, Replay(view, Cast.recorded(view.run)) as replay:
        scenes = list(replay.scenes())
        assert replay.is_identical, replay.diverged
        (last,) = [each.seq for each in scenes if each.cell.address == "/desk/pair/2"][-1:]
        restores = [each.seq for each in view.records() if isinstance(each.body, records.Restore)]
        assert len(restores) == 3
        assert last > max(restores)


# --- cancelled


def test_a_cancelled_team_replays_and_what_it_had_under_way_is_left_alone() -> None:
    store, cast = MemoryStore(), team()
    with running(cast, store, clock=still()) as run:
        run.ask("/r/team/a", "spawn child", timeout=SECONDS)
        run.tell("/r/team/a/child", "sleep on")
        run.tell("/r/team/a/child", "waits behind it")
        run.tell("/r/team/b", "ask /r/other")
        until(run, lambda: run.kernel.waits.open)
        run.cancel("/r/team")
        assert run.ask("/r/other", "x", timeout=SECONDS) == "did it"
    assert_identical(cast, store)


def test_who_asks_somebody_that_is_cancelled_learns_the_same_again() -> None:
    store, cast = MemoryStore(), team()
    with running(cast, store, clock=still()) as run:
        run.tell("/r/team/b", "sleep on").get(timeout=SECONDS)
        run.tell("/r/other", "ask /r/team/b").get(timeout=SECONDS)
        until(run, lambda: len(run.kernel.waits.open) == 2)
        run.cancel("/r/team/b")
        settle(run)
    assert any("cancelled" in crash.reason for crash in of(store, records.Crash))
    assert_identical(cast, store)


def test_a_team_that_is_cancelled_at_any_instant_and_resumed_replays() -> None:
    disk, cast = Disk(), team()
    with running(cast, disk, clock=still()) as run:
        run.ask("/r/team/a", "spawn child", timeout=SECONDS)
        run.ask("/r/team/a/child", "set /r/other", timeout=SECONDS)
        run.tell("/r/team/b", "crash").get(timeout=SECONDS)
        settle(run)
    for moment in (each for each in disk.moments if each.head().seq):
        with resumed(cast, moment, clock=still()) as run:
            settle(run)
            if on_kernel(run, run.kernel.book.find, "/r/team/a"):
                on_kernel(run, cancel, run.kernel, "/r/team/a")
            settle(run)
        assert_identical(cast, moment)


# --- verdicts


@pytest.mark.parametrize("verb", ["forget", "dead", "again"])
def test_a_stalled_actor_that_was_repaired_replays(
    stalled: tuple[Program, MemoryStore], verb: str
) -> None:
    cast, store = stalled
    left = repair(cast, store, verb)
    with resumed(cast, left) as run:
        for message in ("y", "z"):
            run.tell("/r/hub", message).get(timeout=SECONDS)
            settle(run)
        run.drain()
    (verdict,) = of(left, records.Verdict)
    assert verdict.verdict == verb
    AMOUNT["asked"] = 3
    with Replay(View(left.reopened()), Cast.of(cast)) as replay:
        hub: list[Any] = []
        for scene in replay.scenes():
            if scene.is_crash:
                AMOUNT["asked"] = 4  # as it was edited
            is_of_hub = scene.cell.address == "/r/hub" and scene.kind == "receive"
            hub += [scene.message] if is_of_hub else []
    assert replay.is_identical, replay.diverged
    assert hub == {"forget": ["x", "x", "y", "z"], "dead": ["x", "y", "z"], "again": ["x"]}[verb]
    assert replay.crashes == 1


# --- marks


@pytest.mark.parametrize(
    "names", [["17"], [""], ["a" * 129], ["m", "m"], [f"m{n}" for n in range(TURN_MARKS_MAX + 1)]]
)
def test_a_mark_that_was_refused_is_refused_again(names: list[str]) -> None:
    store, cast = MemoryStore(), program(Child("a", Careful), Child("b", Blocking))
    with running(cast, store) as run:
        run.ask("/r/a", names, timeout=SECONDS)
        run.ask("/r/b", "draft", timeout=SECONDS)
    assert_identical(cast, store)


def test_a_mark_that_is_one_too_many_for_its_actor_is_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(marking, "ACTOR_MARKS_MAX", 2)
    disk, cast = Disk(), program(Child("a", Careful), Child("b", Careful))
    with running(cast, disk) as run:
        for to, names in (("a", ["one", "two"]), ("a", ["three"]), ("a", ["two"]), ("b", ["x"])):
            run.ask(f"/r/{to}", names, timeout=SECONDS)
    assert_identical(cast, disk)


def test_marks_of_another_name_are_a_difference() -> None:
    name = {"is": "draft"}

    class Naming(Actor, name="tests.interventions.naming"):
        async def on_receive(self, message: str) -> None:
            self.mark(name["is"])

    store, cast = MemoryStore(), program(Child("a", Naming))
    with running(cast, store) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        settle(run)
    assert_identical(cast, store)
    name["is"] = "final"
    (found,) = replayed(cast, store).differences
    assert (found.what, found.recorded, found.replayed) == ("marks", "('draft',)", "('final',)")


# --- a verdict, and then another crash before its step


@tool("interventions.pay", effect="financial")
async def pay() -> str:
    return "paid"


class Nervous(Actor, name="tests.interventions.nervous"):
    """Crashes at each first attempt; the second one pays."""

    paid: str = ""

    async def on_receive(self, message: str) -> None:
        if self.attempt == 1:
            raise ValueError("not yet")
        self.paid = await self.call(pay)


@pytest.mark.parametrize("kind", ["before", "after"])
def test_an_attempt_that_crashes_before_the_step_that_a_verdict_was_on_replays(kind: Any) -> None:
    cast = program(Child("a", Nervous, backoff=Backoff(first=0.0)))
    subject = Subject(cast, [("/r/a", "pay")])
    writes = subject.live([], Toolbox()).writes
    at = writes.index(records.Kind.INTENT) + 1
    fault = Fault(at, "after") if kind == "after" else Fault(at + 1)  # it has not, or has happened
    store = subject.live([fault], Toolbox()).store
    (verdict,) = of(store, records.Verdict)
    assert verdict.verdict == ("did-not-happen" if kind == "after" else "happened")
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 1]
    assert_identical(cast, store)
