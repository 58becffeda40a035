"""A Pykka actor without a thread. What Pykka itself promises, its own test suite checks."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
import weakref
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from perdure.actors.futures import Future
from perdure.actors.host import Host
from perdure.actors.hosted import HostedActor
from perdure.errors import BlockingCall, Crashed
from perdure.limits import HOST_BATCH_MESSAGES

SECONDS = 60.0  # for what must happen: long enough for any machine, never waited out


class Doer(HostedActor):
    """Calls what it is sent, and awaits it if it can be awaited."""

    title = "doer"

    async def on_receive(self, message: Any) -> Any:
        result = message()
        return await result if asyncio.iscoroutine(result) or isinstance(result, Future) else result

    async def add(self, a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b


class Plain(HostedActor):
    def on_receive(self, message: Any) -> Any:
        return message()


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    yield
    pykka.ActorRegistry.stop_all(block=True, timeout=SECONDS)


@pytest.fixture
def ref() -> pykka.ActorRef[Doer]:
    return Doer.start()


def hang(ref: pykka.ActorRef[Any]) -> Future[Any]:
    """Let the actor's handler wait for the future that this returns; waits until it does."""
    release: Future[Any] = Future()
    entered = threading.Event()

    def handler() -> Future[Any]:
        asyncio.get_running_loop().call_soon(entered.set)  # runs once the handler is suspended
        return release

    ref.tell(handler)
    assert entered.wait(SECONDS)
    return release


# --- handlers


@pytest.mark.parametrize("actor", [Doer, Plain])
def test_def_and_async_def_handlers_answer_alike(actor: type[HostedActor]) -> None:
    assert actor.start().ask(lambda: 7, timeout=SECONDS) == 7


@pytest.mark.parametrize("actor", [Doer, Plain])
def test_an_asker_gets_what_the_handler_raised_and_the_actor_goes_on(
    actor: type[HostedActor],
) -> None:
    ref = actor.start()
    with pytest.raises(ZeroDivisionError):
        ref.ask(lambda: 1 // 0, timeout=SECONDS)
    assert ref.ask(lambda: "fine", timeout=SECONDS) == "fine"


def test_an_actor_handles_one_message_at_a_time_in_order(ref: pykka.ActorRef[Doer]) -> None:
    log: list[str] = []

    def handler(name: str) -> Any:
        async def handle() -> None:
            log.append(f"{name} in")
            await asyncio.sleep(0)
            log.append(f"{name} out")

        return handle

    for name in "abc":
        ref.tell(handler(name))
    ref.ask(lambda: None, timeout=SECONDS)
    assert log == [f"{name} {way}" for name in "abc" for way in ("in", "out")]


@pytest.mark.parametrize("tool", ["timeout", "task group", "to_thread"])
def test_asyncios_own_tools_work_in_a_handler(ref: pykka.ActorRef[Doer], tool: str) -> None:
    async def with_timeout() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timeout"
        return "no timeout"

    async def with_task_group() -> str:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.sleep(0, "task group"))
        return task.result()

    handlers = {
        "timeout": with_timeout,
        "task group": with_task_group,
        "to_thread": lambda: asyncio.to_thread(str, "to_thread"),
    }
    assert ref.ask(handlers[tool], timeout=SECONDS) == tool
    assert ref.ask(lambda: "and after it", timeout=SECONDS) == "and after it"


def test_one_actor_awaits_the_answer_of_another(ref: pykka.ActorRef[Doer]) -> None:
    other = Doer.start()

    async def ask_the_other() -> int:
        answer = await other.ask(lambda: 20, block=False)
        return int(answer) + 1

    assert ref.ask(ask_the_other, timeout=SECONDS) == 21


def test_a_blocking_ask_inside_a_handler_raises_and_is_not_sent(ref: pykka.ActorRef[Doer]) -> None:
    sent: list[str] = []
    other = Plain.start()
    with pytest.raises(BlockingCall, match=r"block=False"):
        ref.ask(lambda: other.ask(lambda: sent.append("sent")), timeout=SECONDS)
    other.ask(lambda: None, timeout=SECONDS)
    assert sent == []


def test_a_blocking_ask_of_a_dead_actor_inside_a_handler_says_that_it_is_dead(
    ref: pykka.ActorRef[Doer],
) -> None:
    dead = Plain.start()
    dead.stop()
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.ask(lambda: dead.ask(print), timeout=SECONDS)


def test_something_cancelled_that_a_handler_waited_for_is_its_failure_and_not_its_end(
    ref: pykka.ActorRef[Doer],
) -> None:
    async def wait_for_a_cancelled_task() -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    with pytest.raises(Crashed, match="CancelledError"):
        ref.ask(wait_for_a_cancelled_task, timeout=SECONDS)
    assert ref.ask(lambda: "alive", timeout=SECONDS) == "alive"


# --- proxies


def test_a_proxy_calls_async_methods_and_reads_attributes(ref: pykka.ActorRef[Doer]) -> None:
    proxy = ref.proxy()
    assert proxy.add(1, 2).get(timeout=SECONDS) == 3
    proxy.title = "adder"
    assert proxy.title.get(timeout=SECONDS) == "adder"


def test_a_proxy_is_awaited_inside_another_actor(ref: pykka.ActorRef[Doer]) -> None:
    proxy = Doer.start().proxy()

    async def add_with_the_other() -> int:
        total: int = await proxy.add(2, 3)
        return total

    assert ref.ask(add_with_the_other, timeout=SECONDS) == 5


# --- hooks


def test_hooks_may_be_async_def_and_messages_wait_for_on_start() -> None:
    log: list[str] = []

    class Hooked(HostedActor):
        def __init__(self) -> None:
            super().__init__()
            self.actor_ref.tell("told in __init__")

        async def on_start(self) -> None:
            await asyncio.sleep(0)
            log.append("started")

        def on_receive(self, message: Any) -> None:
            log.append(message)

        async def on_stop(self) -> None:
            await asyncio.sleep(0)
            log.append("stopped")

    ref = Hooked.start()
    ref.tell("told after")
    assert ref.stop(timeout=SECONDS)
    assert log == ["started", "told in __init__", "told after", "stopped"]


def test_an_unanswered_failure_stops_the_actor_through_an_async_on_failure() -> None:
    met: list[Any] = []

    class Fragile(Plain):
        async def on_failure(self, *exc_info: Any) -> None:
            await asyncio.sleep(0)
            met.append(exc_info[1])

    ref = Fragile.start()
    ref.tell(lambda: 1 // 0)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask(lambda: None, timeout=SECONDS)
    assert isinstance(met[0], ZeroDivisionError)
    assert ref not in pykka.ActorRegistry.get_all()


@pytest.mark.parametrize("hook", ["on_start", "on_stop"])
def test_even_a_system_exit_out_of_a_hook_leaves_the_host_running(hook: str) -> None:
    def leave(self: HostedActor) -> None:
        raise SystemExit(1)

    class Leaver(HostedActor):
        pass

    setattr(Leaver, hook, leave)
    other = Plain.start()
    ref = Leaver.start()
    ref.stop(timeout=SECONDS)
    assert not ref.is_alive()
    assert other.actor_stopped.wait(SECONDS)  # Pykka's rule: it stops all actors
    assert Plain.start().ask(lambda: "runs", timeout=SECONDS) == "runs"


# --- the end of an actor


def test_every_message_left_at_the_stop_is_answered_however_many_there_are(
    ref: pykka.ActorRef[Doer],
) -> None:
    release = hang(ref)
    ref.stop(block=False)
    left = [ref.ask(lambda: None, block=False) for _ in range(HOST_BATCH_MESSAGES * 3)]
    again = ref.stop(block=False)
    release.set()
    for answer in left:
        with pytest.raises(pykka.ActorDeadError, match="stopped before handling the message"):
            answer.get(timeout=SECONDS)
    assert again.get(timeout=SECONDS) is True


def test_messages_before_the_stop_are_handled_however_many_there_are(
    ref: pykka.ActorRef[Doer],
) -> None:
    release = hang(ref)
    count = HOST_BATCH_MESSAGES * 3
    answers = [ref.ask(lambda n=n: n, block=False) for n in range(count)]
    stopped = ref.stop(block=False)
    release.set()
    assert stopped.get(timeout=SECONDS) is True
    assert [answer.get(timeout=0) for answer in answers] == list(range(count))


def test_what_is_told_to_a_stopped_actor_is_refused(ref: pykka.ActorRef[Doer]) -> None:
    ref.stop()
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.tell(print)
    with pytest.raises(pykka.ActorDeadError, match="not found"):
        ref.ask(print)


def test_no_ask_hangs_that_races_with_the_stop() -> None:
    for _ in range(100):
        ref = Plain.start()
        answers: list[Future[Any]] = []
        start = threading.Barrier(2)

        def send(ref: Any = ref, answers: Any = answers, start: Any = start) -> None:
            start.wait(SECONDS)
            answers.extend(ref.ask(lambda: "handled", block=False) for _ in range(20))

        sender = threading.Thread(target=send)
        sender.start()
        start.wait(SECONDS)
        ref.stop(block=False)
        sender.join(SECONDS)
        for answer in answers:
            try:
                assert answer.get(timeout=SECONDS) == "handled"
            except pykka.ActorDeadError:
                continue


def test_a_base_exception_stops_all_actors_without_blocking_the_loop() -> None:
    refs = [Plain.start() for _ in range(3)]

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(Crashed, match="SystemExit") as crashed:
        refs[1].ask(leave, timeout=SECONDS)
    assert isinstance(crashed.value.__cause__, SystemExit)
    for ref in refs:
        assert ref.actor_stopped.wait(SECONDS)
    assert Plain.start().ask(lambda: "the host runs on", timeout=SECONDS) == "the host runs on"


def test_the_stop_of_another_actor_is_awaited_without_a_thread(
    ref: pykka.ActorRef[Doer], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Plain.start()
    monkeypatch.delattr(asyncio, "to_thread")

    async def stop_the_other() -> list[bool]:
        return [await other.stop(block=False), await other.stop(block=False)]

    assert ref.ask(stop_the_other, timeout=SECONDS) == [True, False]


def test_a_stopped_actor_is_freed_though_its_ref_is_kept() -> None:
    ref = Plain.start()
    actor = weakref.ref(ref._actor_weakref())
    ref.stop()
    Plain.start().ask(lambda: None, timeout=SECONDS)  # the runner has let go of the first
    gc.collect()
    assert actor() is None
    assert not ref.is_alive()


def test_an_idle_actor_lives_as_long_as_its_ref_though_nothing_runs_it() -> None:
    class Unlisted(Plain):
        _in_registry = False

    ref = Unlisted.start()
    ref.ask(lambda: None, timeout=SECONDS)
    gc.collect()
    assert ref.ask(lambda: "here", timeout=SECONDS) == "here"


# --- names, registry, hosts


def test_urns_are_distinct_uuids() -> None:
    urns = {Plain().actor_urn for _ in range(100)}
    assert len(urns) == 100
    assert {uuid.UUID(urn).version for urn in urns} == {4}


def test_an_actor_class_may_stay_out_of_the_registry() -> None:
    class Unlisted(Plain):
        _in_registry = False

    ref = Unlisted.start()
    assert pykka.ActorRegistry.get_all() == []
    assert ref.stop(timeout=SECONDS)


def test_use_binds_the_actors_of_a_class_to_a_host() -> None:
    class Housed(Plain):
        pass

    host = Host.start()
    Housed.use(host)
    assert _loop_of(Housed.start()) is host.loop
    assert _loop_of(Plain.start()) is not host.loop
    Housed.use(None)
    assert _loop_of(Housed.start()) is Host.default().loop
    host.close(timeout=SECONDS)


def test_start_on_binds_one_actor_to_a_host() -> None:
    host = Host.start()
    assert _loop_of(Plain.start_on(host)) is host.loop
    assert _loop_of(Plain.start()) is not host.loop
    host.close(timeout=SECONDS)


def _loop_of(ref: pykka.ActorRef[Any]) -> asyncio.AbstractEventLoop:
    loop = ref.ask(asyncio.get_running_loop, timeout=SECONDS)
    assert isinstance(loop, asyncio.AbstractEventLoop)
    return loop
