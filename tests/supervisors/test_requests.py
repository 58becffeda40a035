"""What supervisors are asked: the messages, their answers, what becomes of those without one."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, Deadlock, Ignore, Ref, SupervisorSpec
from perdure.errors import CallFailed, Crashed, UsageError
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from perdure.supervisors import (
    CountChildren,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from tests.kit import SECONDS, Gate, dead_letters, of, program, resumed, running, settle, until

GATES: dict[str, Gate] = {}
LOG: list[str] = []


@pytest.fixture(autouse=True)
def _new_gates() -> None:
    GATES.clear()
    LOG.clear()


class Page(Actor, name="tests.requests.page"):
    """Starts, waits at a gate as it starts or stops, declines or fails, as it is told."""

    text: str = ""
    on_start_: str = ""
    on_stop_: str = ""

    async def on_start(self) -> None:
        LOG.append(f"+{self.address[3:]}")
        await self._at(self.on_start_)
        if self.on_start_ == "fail":
            raise OSError("no disk")
        if self.on_start_ == "ignore":
            raise Ignore("no need")
        if self.on_start_ == "ask":
            await self.ask("..", WhichChildren())

    async def on_stop(self) -> None:
        await self._at(self.on_stop_)
        if self.on_stop_ == "ask":
            try:
                await self.ask("..", WhichChildren())
            except Deadlock as error:
                LOG.append(str(error).split(".")[0])
        LOG.append(f"-{self.address[3:]}")

    async def _at(self, what: str) -> None:
        if what.startswith("gate "):
            await GATES[what[5:]].passed()

    async def on_receive(self, message: Any) -> Any:
        if message == "stop":
            self.stop()
        return self.text


class Clerk(Actor, name="tests.requests.clerk"):
    """Asks a supervisor, and answers with what it got."""

    async def on_receive(self, message: tuple[str, Any]) -> Any:
        address, request = message
        try:
            return await self.ask(address, request)
        except CallFailed as error:
            return (error.why, error.ref, str(error))
        except Crashed as error:
            return f"Crashed: {error}"


def page(id: str, **init: Any) -> Child:
    return Child(id, Page, init=init, redelivery="none")


def desk(*children: Child, restart: str = "permanent") -> Any:
    """`/r/clerk` asks; `/r/s` has the children."""
    below = SupervisorSpec(children=children)
    return program(Child("clerk", Clerk), Child("s", supervisor=below, restart=restart))


def asked(run: Any, request: object, to: str = "/r/s") -> Any:
    """What the clerk gets for a request; it asks as any actor does."""
    return run.ask("/r/clerk", (to, request), timeout=SECONDS)


def open_gate(name: str) -> Gate:
    GATES[name] = Gate()
    return GATES[name]


# --- answers


@pytest.mark.parametrize(
    "data",
    [
        {"id": "b", "actor": "tests.requests.page", "foo": 3},
        {"id": "b", "actor": "tests.requests.page", "backoff": {"frst": 1.0}},
        {"id": "b", "supervisor": {"childrn": []}},
        {"id": "b", "actor": "tests.requests.page", "shutdown": 10**400},
    ],
    ids=["a key", "a key of its back-off", "a key of its supervisor", "a number beyond any"],
)
def test_data_that_is_no_spec_is_refused_and_the_supervisor_goes_on(data: dict[str, Any]) -> None:
    with running(desk(page("a"))) as run:
        why, _, text = asked(run, StartChild(data))
        assert why == "invalid_child_spec"
        assert text.startswith("/r/s: ")
        assert asked(run, CountChildren())["specs"] == 1


def test_a_child_is_started_stopped_started_again_and_forgotten_by_messages() -> None:
    with running(desk(page("a"))) as run:
        ref = asked(run, StartChild(page("b", text="hello")))
        assert ref == Ref("/r/s/b")
        assert run.ask("/r/s/b", "?", timeout=SECONDS) == "hello"
        assert asked(run, TerminateChild("b")) is None
        with pytest.raises(Crashed, match="not running"):
            run.ask("/r/s/b", "?", timeout=SECONDS)
        assert asked(run, RestartChild("b")) == ref
        assert run.ask("/r/s/b", "?", timeout=SECONDS) == "hello"
        asked(run, TerminateChild("b"))
        assert asked(run, DeleteChild("b")) is None
        with pytest.raises(Crashed, match="no such actor"):
            run.ask("/r/s/b", "?", timeout=SECONDS)
    assert LOG == ["+s/a", "+s/b", "-s/b", "+s/b", "-s/b"]


def test_children_are_listed_latest_first_counted_and_shown() -> None:
    with running(desk(page("a"), page("b"))) as run:
        run.ask("/r/s", TerminateChild("a"), timeout=SECONDS)
        listed = run.ask("/r/s", WhichChildren(), timeout=SECONDS)
        assert [(each["id"], each["status"], each["ref"]) for each in listed] == [
            ("b", "running", Ref("/r/s/b")),
            ("a", "undefined", None),
        ]
        counts = {"specs": 2, "active": 1, "supervisors": 0, "workers": 2}
        assert run.ask("/r/s", CountChildren(), timeout=SECONDS) == counts
        spec = run.ask("/r/s", GetChildSpec("b"), timeout=SECONDS)
        assert (spec["id"], spec["restart"], spec["shutdown"]) == ("b", "permanent", 5.0)


@pytest.mark.parametrize(
    ("request_", "why", "way_out"),
    [
        (StartChild(page("a")), "already_started", "TerminateChild"),
        (StartChild(page("down")), "already_present", "RestartChild"),
        (StartChild({"id": "x", "actor": "A", "restart": "never"}), "invalid_restart_type", "Allo"),
        (StartChild("junk"), "invalid_child_spec", "Allowed"),
        (StartChild(), "one_for_one", "StartChild"),
        (TerminateChild("nobody"), "not_found", "WhichChildren"),
        (RestartChild("a"), "running", "TerminateChild"),
        (DeleteChild("a"), "running", "TerminateChild"),
        (GetChildSpec("nobody"), "not_found", "WhichChildren"),
    ],
)
def test_what_cannot_be_is_an_error_with_otps_word_and_a_way_out(
    request_: object, why: str, way_out: str
) -> None:
    with running(desk(page("a"), page("down"))) as run:
        run.ask("/r/s", TerminateChild("down"), timeout=SECONDS)
        with pytest.raises(CallFailed, match=way_out) as caught:
            run.ask("/r/s", request_, timeout=SECONDS)
        assert caught.value.why == why
        ref = Ref("/r/s/a") if why == "already_started" else None
        assert caught.value.ref == ref
        told = asked(run, request_)  # and the same in a handler
        assert told == (why, ref, str(caught.value))


def test_a_start_that_fails_says_why_and_leaves_nothing() -> None:
    with running(desk()) as run:
        with pytest.raises(CallFailed, match="OSError: no disk") as caught:
            run.ask("/r/s", StartChild(page("x", on_start_="fail")), timeout=SECONDS)
        assert (caught.value.why, str(caught.value.reason)) == ("start_failed", "OSError: no disk")
        assert run.ask("/r/s", WhichChildren(), timeout=SECONDS) == []


def test_a_child_that_declines_is_no_failure_and_its_spec_is_kept() -> None:
    with running(desk()) as run:
        assert asked(run, StartChild(page("x", on_start_="ignore"))) is None
        (listed,) = asked(run, WhichChildren())
        assert (listed["id"], listed["status"]) == ("x", "undefined")
        with pytest.raises(Crashed, match="not running"):
            run.ask("/r/s/x", "?", timeout=SECONDS)


def test_specs_that_were_added_are_kept_over_a_resume() -> None:
    store, cast = MemoryStore(), desk()
    with running(cast, store) as run:
        run.ask("/r/s", StartChild(page("x", text="kept")), timeout=SECONDS)
        run.ask("/r/s", TerminateChild("x"), timeout=SECONDS)
    left = store.reopened()
    with resumed(cast, left) as run:
        assert run.ask("/r/s", RestartChild("x"), timeout=SECONDS) == Ref("/r/s/x")
        assert run.ask("/r/s/x", "?", timeout=SECONDS) == "kept"


# --- pools


def test_a_pool_numbers_its_children_and_gives_each_what_it_begins_with() -> None:
    template = Child("page", Page, init={"text": "plain"}, redelivery="none")
    pool = SupervisorSpec(strategy="simple_one_for_one", children=[template])
    with running(program(Child("clerk", Clerk), Child("pool", supervisor=pool))) as run:
        assert asked(run, StartChild(), "/r/pool") == Ref("/r/pool/1")
        assert asked(run, StartChild(init={"text": "own"}), "/r/pool") == Ref("/r/pool/2")
        assert run.ask("/r/pool/1", "?", timeout=SECONDS) == "plain"
        assert run.ask("/r/pool/2", "?", timeout=SECONDS) == "own"
        asked(run, TerminateChild("1"), "/r/pool")
        assert asked(run, StartChild(), "/r/pool") == Ref("/r/pool/3")
        assert asked(run, RestartChild("1"), "/r/pool")[0] == "simple_one_for_one"


def test_a_dynamic_supervisor_takes_any_spec_up_to_its_bound() -> None:
    pool = SupervisorSpec(strategy="dynamic", children_max=1)
    with running(program(Child("pool", supervisor=pool))) as run:
        one = run.ask("/r/pool", StartChild(page("any", text="one")), timeout=SECONDS)
        assert run.ask(one.address, "?", timeout=SECONDS) == "one"
        with pytest.raises(CallFailed, match="children_max") as caught:
            run.ask("/r/pool", StartChild(page("two")), timeout=SECONDS)
        assert caught.value.why == "max_children"


# --- the lane


def test_requests_wait_for_the_phase_and_are_taken_in_their_order() -> None:
    gate = open_gate("slow")
    with running(desk(page("a"))) as run:
        ask = run.kernel.outside.ask
        slow = ask("/r/s", StartChild(page("b", on_start_="gate slow")))
        gate.reached()
        later = [ask("/r/s", TerminateChild("b")), ask("/r/s", CountChildren())]
        assert not any(each.is_done for each in (slow, *later))
        gate.open()
        assert slow.get(timeout=SECONDS) == Ref("/r/s/b")
        assert later[0].get(timeout=SECONDS) is None
        assert later[1].get(timeout=SECONDS)["active"] == 1


def test_an_exit_that_came_before_a_request_is_seen_before_it() -> None:
    with running(desk(Child("a", Page, restart="temporary", redelivery="none"))) as run:
        run.tell("/r/s/a", "stop").get(timeout=SECONDS)
        settle(run)
        assert run.ask("/r/s", WhichChildren(), timeout=SECONDS) == []


def test_other_messages_to_a_supervisor_are_dead_letters() -> None:
    store = MemoryStore()
    with running(desk(page("a")), store) as run:
        run.tell("/r/s", "hello").get(timeout=SECONDS)
        with pytest.raises(Crashed, match="only the requests"):
            run.ask("/r/s", "hello", timeout=SECONDS)
        assert run.ask("/r/s", CountChildren(), timeout=SECONDS)["active"] == 1
    assert [to for to, _ in dead_letters(store)] == ["/r/s", "/r/s"]


def test_a_request_that_nobody_waits_for_is_done_all_the_same() -> None:
    with running(desk(page("a"))) as run:
        run.tell("/r/s", TerminateChild("a")).get(timeout=SECONDS)
        settle(run)
        assert run.ask("/r/s", CountChildren(), timeout=SECONDS)["active"] == 0


def test_who_asks_its_own_supervisor_as_it_starts_is_told_of_the_circle() -> None:
    with running(desk()) as run:
        with pytest.raises(CallFailed) as caught:
            run.ask("/r/s", StartChild(page("x", on_start_="ask")), timeout=SECONDS)
        assert "Deadlock" in str(caught.value.reason)
        assert "/r/s/x -> /r/s -> /r/s/x" in str(caught.value.reason)


def test_who_asks_its_own_supervisor_as_it_is_stopped_is_told_of_the_circle() -> None:
    with running(desk(page("x", on_stop_="ask"))) as run:
        run.ask("/r/s", TerminateChild("x"), timeout=SECONDS)
    assert LOG[1:] == ["nobody here can ever answer: /r/s/x -> /r/s -> /r/s/x", "-s/x"]


# --- no answer


@pytest.mark.parametrize("how", ["kill", "cancel"])
def test_a_supervisor_that_ends_answers_who_it_owes_and_who_waits(how: str) -> None:
    gate, store = open_gate("slow"), MemoryStore()
    with running(desk(), store) as run:
        ask = run.kernel.outside.ask
        owed = ask("/r/s", StartChild(page("b", on_start_="gate slow")))
        gate.reached()
        waiting = ask("/r/s", CountChildren())
        told = run.kernel.outside.ask("/r/clerk", ("/r/s", WhichChildren()))
        until(run, lambda: len(run.kernel.book.cell_at("/r/s").control or ()) == 2)
        if how == "kill":
            run.exit("/r/s", "kill")
        else:
            run.cancel("/r/s")
        for future in (owed, waiting):
            with pytest.raises(Crashed, match="/r/s"):
                future.get(timeout=SECONDS)
        assert "Crashed" in told.get(timeout=SECONDS)
        gate.open()


def test_who_asks_a_supervisor_that_has_no_life_is_told() -> None:
    with running(desk(page("a"), restart="transient")) as run:
        run.stop("/r/s")
        settle(run)
        with pytest.raises(Crashed, match=r"no such actor|not running"):
            run.ask("/r/s", CountChildren(), timeout=SECONDS)


def test_an_asker_is_answered_once_by_the_turn_that_has_the_answer() -> None:
    store = MemoryStore()
    with running(desk(), store) as run:
        asked(run, StartChild(page("x")))
    (ask,) = of(store, records.Ask)
    turns = [turn for turn in of(store, records.Turn) if turn.answer is not None]
    (answer,) = [turn for turn in turns if turn.answer[0][0] == ask.actor]
    assert answer.actor != ask.actor


def test_cancelling_a_child_has_its_supervisor_forget_it() -> None:
    with running(desk(page("a"), page("b"))) as run:
        run.cancel("/r/s/a")
        settle(run)
        listed = run.ask("/r/s", WhichChildren(), timeout=SECONDS)
        assert [each["id"] for each in listed] == ["b"]
        assert asked(run, StartChild(page("a", text="new"))) == Ref("/r/s/a")
        assert run.ask("/r/s/a", "?", timeout=SECONDS) == "new"


def test_an_init_beside_a_whole_child_is_refused_where_it_is_written() -> None:
    with pytest.raises(UsageError, match="within the child"):
        StartChild(Child("a", "Worker"), init={"n": 2})
