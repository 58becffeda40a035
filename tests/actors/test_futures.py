"""The future that every ask, step and proxy returns."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import traceback
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pykka
import pytest

from perdure.actors.futures import Future, forbid_blocking
from perdure.errors import BlockingCall

SECONDS = 60.0  # for what must happen: long enough for any machine, never waited out


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def on_a_guarded_loop(pool: ThreadPoolExecutor, main: Coroutine[Any, Any, Any]) -> Any:
    """Run `main` in a thread whose loop runs actors."""

    def live() -> Any:
        forbid_blocking()
        return asyncio.run(main)

    return pool.submit(live).result(SECONDS)


async def raised_by(future: Future[Any]) -> Exception:
    try:
        await future
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test looks at
        return error
    raise AssertionError("nothing was raised")


# --- born done


def test_a_future_born_done_has_its_value_at_once() -> None:
    future = Future.done(7)
    assert future.is_done
    assert future.get(timeout=0) == 7
    assert future.exception() is None


def test_a_future_born_failed_raises_its_error() -> None:
    future = Future.failed(ValueError("no such page"))
    with pytest.raises(ValueError, match="no such page"):
        future.get()


def test_a_future_without_outcome_is_not_done() -> None:
    future: Future[int] = Future()
    assert not future.is_done
    assert future.exception() is None


def test_a_failure_is_unseen_until_somebody_meets_it() -> None:
    future = Future.failed(ValueError("lost?"))
    assert not future.is_failure_seen
    assert isinstance(future.exception(), ValueError)
    assert future.is_failure_seen


def test_get_counts_as_seeing_the_failure() -> None:
    future = Future.failed(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        future.get()
    assert future.is_failure_seen


# --- set once


def test_of_many_threads_that_set_exactly_one_wins(pool: ThreadPoolExecutor) -> None:
    for _ in range(200):
        future: Future[int] = Future()
        start = threading.Barrier(4)

        def race(number: int, future: Future[int] = future, start: Any = start) -> int | None:
            start.wait(SECONDS)
            try:
                future.set(number)
            except queue.Full:
                return None
            return number

        winners = [n for n in pool.map(race, range(4)) if n is not None]
        assert winners == [future.get(timeout=0)]


def test_a_future_born_done_cannot_be_set() -> None:
    with pytest.raises(queue.Full, match="only once"):
        Future.done(1).set(2)


def test_a_set_none_is_a_value() -> None:
    future: Future[None] = Future()
    future.set(None)
    assert future.is_done
    with pytest.raises(queue.Full):
        future.set(None)


def test_set_exception_without_an_exception_says_what_to_pass() -> None:
    with pytest.raises(TypeError, match="pass one"):
        Future().set_exception()


def test_set_exception_takes_a_bare_exception() -> None:
    future: Future[int] = Future()
    future.set_exception(KeyError("k"))
    with pytest.raises(KeyError):
        future.get(timeout=0)


def test_a_class_in_an_exc_info_is_made_an_exception() -> None:
    future: Future[int] = Future()
    future.set_exception((ValueError, None, None))
    assert isinstance(future.exception(), ValueError)


def test_the_traceback_does_not_grow_with_each_get() -> None:
    future = Future.failed(ValueError())
    depths = []
    for _ in range(3):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no text
            future.get()
        depths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert depths == [depths[0]] * 3


# --- get


def test_get_blocks_until_another_thread_sets(pool: ThreadPoolExecutor) -> None:
    future: Future[str] = Future()
    waiting = threading.Event()

    def wait() -> str:
        waiting.set()
        return future.get(timeout=SECONDS)

    got = [pool.submit(wait) for _ in range(3)]
    assert waiting.wait(SECONDS)
    future.set("there")
    assert [g.result(SECONDS) for g in got] == ["there"] * 3


def test_get_times_out_and_leaves_nothing_behind() -> None:
    future: Future[int] = Future()
    with pytest.raises(pykka.Timeout, match=r"0\.001 seconds"):
        future.get(timeout=0.001)
    assert not future._callbacks


def test_get_takes_a_timeout_longer_than_locks_do() -> None:
    future: Future[int] = Future()
    threading.Timer(0, future.set, (3,)).start()
    assert future.get(timeout=1e12) == 3


def test_get_that_would_block_an_actors_loop_raises_and_names_the_way_out(
    pool: ThreadPoolExecutor,
) -> None:
    async def main() -> None:
        with pytest.raises(BlockingCall, match=r"`await` the future .*plain `def` handler"):
            Future().get(timeout=SECONDS)

    on_a_guarded_loop(pool, main())


def test_on_an_actors_loop_a_done_future_and_a_look_are_allowed(pool: ThreadPoolExecutor) -> None:
    async def main() -> int:
        with pytest.raises(pykka.Timeout):
            Future().get(timeout=0)
        return Future.done(4).get()

    assert on_a_guarded_loop(pool, main()) == 4


def test_a_thread_may_block_again_when_its_loop_has_ended(pool: ThreadPoolExecutor) -> None:
    def live() -> None:
        forbid_blocking()
        asyncio.run(asyncio.sleep(0))
        Future().get(timeout=0.001)

    with pytest.raises(pykka.Timeout):
        pool.submit(live).result(SECONDS)


def test_any_other_loop_may_block() -> None:
    async def main() -> None:
        with pytest.raises(pykka.Timeout):
            Future().get(timeout=0.001)

    asyncio.run(main())


# --- await


def test_await_lets_other_tasks_go_on_until_it_is_set() -> None:
    async def main() -> list[str]:
        future: Future[str] = Future()
        seen: list[str] = []

        async def consume() -> None:
            seen.append("waits")
            seen.append(await future)

        async def produce() -> None:
            seen.append("goes on")
            future.set("woken")

        await asyncio.gather(consume(), produce())
        return seen

    assert asyncio.run(main()) == ["waits", "goes on", "woken"]


def test_await_of_a_done_future_does_not_suspend() -> None:
    async def main() -> int:
        return await Future.done(1) + await Future.done(2)

    coroutine = main()
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value == 3


def test_a_loop_is_woken_from_another_thread(pool: ThreadPoolExecutor) -> None:
    async def main() -> int:
        future: Future[int] = Future()
        pool.submit(future.set, 5)
        return await asyncio.wait_for(_as_coroutine(future), SECONDS)

    assert asyncio.run(main()) == 5


async def _as_coroutine(future: Future[Any]) -> Any:
    return await future


def test_set_on_the_loop_itself_wakes_without_the_thread_safe_road(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        future: Future[int] = Future()
        loop.call_soon(future.set, 6)

        def refuse(*_: object) -> None:
            raise AssertionError("a self-pipe write for nothing")

        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_soon_threadsafe", refuse)
            return await future

    assert asyncio.run(main()) == 6


def test_one_future_wakes_awaiters_on_several_loops(pool: ThreadPoolExecutor) -> None:
    future: Future[str] = Future()
    ready = threading.Barrier(4)

    async def main() -> str:
        asyncio.get_running_loop().call_soon(ready.wait, SECONDS)  # runs once `await` suspended
        return await future

    got = [pool.submit(asyncio.run, main()) for _ in range(3)]
    ready.wait(SECONDS)
    future.set("all")
    assert [g.result(SECONDS) for g in got] == ["all"] * 3


def test_a_cancelled_awaiter_leaves_nothing_behind_and_others_still_wake() -> None:
    async def main() -> int:
        future: Future[int] = Future()
        impatient = asyncio.create_task(_as_coroutine(future))
        patient = asyncio.create_task(_as_coroutine(future))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        assert impatient.cancelled()
        assert len(future._callbacks or []) == 1
        future.set(8)
        return await patient

    assert asyncio.run(main()) == 8


@pytest.mark.parametrize("elsewhere", [False, True])
def test_setting_after_the_awaiters_loop_is_closed_does_no_harm(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture, elsewhere: bool
) -> None:
    future: Future[int] = Future()
    loop = asyncio.new_event_loop()
    task = loop.create_task(_as_coroutine(future))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    if elsewhere:
        pool.submit(future.set, 1).result(SECONDS)
    else:
        future.set(1)
    assert future.get(timeout=0) == 1
    assert caplog.text == ""
    assert not task.done()


def test_await_raises_what_the_future_failed_with() -> None:
    future: Future[int] = Future()
    future.set_exception(ValueError("bad"))
    assert str(asyncio.run(raised_by(future))) == "bad"


# --- callbacks


def test_callbacks_run_in_the_thread_that_sets_in_order(pool: ThreadPoolExecutor) -> None:
    future: Future[int] = Future()
    ran: list[tuple[str, int]] = []
    for name in ("first", "second"):
        future.add_done_callback(lambda _, name=name: ran.append((name, threading.get_ident())))

    def settle() -> int:
        future.set(1)
        return threading.get_ident()

    setter = pool.submit(settle).result(SECONDS)
    assert ran == [("first", setter), ("second", setter)]


def test_a_callback_of_a_done_future_runs_at_once() -> None:
    ran: list[Future[int]] = []
    future = Future.done(1)
    future.add_done_callback(ran.append)
    assert ran == [future]


def test_a_removed_callback_does_not_run() -> None:
    ran: list[Future[int]] = []
    future: Future[int] = Future()
    future.remove_done_callback(ran.append)  # nothing to remove: no error
    future.add_done_callback(ran.append)
    future.remove_done_callback(ran.append)
    future.set(1)
    assert ran == []


def test_a_failing_callback_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Future[int]) -> None:
        raise RuntimeError("callback broke")

    ran: list[Future[int]] = []
    future: Future[int] = Future()
    future.add_done_callback(fail)
    future.add_done_callback(ran.append)
    with caplog.at_level(logging.ERROR, "perdure"):
        future.set(1)
    assert ran == [future]
    assert "callback broke" in caplog.text


def test_a_callback_added_while_another_thread_sets_runs_exactly_once(
    pool: ThreadPoolExecutor,
) -> None:
    for _ in range(300):
        future: Future[int] = Future()
        ran: list[Future[int]] = []
        start = threading.Barrier(2)

        def add(future: Any = future, ran: Any = ran, start: Any = start) -> None:
            start.wait(SECONDS)
            future.add_done_callback(ran.append)

        adding = pool.submit(add)
        start.wait(SECONDS)
        future.set(1)
        adding.result(SECONDS)
        assert ran == [future]


def test_its_repr_says_how_it_stands() -> None:
    assert repr(Future()) == "<Future pending>"
    assert repr(Future.done(1)) == "<Future done>"
    assert repr(Future.failed(KeyError("k"))) == "<Future failed: KeyError('k')>"
    assert repr(Future.done(1).map(str)) == "<Future pending>"
