"""`on_stop` of actors that stop themselves, are stopped, or lose their supervisor; `Ignore`."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, Ignore, SupervisorSpec
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.ledger.messages import Names
from perdure.ledger.records import Send
from perdure.ledger.values import Codec
from perdure.mailbox.control import Exit, Stopped
from tests.kit import SECONDS, Disk, Gate, of, program, resumed, running, settle
from tests.replaying import assert_identical

GATES: dict[str, Gate] = {}
LOG: list[str] = []


@pytest.fixture(autouse=True)
def _new() -> None:
    GATES.clear()
    LOG.clear()


class Mind(Actor, name="tests.last_turns.mind"):
    """Stops itself on "stop", or "stop REASON"; `last` says how its `on_stop` goes."""

    last: str = ""
    stops: int = 0

    async def on_start(self) -> None:
        LOG.append(f"+{self.address[3:]}")

    async def on_stop(self) -> None:
        self.stops += 1
        LOG.append(f"-{self.address[3:]} {self.stop_reason}")
        if self.last == "gate":
            await GATES["last"].passed()
        elif self.last == "crash":
            raise OSError("on the way out")
        elif self.last == "sleep":
            await self.sleep(3_600)
        elif self.last:
            self.stop(self.last)

    async def on_receive(self, message: str) -> Any:
        if message == "crash":
            raise ValueError("mind")
        if message.startswith("stop"):
            self.stop(message[5:] or "normal")
        return self.stops, self.stop_reason


class Brief(Actor, name="tests.last_turns.brief"):
    """Ends in its `on_start`; there is no `on_stop`."""

    async def on_start(self) -> None:
        LOG.append(f"+{self.address[3:]}")
        self.stop("shutdown: enough")

    async def on_receive(self, message: str) -> None: ...


class Courteous(Brief, name="tests.last_turns.courteous"):
    async def on_stop(self) -> None:
        LOG.append(f"-{self.address[3:]} {self.stop_reason}")


class Careless(Mind, name="tests.last_turns.careless"):
    trap_exit = False


class Picky(Actor, name="tests.last_turns.picky"):
    """Declines to start, the second time too; spawns one that declines."""

    async def on_start(self) -> None:
        self.tell("/r/mind", "never sent")
        raise Ignore("nothing to do")


class Parent(Actor, name="tests.last_turns.parent"):
    async def on_receive(self, message: str) -> None:
        self.spawn(Picky, "picky")


def mind(id: str = "mind", actor: Any = Mind, **options: Any) -> Child:
    last = options.pop("last", "")
    return Child(id, actor, init={"last": last}, redelivery="none", **options)


def told(store: MemoryStore, kind: type) -> list[str]:
    """The reasons in messages of that kind."""
    codec, found = Codec(Names.everything()), []
    for turn in [*of(store, records.Turn), *of(store, records.Crash)]:
        for wire in turn.sends:
            message = codec.decode(Send(*wire).body)
            if isinstance(message, kind):
                found.append(str(message.reason))  # type: ignore[attr-defined]
    return found


# --- who stops itself


def test_who_stops_itself_runs_on_stop_and_knows_why() -> None:
    store = MemoryStore()
    with running(program(mind(restart="transient")), store) as run:
        run.tell("/r/mind", "stop shutdown: enough").get(timeout=SECONDS)
        settle(run)
    assert LOG == ["+mind", "-mind shutdown: enough"]
    assert told(store, Exit) == ["shutdown: enough"]


@pytest.mark.parametrize(
    ("actor", "log"),
    [(Brief, ["+brief"]), (Courteous, ["+brief", "-brief shutdown: enough"])],
)
def test_who_stops_itself_as_it_starts_has_started_and_ends(actor: Any, log: list[str]) -> None:
    store, cast = MemoryStore(), program(Child("brief", actor, restart="transient"))
    with running(cast, store) as run:
        settle(run)
    assert log == LOG
    assert told(store, Exit) == ["shutdown: enough"]
    assert_identical(cast, store)


def test_what_waits_behind_the_message_that_stopped_it_is_for_its_next_life() -> None:
    with running(program(mind())) as run:
        run.tell("/r/mind", "stop").get(timeout=SECONDS)
        assert run.ask("/r/mind", "?", timeout=SECONDS) == (1, None)  # what on_stop did is kept
    assert LOG == ["+mind", "-mind normal", "+mind"]


@pytest.mark.parametrize(
    ("last", "ends", "restarts"),
    [
        ("crash", "OSError: on the way out", True),
        ("oops", "oops", True),
        ("normal", "normal", False),
    ],
)
def test_on_stop_may_end_it_with_another_reason(last: str, ends: str, restarts: bool) -> None:
    store = MemoryStore()
    with running(program(mind(last=last, restart="transient")), store) as run:
        run.tell("/r/mind", "stop boom" if last == "normal" else "stop").get(timeout=SECONDS)
        settle(run)
    assert told(store, Exit) == [ends]
    assert LOG.count("+mind") == 1 + restarts


def test_a_crash_does_not_come_by_on_stop() -> None:
    with running(program(mind())) as run:
        run.tell("/r/mind", "crash").get(timeout=SECONDS)
        settle(run)
    assert LOG == ["+mind", "+mind"]


def test_a_stop_that_comes_meanwhile_is_answered_with_what_really_ended_it() -> None:
    GATES["last"], store = Gate(), MemoryStore()
    with running(program(mind("a"), mind(last="gate"), strategy="one_for_all"), store) as run:
        run.tell("/r/mind", "stop by itself").get(timeout=SECONDS)
        GATES["last"].reached()
        run.tell("/r/a", "crash").get(timeout=SECONDS)  # all are stopped, and started again
        GATES["last"].open()
        settle(run)
        assert run.ask("/r/mind", "?", timeout=SECONDS) == (1, None)
    assert "by itself" in told(store, Exit)
    assert LOG == ["+a", "+mind", "-mind by itself", "+a", "+mind"]


def test_a_kill_ends_an_on_stop() -> None:
    GATES["last"], store = Gate(), MemoryStore()
    with running(program(mind(last="gate", restart="temporary")), store) as run:
        run.tell("/r/mind", "stop").get(timeout=SECONDS)
        GATES["last"].reached()
        run.exit("/r/mind", "kill")
        settle(run)
        GATES["last"].open()
    assert told(store, Exit) == ["killed"]


@pytest.mark.parametrize("last", ["", "crash", "oops"])
def test_the_last_turn_is_found_again_by_any_process_and_replays(last: str) -> None:
    disk, cast = Disk(), program(mind(last=last, restart="temporary"), mind("other"))
    with running(cast, disk) as run:
        run.tell("/r/mind", "stop").get(timeout=SECONDS)
        settle(run)
    moments = [each for each in disk.moments if each.head().seq]
    for moment in moments:
        with resumed(cast, moment) as run:
            settle(run)
        assert_identical(cast, moment)
    ended = {tuple(told(moment, Exit)) for moment in moments}
    reason = {"": "normal", "crash": "OSError: on the way out", "oops": "oops"}[last]
    assert ended <= {(), (reason,)}
    assert (reason,) in ended


# --- who does not trap exits


def test_without_trap_exit_on_stop_is_for_those_who_stop_themselves() -> None:
    with running(program(mind("a", Careless), mind("b"), strategy="one_for_all")) as run:
        run.tell("/r/b", "crash").get(timeout=SECONDS)
        settle(run)
        run.tell("/r/a", "stop").get(timeout=SECONDS)
        settle(run)
    assert LOG == ["+a", "+b", "+a", "+b", "-a normal", "-b shutdown", "+a", "+b"]


# --- stopped from outside


def test_who_is_stopped_from_outside_ends_as_if_by_itself() -> None:
    store = MemoryStore()
    with running(program(mind(restart="transient")), store) as run:
        run.stop("/r/mind", "enough")
        settle(run)
    assert LOG == ["+mind", "-mind enough", "+mind"]
    assert told(store, Exit) == ["enough"]
    assert told(store, Stopped) == []


def test_a_supervisor_that_is_stopped_from_outside_stops_its_children_first() -> None:
    below = Child("s", supervisor=SupervisorSpec(children=[mind("a"), mind("b")]))
    store = MemoryStore()
    with running(program(below), store) as run:
        run.stop("/r/s", "enough")
        settle(run)
    stopped = ["-s/b shutdown", "-s/a shutdown"]
    assert ["+s/a", "+s/b", *stopped, "+s/a", "+s/b"] == LOG
    assert told(store, Exit) == ["enough"]


# --- orphans


def test_the_children_of_a_killed_supervisor_run_on_stop_before_its_next_life() -> None:
    children = [mind("a"), mind("b", Careless), mind("c", restart="temporary")]
    nested = Child("t", supervisor=SupervisorSpec(children=[mind("d")]))
    below = Child("s", supervisor=SupervisorSpec(children=[*children, nested]))
    with running(program(below)) as run:
        run.exit("/r/s", "kill")
        settle(run)
    begun = ["+s/a", "+s/b", "+s/c", "+s/t/d"]
    assert LOG[:4] == LOG[-4:] == begun
    assert sorted(LOG[4:-4]) == ["-s/a killed", "-s/c killed", "-s/t/d shutdown"]


def test_an_orphan_gets_its_shutdown_time_and_no_more() -> None:
    below = Child("s", supervisor=SupervisorSpec(children=[mind("a", last="sleep", shutdown=2.0)]))
    store = MemoryStore()
    with running(program(below), store) as run:
        run.exit("/r/s", "kill")
        settle(run)
        assert run.ask("/r/s/a", "?", timeout=SECONDS) == (0, None)  # on_stop was not done
    assert LOG == ["+s/a", "-s/a killed", "+s/a"]
    assert told(store, Stopped) == ["killed"]


def test_a_killed_supervisor_is_found_again_by_any_process_and_replays() -> None:
    disk = Disk()
    below = SupervisorSpec(children=[mind("a"), mind("b", restart="temporary")])
    cast = program(Child("s", supervisor=below))
    with running(cast, disk) as run:
        run.exit("/r/s", "kill")
        settle(run)
    for moment in [each for each in disk.moments if each.head().seq]:
        with resumed(cast, moment) as run:
            settle(run)
            assert run.ask("/r/s/a", "?", timeout=SECONDS)[1] is None
            assert run.ask("/r/s/b", "?", timeout=SECONDS) == (0, None)
        assert_identical(cast, moment)


# --- who declines


def test_who_declines_is_no_failure_and_what_it_did_is_dropped() -> None:
    store = MemoryStore()
    with running(program(mind(), Child("picky", Picky), intensity=0), store) as run:
        settle(run)
        assert run.ask("/r/mind", "?", timeout=SECONDS) == (0, None)
    assert of(store, records.Crash) == []


def test_who_declines_replays() -> None:
    store, cast = MemoryStore(), program(mind(), Child("picky", Picky))
    with running(cast, store) as run:
        settle(run)
    assert_identical(cast, store)


def test_a_spawned_child_that_declines_is_gone() -> None:
    with running(program(mind(), Child("parent", Parent))) as run:
        run.tell("/r/parent", "spawn").get(timeout=SECONDS)
        settle(run)
        assert run.kernel.book.find("/r/parent/picky") == 0
