"""The event loop that hosted actors live on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from perdure.actors.futures import Future
from perdure.actors.host import Host
from perdure.actors.hosted import HostedActor
from perdure.errors import BlockingCall, Crashed
from perdure.limits import HOST_BATCH_MESSAGES, HOST_RUNNERS_KEPT, HOST_SLICE_BATCHES

SECONDS = 60.0  # for what must happen: long enough for any machine, never waited out


class Doer(HostedActor):
    """Calls what it is sent, and awaits it if it can be awaited."""

    _in_registry = False

    async def on_receive(self, message: Any) -> Any:
        result = message()
        return await result if asyncio.iscoroutine(result) or isinstance(result, Future) else result


class Echo(HostedActor):
    _in_registry = False

    def on_receive(self, message: Any) -> Any:
        return message


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host.start()
    yield host
    host.close(timeout=SECONDS)


def hang_in(ref: pykka.ActorRef[Any]) -> Future[Any]:
    """Let the actor's handler wait for the future that this returns; waits until it does."""
    release: Future[Any] = Future()
    entered = threading.Event()

    def handler() -> Future[Any]:
        asyncio.get_running_loop().call_soon(entered.set)  # runs once the handler is suspended
        return release

    ref.tell(handler)
    assert entered.wait(SECONDS)
    return release


# --- runners


def test_a_wake_up_is_not_lost_when_the_last_runner_suspended_with_nothing_ready(
    host: Host,
) -> None:
    release = hang_in(Doer.start_on(host))
    # The relay that followed the suspension found nothing ready. What comes now must be served.
    for number in range(3):
        assert Echo.start_on(host).ask(number, timeout=SECONDS) == number
    release.set()


def test_actors_that_are_ready_go_on_while_a_handler_is_suspended(host: Host) -> None:
    hanging = Doer.start_on(host)
    others = [Echo.start_on(host) for _ in range(3)]
    answers: list[Future[Any]] = []
    release: Future[Any] = Future()

    def handler() -> Future[Any]:
        answers.extend(other.ask("go on", block=False) for other in others)
        return release

    hanging_answer = hanging.ask(handler, block=False)
    entered = hang_in(Doer.start_on(host))
    assert [answer.get(timeout=SECONDS) for answer in answers] == ["go on"] * 3
    assert not hanging_answer.is_done
    release.set("last")
    entered.set()
    assert hanging_answer.get(timeout=SECONDS) == "last"


def test_no_more_handlers_are_in_flight_than_runners_max_and_the_next_waits() -> None:
    host = Host.start(runners_max=2)
    first, second = hang_in(Doer.start_on(host)), hang_in(Doer.start_on(host))
    third = Echo.start_on(host).ask("third", block=False)
    assert len(host._runners) == 2
    with pytest.raises(pykka.Timeout):
        third.get(timeout=0.01)
    first.set()
    assert third.get(timeout=SECONDS) == "third"
    second.set()
    host.close(timeout=SECONDS)


def test_a_handler_that_does_not_suspend_needs_no_second_runner(host: Host) -> None:
    refs = [Doer.start_on(host) for _ in range(100)]
    tasks = {ref.ask(asyncio.current_task, timeout=SECONDS) for ref in refs}
    assert len(tasks) == 1


def test_a_busy_host_lets_the_loops_other_callbacks_run_and_makes_no_runners_for_it() -> None:
    handled = 0

    class Ball(HostedActor):
        _in_registry = False

        def on_receive(self, message: Any) -> None:
            nonlocal handled
            handled += 1
            self.actor_ref.tell(message)  # for ever

    async def main() -> None:
        host = Host.on(asyncio.get_running_loop())
        for _ in range(3):
            Ball.start_on(host).tell("play")
        before = 0
        for _ in range(50):
            await asyncio.sleep(0)
            assert handled - before <= HOST_SLICE_BATCHES * HOST_BATCH_MESSAGES
            before = handled
        assert len(host._runners) == 1
        await host.aclose()

    asyncio.run(main())
    assert handled > 10 * HOST_SLICE_BATCHES * HOST_BATCH_MESSAGES


def test_runners_that_a_burst_needed_end_when_it_is_over(host: Host) -> None:
    releases = [hang_in(Doer.start_on(host)) for _ in range(HOST_RUNNERS_KEPT * 2)]
    assert len(host._runners) == HOST_RUNNERS_KEPT * 2
    for release in releases:
        release.set()
    ended = Future[int]()

    def look() -> None:
        if len(host._runners) <= HOST_RUNNERS_KEPT + 1:
            ended.set(len(host._runners))
        else:
            host.loop.call_soon(look)

    host.loop.call_soon_threadsafe(look)
    assert ended.get(timeout=SECONDS) <= HOST_RUNNERS_KEPT + 1
    assert Echo.start_on(host).ask("still served", timeout=SECONDS) == "still served"


def test_a_runner_that_its_handler_cancelled_is_replaced(host: Host) -> None:
    async def cancel_own_task() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    doomed = Doer.start_on(host)
    answer = doomed.ask(cancel_own_task, block=False)
    with pytest.raises(Crashed, match="CancelledError"):
        answer.get(timeout=SECONDS)
    assert doomed.actor_stopped.wait(SECONDS)
    assert Echo.start_on(host).ask("next", timeout=SECONDS) == "next"


def test_messages_from_many_threads_are_all_handled(host: Host) -> None:
    class Counter(HostedActor):
        _in_registry = False
        count = 0

        def on_receive(self, message: Any) -> int:
            self.count += 1
            return self.count

    refs = [Counter.start_on(host) for _ in range(4)]
    start = threading.Barrier(4)

    def send() -> None:
        start.wait(SECONDS)
        for number in range(2_000):
            refs[number % 4].tell(number)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(SECONDS)
    assert [ref.ask("count", timeout=SECONDS) for ref in refs] == [2_001] * 4


# --- a loop that somebody else runs


def test_a_host_on_a_running_loop_serves_its_actors_there() -> None:
    async def main() -> tuple[Any, int]:
        host = Host.on(asyncio.get_running_loop())
        answer = await Doer.start_on(host).ask(threading.get_ident, block=False)
        await host.aclose()
        return answer, threading.get_ident()

    served_by, loop_thread = asyncio.run(main())
    assert served_by == loop_thread


def test_a_host_on_a_loop_takes_messages_from_other_threads() -> None:
    async def main() -> Any:
        host = Host.on(asyncio.get_running_loop())
        ref = Echo.start_on(host)
        answer = await asyncio.to_thread(ref.ask, "hello", timeout=SECONDS)
        await host.aclose()
        return answer

    assert asyncio.run(main()) == "hello"


def test_a_host_may_be_put_on_a_loop_from_another_thread_before_it_runs() -> None:
    loop = asyncio.new_event_loop()
    host = Host.on(loop)
    answer = Echo.start_on(host).ask("early", block=False)

    async def main() -> Any:
        with pytest.raises(BlockingCall):
            Future().get(timeout=SECONDS)
        return await answer

    assert loop.run_until_complete(main()) == "early"
    loop.run_until_complete(host.aclose())
    loop.close()


def test_on_a_hosts_loop_a_blocking_ask_raises_and_sends_nothing() -> None:
    received: list[Any] = []

    class Keeper(HostedActor):
        _in_registry = False

        def on_receive(self, message: Any) -> None:
            received.append(message)

    async def main() -> None:
        host = Host.on(asyncio.get_running_loop())
        ref = Keeper.start_on(host)
        with pytest.raises(BlockingCall, match=r"ref\.ask\(\) would block"):
            ref.ask("blocking")
        await ref.ask("not blocking", block=False)
        with pytest.raises(BlockingCall, match=r"ref\.stop\(\) would block"):
            ref.stop()
        assert await ref.stop(block=False) is True
        assert await ref.stop(block=False) is False
        await host.aclose()

    asyncio.run(main())
    assert received == ["not blocking"]


def test_a_message_to_an_actor_whose_loop_is_closed_is_refused() -> None:
    async def main() -> pykka.ActorRef[Echo]:
        return Echo.start_on(Host.on(asyncio.get_running_loop()))

    ref = asyncio.run(main())
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("anybody?", timeout=SECONDS)
    assert not ref.is_alive()


# --- the end of a host


def test_closing_cancels_what_is_in_flight_and_answers_its_asker() -> None:
    host = Host.start()
    cancelled = threading.Event()
    entered = threading.Event()

    async def handler() -> None:
        asyncio.get_running_loop().call_soon(entered.set)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    ref = Doer.start_on(host)
    answer, next_answer = ref.ask(handler, block=False), ref.ask(print, block=False)
    assert entered.wait(SECONDS)
    host.close(timeout=SECONDS)
    assert cancelled.is_set()
    with pytest.raises(Crashed, match="CancelledError"):
        answer.get(timeout=SECONDS)
    with pytest.raises(pykka.ActorDeadError, match="stopped before handling"):
        next_answer.get(timeout=SECONDS)
    assert not ref.is_alive()


def test_a_closed_host_refuses_messages_and_its_thread_has_ended() -> None:
    host = Host.start(name="short-lived")
    ref = Echo.start_on(host)
    assert ref.ask("before", timeout=SECONDS) == "before"
    host.close(timeout=SECONDS)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask("after", timeout=SECONDS)
    assert "short-lived" not in {thread.name for thread in threading.enumerate()}


def test_an_actor_started_on_a_closed_host_is_dead() -> None:
    host = Host.start()
    host.close(timeout=SECONDS)
    host.close(timeout=SECONDS)  # a second time is no error
    assert not Echo.start_on(host).is_alive()


def test_a_handler_may_close_its_own_host() -> None:
    host = Host.start(name="suicidal")
    thread = host._thread
    ref = Doer.start_on(host)
    ref.tell(host.close)
    assert thread is not None
    thread.join(SECONDS)
    assert not thread.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        ref.ask(print, timeout=SECONDS)


def test_nothing_told_while_the_host_closes_is_left_unanswered() -> None:
    for _ in range(20):
        host = Host.start()
        refs = [Echo.start_on(host) for _ in range(3)]
        answers: list[Future[Any]] = []
        start = threading.Barrier(2)

        def send(refs: Any = refs, answers: Any = answers, start: Any = start) -> None:
            start.wait(SECONDS)
            for number in range(60):
                answers.append(refs[number % 3].ask(number, block=False))

        sender = threading.Thread(target=send)
        sender.start()
        start.wait(SECONDS)
        host.close(timeout=SECONDS)
        sender.join(SECONDS)
        for number, answer in enumerate(answers):
            try:
                assert answer.get(timeout=SECONDS) == number
            except (pykka.ActorDeadError, Crashed):
                continue


# --- the process's own host


def test_the_default_host_is_one_and_is_replaced_once_closed() -> None:
    first = Host.default()
    assert Host.default() is first
    first.close(timeout=SECONDS)
    second = Host.default()
    assert second is not first
    assert not second.is_closed


def test_a_forked_child_gets_a_default_host_of_its_own() -> None:
    program = """
import os
from perdure.actors.hosted import HostedActor
class Echo(HostedActor):
    def on_receive(self, message):
        return message
assert Echo.start().ask(1, timeout=60) == 1
child = os.fork()
if child == 0:
    os._exit(42 if Echo.start().ask(2, timeout=60) == 2 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
