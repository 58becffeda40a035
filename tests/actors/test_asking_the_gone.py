"""What an ask ends with when the asked actor is down, has ended, or never was."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Actor, Child, field
from perdure.errors import PerdureError
from perdure.ledger.memory import MemoryStore
from tests.kit import SECONDS, advance, program, resumed, running, settle
from tests.replaying import assert_identical


class Asker(Actor, name="tests.asking.asker"):
    """Asks what it is told to, and writes down how that ended."""

    got: list[str] = field(default_factory=list)

    async def on_receive(self, message: Any) -> None:
        to, question, timeout = message
        try:
            answer = await self.ask(to, question, timeout=timeout)
            self.got.append(f"{answer}")
        except PerdureError as error:
            self.got.append(f"{type(error).__name__}: {error}")


class Server(Actor, name="tests.asking.server"):
    lives: int = 0

    async def on_start(self) -> None:
        self.lives += 1

    async def on_receive(self, message: Any) -> Any:
        match message:
            case "crash":
                raise OSError("no line")
            case ("stop", why):
                self.stop(why)
                return "gone"
        return f"life {self.lives}"


def office(**options: Any) -> Any:
    options.setdefault("redelivery", "none")
    return program(Child("q", Asker), Child("s", Server, **options))


def ask(run: Any, to: str, question: Any, timeout: float | None = None) -> None:
    run.tell("/r/q", (to, question, timeout)).get(timeout=SECONDS)
    settle(run)


def got(run: Any) -> Any:
    return run.get_state("/r/q")["got"]


def test_one_that_is_down_and_will_be_restarted_is_waited_for_and_its_next_life_answers() -> None:
    store = MemoryStore()
    with running(office(), store) as run:
        run.suspend("/r")
        run.tell("/r/s", "crash").get(timeout=SECONDS)
        settle(run)
        ask(run, "/r/s", "who")
        assert got(run) == []
    with resumed(office(), store := store.reopened()) as run:
        settle(run)
        assert got(run) == []
        run.unsuspend("/r")
        settle(run)
        assert got(run) == ["life 2"]
    assert_identical(office(), store)


@pytest.mark.parametrize(
    ("restart", "why"), [("transient", "not running"), ("temporary", "no such actor")]
)
def test_one_that_is_down_for_good_is_told_of_at_once(restart: str, why: str) -> None:
    with running(office(restart=restart)) as run:
        run.tell("/r/s", ("stop", "normal")).get(timeout=SECONDS)
        settle(run)
        ask(run, "/r/s", "who")
        (said,) = got(run)
        assert said.startswith("Crashed: ")
        assert said.endswith(f"to /r/s is a dead letter: {why}")


def test_one_that_never_was_is_told_of_at_once() -> None:
    with running(office()) as run:
        ask(run, "/r/nobody", "who")
        (said,) = got(run)
        assert said.endswith("to /r/nobody is a dead letter: no such actor")


def test_one_that_dies_of_the_question_is_told_of_with_its_reason() -> None:
    store = MemoryStore()
    with running(office(), store) as run:
        ask(run, "/r/s", "crash")
        (said,) = got(run)
        assert said.endswith("to /r/s is a dead letter: OSError: no line")
    assert_identical(office(), store)


@pytest.mark.parametrize("how", ["kill", "out of paper", "shutdown"])
def test_a_question_that_waits_goes_to_the_next_life(how: str) -> None:
    with running(office()) as run:
        run.suspend("/r/s")
        ask(run, "/r/s", "who")
        run.exit("/r/s", how)
        settle(run)
        assert got(run) == ["life 2"]


def test_a_question_that_waits_at_one_that_ends_for_good_fails_with_the_reason() -> None:
    store = MemoryStore()
    with running(office(restart="temporary"), store) as run:
        run.suspend("/r/s")
        ask(run, "/r/s", "who")
        run.exit("/r/s", "out of paper")
        settle(run)
        (said,) = got(run)
        assert said.endswith("is a dead letter: its actor is gone: out of paper")
    assert_identical(office(restart="temporary"), store)


def test_one_that_answers_and_stops_has_answered() -> None:
    with running(office(restart="temporary")) as run:
        ask(run, "/r/s", ("stop", "normal"))
        assert got(run) == ["gone"]


def test_who_asks_itself_is_told_so() -> None:
    with running(office()) as run:
        ask(run, "/r/q", "who")
        (said,) = got(run)
        assert said.startswith("Deadlock: nobody here can ever answer: /r/q -> /r/q")


def test_an_answer_after_the_time_is_up_reaches_nobody_in_the_next_process_either() -> None:
    store = MemoryStore()
    with running(office(), store) as run:
        run.suspend("/r/s")
        ask(run, "/r/s", "who", 5.0)
        advance(run, 5.0)
        settle(run)
        assert got(run) == ["AskTimeout: /r/s did not answer /r/q within 5 s"]
    with resumed(office(), store := store.reopened()) as run:
        run.unsuspend("/r/s")
        settle(run)
        assert got(run) == ["AskTimeout: /r/s did not answer /r/q within 5 s"]
        ask(run, "/r/s", "who")
        assert got(run)[1:] == ["life 1"]
    assert_identical(office(), store)
