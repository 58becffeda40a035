"""The run's door: what comes in is journaled first, what goes out is durable first."""

from __future__ import annotations

import threading
from typing import Any

import pykka
import pytest

from perdure import Actor, Child, FakeClock, MessageId, Run, field
from perdure.actors import outside
from perdure.errors import Crashed, NotEncodable, TurnClosed, UsageError
from perdure.ledger import records
from perdure.ledger.audit import audit_store
from perdure.ledger.memory import MemoryStore
from tests.kit import (
    SECONDS,
    Disk,
    Gate,
    dead_letters,
    journal,
    of,
    on_kernel,
    program,
    resumed,
    running,
    settle,
)


class Echo(Actor, name="tests.outside.echo"):
    got: list[Any] = field(default_factory=list)

    async def on_receive(self, message: Any) -> Any:
        if message == "got":
            return list(self.got)
        if message == "crash":
            raise ValueError("echo")
        if message == "sender":
            return self.sender
        self.got.append(message)
        return message


def test_a_receipt_is_the_id_of_the_journaled_message() -> None:
    store = MemoryStore()
    with running(program(Child("a", Echo)), store) as run:
        id = run.tell("/r/a", "x").get(timeout=SECONDS)
        assert isinstance(id, MessageId)
        assert isinstance(store.reopened().record(id.seq), tuple)
        settle(run)
    assert tuple(id) in [turn.message for turn in of(store, records.Turn)]


@pytest.mark.parametrize("address", [None, 5, "/r/\ud800"])
def test_what_can_be_no_address_is_refused_where_it_is_given(address: Any) -> None:
    with running(program(Child("a", Echo))) as run:
        for verb in (run.tell, run.ask):
            with pytest.raises(UsageError, match="is no address"):
                verb(address, "x")
        assert run.ask("/r/a", "x", timeout=SECONDS) == "x"


def test_who_posts_more_than_the_kernel_takes_in_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outside, "POSTS_QUEUED_MAX", 3)
    holds, posted = threading.Event(), []
    with running(program(Child("a", Echo))) as run:
        run.kernel.on_kernel(holds.wait, SECONDS)
        poster = threading.Thread(
            target=lambda: posted.extend(run.tell("/r/a", n) for n in range(20))
        )
        poster.start()
        poster.join(0.05)  # it cannot end before the kernel goes on
        found = poster.is_alive(), len(run.kernel.outside._posted)
        holds.set()
        poster.join(SECONDS)
        assert found == (True, 3)
        assert len([receipt.get(timeout=SECONDS) for receipt in posted]) == 20
        assert run.ask("/r/a", "got", timeout=SECONDS) == list(range(20))


def test_messages_of_one_thread_are_handled_in_its_order() -> None:
    with running(program(Child("a", Echo))) as run:
        for n in range(50):
            run.tell("/r/a", n)
        assert run.ask("/r/a", "got", timeout=SECONDS) == list(range(50))


def test_what_a_run_is_told_before_it_has_begun_comes_after_its_beginning() -> None:
    tree, store = program(Child("a", Echo)), MemoryStore()
    run = Run(tree, store=store, clock=FakeClock())
    told = run.tell("/r/a", "early")
    with run:
        told.get(timeout=SECONDS)
    assert dead_letters(store) == [("/r/a", "no such actor")]  # there is not even its supervisor
    assert isinstance(journal(store)[0], records.Run)
    with resumed(tree, store := store.reopened()) as run:
        run.suspend("/r/a")
        run.tell("/r/a", "first").get(timeout=SECONDS)
    run = Run.resume(None, store=(store := store.reopened()), program=tree, clock=FakeClock())
    run.tell("/r/a", "second")
    with run:
        run.unsuspend("/r/a")
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["first", "second"]
    assert audit_store(store.reopened()) == []


def test_what_is_posted_while_the_kernel_takes_posts_in_is_taken_in_too() -> None:
    receipts = []

    def meanwhile(kernel: Any) -> int:
        receipts.append(kernel.outside.tell("/r/a", "x"))
        return int(kernel.book.seq)

    with running(program(Child("a", Echo))) as run:
        run.kernel.outside.intervene(meanwhile).get(timeout=SECONDS)
        assert receipts[0].get(timeout=SECONDS).seq
        assert run.ask("/r/a", "got", timeout=SECONDS) == ["x"]


def test_threads_may_talk_to_a_run_at_once() -> None:
    with running(program(Child("a", Echo))) as run:

        def talk(name: int) -> None:
            for n in range(20):
                assert run.ask("/r/a", [name, n], timeout=SECONDS) == [name, n]

        threads = [threading.Thread(target=talk, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        got = run.ask("/r/a", "got", timeout=SECONDS)
    assert len(got) == 80
    for name in range(4):
        assert [n for who, n in got if who == name] == list(range(20))


def test_what_comes_from_outside_has_no_sender() -> None:
    with running(program(Child("a", Echo))) as run:
        assert run.ask("/r/a", "sender", timeout=SECONDS) is None


def test_what_cannot_be_encoded_is_refused_before_it_is_sent() -> None:
    store = MemoryStore()
    with running(program(Child("a", Echo)), store) as run:
        with pytest.raises(NotEncodable):
            run.tell("/r/a", threading.Lock())
        with pytest.raises(NotEncodable):
            run.ask("/r/a", object(), timeout=SECONDS)
    assert [post.origin for post in of(store, records.Post)] == ["start", "scenario"]


def test_who_asks_nobody_gets_crashed_and_the_message_is_a_dead_letter() -> None:
    store = MemoryStore()
    with (
        running(program(Child("a", Echo)), store) as run,
        pytest.raises(Crashed, match="no such actor"),
    ):
        run.ask("/r/nobody", "x", timeout=SECONDS)
    assert dead_letters(store) == [("/r/nobody", "no such actor")]


def test_who_asks_gets_crashed_only_when_the_attempts_are_used_up() -> None:
    store = MemoryStore()
    with running(program(Child("a", Echo)), store) as run:
        with pytest.raises(Crashed, match="ValueError: echo"):
            run.ask("/r/a", "crash", timeout=SECONDS)
        assert [crash.attempt for crash in of(store, records.Crash)] == [1, 2, 3]


def test_who_waits_too_long_for_an_answer_gets_a_timeout_and_the_run_goes_on() -> None:
    gate = Gate()

    class Slow(Actor, name="tests.outside.slow"):
        async def on_receive(self, message: Any) -> Any:
            await gate.passed()
            return message

    with running(program(Child("a", Slow))) as run:
        with pytest.raises(pykka.Timeout):
            run.ask("/r/a", "x", timeout=0.01)
        gate.open()
        assert run.ask("/r/a", "y", timeout=SECONDS) == "y"


def test_who_waits_for_an_answer_when_the_run_ends_is_told_so() -> None:
    gate = Gate()

    class Slow(Actor, name="tests.outside.slow2"):
        async def on_receive(self, message: Any) -> Any:
            await self.ask("/r/other", message)

    class Other(Actor, name="tests.outside.other"):
        async def on_receive(self, message: Any) -> Any:
            if message == "first":
                await gate.passed()
                self.finish("done")
                return
            await self.sleep(1e9)

    with running(program(Child("a", Slow), Child("other", Other))) as run:
        run.tell("/r/other", "first")
        gate.reached()
        answer = run.kernel.outside.ask("/r/a", "x")
        on_kernel(run, lambda: None)
        gate.open()
        with pytest.raises(TurnClosed, match="the run is over"):
            answer.get(timeout=SECONDS)
        assert run.wait(SECONDS).result == "done"
        with pytest.raises(TurnClosed, match="the run is over"):
            run.tell("/r/a", "too late").get(timeout=SECONDS)
        with pytest.raises(TurnClosed, match="the run is over"):
            run.ask("/r/a", "too late", timeout=SECONDS)


def test_an_answer_to_an_outside_that_is_gone_reaches_nobody() -> None:
    disk, gate = Disk(), Gate()

    class Slow(Actor, name="tests.outside.slow3"):
        count: int = 0

        async def on_receive(self, message: Any) -> int:
            await gate.passed()
            self.count += 1
            return self.count

    tree = program(Child("a", Slow))
    with running(tree, disk) as run:
        run.kernel.outside.ask("/r/a", "x")
        gate.reached()
        run.tell("/r/none", "flush").get(timeout=SECONDS)
        twin = disk.reopened()
        gate.open()
    with resumed(tree, twin) as run:
        assert run.ask("/r/a", "y", timeout=SECONDS) == 2


def test_a_run_that_is_over_takes_no_message_that_nobody_will_handle() -> None:
    store = MemoryStore()
    with running(program(Child("a", Echo)), store) as run:
        ending = run.kernel.ending

        def end_and_tell() -> Any:
            ending.begin("finished", "nothing left to do")
            return run.kernel.outside.tell("/r/a", "late"), run.kernel.outside.ask("/r/a", "late")

        receipt, answer = on_kernel(run, end_and_tell)
        for late in (receipt, answer):
            with pytest.raises(TurnClosed, match="the run is over"):
                late.get(timeout=SECONDS)
    assert [post for post in of(store, records.Post) if post.origin == "outside"] == []
