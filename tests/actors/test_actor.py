"""Actor: verbs reach the turn and nothing else; without a turn they say so."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from perdure.actors.actor import Actor
from perdure.actors.futures import Future
from perdure.caps.tool import tool
from perdure.errors import Reject, TurnClosed, UsageError
from perdure.ids import Ref


class Worker(Actor):
    total: int = 0


class Recorded:
    """A turn that notes what it is asked for."""

    address = "/trip/worker"
    attempt = 2
    budget = 100
    sender = Ref("/trip/asker")

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.random = random.Random(1)

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def note(*args: Any) -> Any:
            self.calls.append((verb, *args))
            return Ref("/trip/worker/child") if verb == "spawn" else Future.done(verb)

        return note


@pytest.fixture
def turn() -> Recorded:
    return Recorded()


@pytest.fixture
def worker(turn: Recorded) -> Worker:
    actor = Worker()
    actor._turn = turn
    return actor


@tool("text.count", effect="read")
def count(text: str, words: bool = False) -> int:
    return len(text.split() if words else text)


def test_sending_verbs_hand_all_they_were_given_to_the_turn(worker: Worker, turn: Recorded) -> None:
    worker.tell("../editor", 1)
    worker.tell(Ref("/a"), 2, cost=3.0, est=0.5, qos="utility", delay=9.0)
    worker.send_after(5.0, "/a", 3)
    worker.ask("/a", 4, timeout=1.0)
    assert turn.calls == [
        ("tell", "../editor", 1, None, None, None, None),
        ("tell", Ref("/a"), 2, 3.0, 0.5, "utility", 9.0),
        ("tell", "/a", 3, None, None, None, 5.0),
        ("ask", "/a", 4, 1.0),
    ]


def test_steps_hand_function_and_arguments_to_the_turn(worker: Worker, turn: Recorded) -> None:
    worker.once(count, "a b", words=True)
    worker.call(count, text="a b")
    worker.call(count, "a b", words=True)
    worker.sleep(2.0)
    worker.artifact("report.txt", "text")
    assert turn.calls == [
        ("once", count, ("a b",), {"words": True}),
        ("call", count, {"text": "a b"}),
        ("call", count, {"text": "a b", "words": True}),
        ("sleep", 2.0),
        ("artifact", "report.txt", "text"),
    ]


def test_life_verbs_hand_on_class_init_and_options(worker: Worker, turn: Recorded) -> None:
    assert worker.spawn(Worker, "child", init={"total": 1}, restart="temporary").name == "child"
    worker.spawn("Worker", "child")
    worker.stop()
    worker.finish({"files": 1})
    assert turn.calls == [
        ("spawn", Worker, "child", {"total": 1}, {"restart": "temporary"}),
        ("spawn", "Worker", "child", {}, {}),
        ("stop", "normal"),
        ("finish", {"files": 1}),
    ]


def test_facts_are_those_of_the_turn(worker: Worker, turn: Recorded) -> None:
    assert (worker.address, worker.attempt, worker.budget) == ("/trip/worker", 2, 100)
    assert worker.sender == Ref("/trip/asker")
    assert worker.now() == turn.now()
    assert worker.random is turn.random
    assert worker.ref("../editor") == Ref("/trip/editor")
    assert worker.ref("/other") == Ref("/other")


def test_gather_gives_the_values_in_the_order_of_the_arguments(worker: Worker) -> None:
    slow: Future[int] = Future()
    both = worker.gather(slow, Future.done("b"))
    assert not both.is_done
    slow.set(1)
    assert both.get(timeout=1) == (1, "b")


def test_gather_fails_with_the_first_argument_that_failed_whichever_was_quicker(
    worker: Worker,
) -> None:
    first: Future[int] = Future()
    second: Future[int] = Future.failed(KeyError("second"))
    both = worker.gather(first, second)
    first.set_exception(ValueError("first"))
    with pytest.raises(ValueError, match="first"):
        both.get(timeout=1)
    assert second.is_failure_seen


VERBS: dict[str, Callable[[Worker], object]] = {
    "tell": lambda worker: worker.tell("/a", 1),
    "send_after": lambda worker: worker.send_after(1.0, "/a", 1),
    "ask": lambda worker: worker.ask("/a", 1),
    "call": lambda worker: worker.call(count, text=""),
    "once": lambda worker: worker.once(count, ""),
    "gather": lambda worker: worker.gather(),
    "sleep": lambda worker: worker.sleep(1.0),
    "artifact": lambda worker: worker.artifact("a", "b"),
    "spawn": lambda worker: worker.spawn(Worker, "a"),
    "stop": lambda worker: worker.stop(),
    "finish": lambda worker: worker.finish(),
    "now": lambda worker: worker.now(),
    "random": lambda worker: worker.random,
    "sender": lambda worker: worker.sender,
    "address": lambda worker: worker.address,
    "attempt": lambda worker: worker.attempt,
    "budget": lambda worker: worker.budget,
}


@pytest.mark.parametrize("verb", VERBS)
def test_outside_a_turn_a_verb_says_so(verb: str) -> None:
    with pytest.raises(TurnClosed, match=rf"Worker\.{verb} works only while a message is handled"):
        VERBS[verb](Worker())


def test_an_actor_made_by_hand_has_state(worker: Worker) -> None:
    assert Worker(total=3).total == 3
    assert repr(Worker(total=3)) == str(Worker(total=3)) == "Worker(total=3)"
    with pytest.raises(UsageError, match=r"no field 'totl'.*'total'"):
        Worker(totl=3)  # type: ignore[call-arg]


def test_pykka_cannot_start_a_durable_actor() -> None:
    with pytest.raises(UsageError, match=r"Worker is durable, so a supervisor starts it.*spawn"):
        Worker.start()


def test_an_actor_without_a_handler_rejects_messages_without_a_crash(worker: Worker) -> None:
    with pytest.raises(Reject, match="Worker has no on_receive"):
        worker.on_receive(1)


def test_the_other_hooks_do_nothing_by_themselves(worker: Worker, turn: Recorded) -> None:
    worker.on_start()
    worker.on_load()
    worker.on_stop()
    worker.on_failure(None, None, None)
    worker.on_restart("crash")
    assert turn.calls == []
    assert Worker.migrate({"total": 1}, 1) == {"total": 1}
