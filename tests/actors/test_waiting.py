"""Asks are steps whose answer comes from another actor; who waits for one holds nobody up."""

from __future__ import annotations

from typing import Any

from perdure import (
    Actor,
    Child,
    Reject,
    field,
)
from perdure.errors import (
    AskTimeout,
    Crashed,
)
from perdure.ledger import records
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    of,
    program,
    resumed,
    running,
    settle,
)


class Echo(Actor, name="tests.waiting.echo"):
    """Answers with what it got, and remembers it."""

    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        self.got.append(message)
        if message == "crash":
            raise ValueError("echo")
        if message == "reject":
            raise Reject("not that")
        return message


def asking(verdict: dict[str, Any], **options: Any) -> type[Actor]:
    """An actor that asks `/r/echo` what it is told to ask, and says how it ended."""

    class Asking(Actor, name="tests.waiting.asking"):
        async def on_receive(self, message: Any) -> Any:
            to = options.get("to", "/r/echo")
            try:
                return await self.ask(to, message, timeout=options.get("timeout"))
            except Exception as error:  # noqa: BLE001 - which one is what is tested
                verdict["error"] = error
                return f"{type(error).__name__}: {error}"

    return Asking


def test_an_ask_is_answered_with_what_the_handler_returns() -> None:
    tree = program(Child("a", asking({})), Child("echo", Echo))
    with running(tree) as run:
        assert run.ask("/r/a", {"x": 1}, timeout=SECONDS) == {"x": 1}


def test_an_asker_gets_crashed_when_its_message_is_a_dead_letter_and_not_before() -> None:
    store, verdict = MemoryStore(), {}
    tree = program(Child("a", asking(verdict)), Child("echo", Echo))
    with running(tree, store) as run:
        assert run.ask("/r/a", "crash", timeout=SECONDS).startswith("Crashed: ")
    assert isinstance(verdict["error"], Crashed)
    assert "ValueError: echo" in str(verdict["error"])
    assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2, 3]


def test_an_asker_gets_reject_with_the_reason() -> None:
    verdict: dict[str, Any] = {}
    with running(program(Child("a", asking(verdict)), Child("echo", Echo))) as run:
        run.ask("/r/a", "reject", timeout=SECONDS)
    assert isinstance(verdict["error"], Reject)
    assert str(verdict["error"]) == "not that"


def test_who_asks_nobody_gets_crashed_at_once() -> None:
    verdict: dict[str, Any] = {}
    with running(program(Child("a", asking(verdict, to="/r/nobody")))) as run:
        run.ask("/r/a", "x", timeout=SECONDS)
    assert isinstance(verdict["error"], Crashed)
    assert "no such actor" in str(verdict["error"])


def test_an_ask_ends_after_its_timeout_and_a_late_answer_reaches_nobody() -> None:
    store, verdict = MemoryStore(), {}

    class Slow(Actor, name="tests.steps.slow"):
        async def on_receive(self, message: Any) -> Any:
            await self.sleep(60)
            return message

    tree = program(Child("a", asking(verdict, timeout=5.0)), Child("echo", Slow))
    with running(tree, store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS).startswith("AskTimeout")
        settle(run)
        assert run.ask("/r/a", "y", timeout=SECONDS).startswith("AskTimeout")
    assert isinstance(verdict["error"], AskTimeout)
    assert isinstance(verdict["error"], TimeoutError)
    assert of(store, records.Crash) == []


def test_an_ask_that_timed_out_stays_so_for_the_retry() -> None:
    asked: list[str] = []

    class Impatient(Actor, name="tests.steps.impatient"):
        async def on_receive(self, message: Any) -> str:
            try:
                await self.ask("/r/slow", message, timeout=1.0)
            except AskTimeout:
                asked.append("timeout")
            if self.attempt == 1:
                raise ValueError("again")
            return "done"

    class Slow(Actor, name="tests.steps.slow2"):
        async def on_receive(self, message: Any) -> str:
            await self.sleep(1.5)  # between the timeout of the first attempt and of the second
            return "late"

    with running(program(Child("a", Impatient), Child("slow", Slow))) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "done"
    assert asked == ["timeout", "timeout"]


def test_a_retry_meets_its_earlier_ask_and_sends_neither_it_nor_earlier_tells_again() -> None:
    class Teller(Actor, name="tests.steps.teller"):
        async def on_receive(self, message: Any) -> Any:
            self.tell("/r/echo", "first")
            self.tell("/r/other", "elsewhere")
            self.tell("/r/echo", "second")
            answer = await self.ask("/r/echo", "question")
            self.tell("/r/echo", "last")
            if self.attempt < 3:
                raise ValueError("again")
            return answer

    store = MemoryStore()
    tree = program(Child("a", Teller), Child("echo", Echo), Child("other", Echo))
    with running(tree, store) as run:
        assert run.ask("/r/a", "x", timeout=SECONDS) == "question"
        settle(run)
        in_order = ["first", "second", "question", "last"]
        assert run.ask("/r/echo", "got", timeout=SECONDS) == in_order
        assert run.ask("/r/other", "got", timeout=SECONDS) == ["elsewhere"]
    assert len(of(store, records.Ask)) == 1


def test_a_process_that_died_while_an_actor_waited_takes_up_the_wait() -> None:
    gate, disk = Gate(), Disk()

    class Gated(Actor, name="tests.steps.gated"):
        count: int = 0

        async def on_receive(self, message: Any) -> int:
            await gate.passed()
            self.count += 1
            return self.count

    class Asker(Actor, name="tests.steps.asker"):
        answers: list[int] = field(default_factory=list)

        async def on_receive(self, message: Any) -> Any:
            if message == "answers":
                return list(self.answers)
            self.answers.append(await self.ask("/r/echo", message))
            return None

    tree = program(Child("a", Asker), Child("echo", Gated), Child("other", Echo))
    with running(tree, disk) as run:
        run.tell("/r/a", "x").get(timeout=SECONDS)
        gate.reached()
        run.ask("/r/other", "later", timeout=SECONDS)
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        settle(run)
        assert run.ask("/r/a", "answers", timeout=SECONDS) == [1]
    assert len(of(twin, records.Ask)) == 1


def test_an_ask_that_nobody_awaits_is_answered_before_the_turn_closes() -> None:
    class Dropper(Actor, name="tests.steps.dropper"):
        async def on_receive(self, message: Any) -> None:
            self.ask("/r/echo", message)

    store = MemoryStore()
    with running(program(Child("a", Dropper), Child("echo", Echo)), store) as run:
        run.ask("/r/a", "x", timeout=SECONDS)
    closed = [turn for turn in of(store, records.Turn) if turn.answer or turn.actor]
    ask = of(store, records.Ask)[0]
    order = [turn.actor for turn in closed if turn.message[0] > 0]
    assert order.index(order[-1]) > 0
    assert order[-1] == ask.actor  # the asker closes after the one it asked
