"""Futures made from hooks and from other futures, and what they failed with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pykka
import pytest

from perdure.actors.futures import Future, forbid_blocking

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


def test_an_awaited_map_waits_for_its_source_without_blocking(pool: ThreadPoolExecutor) -> None:
    async def main() -> int:
        source: Future[int] = Future()
        asyncio.get_running_loop().call_soon(source.set, 20)
        return await source.map(lambda n: n + 1)

    assert on_a_guarded_loop(pool, main()) == 21


def test_an_awaited_join_of_maps_waits_for_all(pool: ThreadPoolExecutor) -> None:
    async def main() -> Any:
        first: Future[int] = Future()
        second: Future[int] = Future()
        loop = asyncio.get_running_loop()
        loop.call_soon(second.set, 2)
        loop.call_soon(lambda: loop.call_soon(first.set, 1))
        return await first.map(lambda n: n * 10).join(second, Future.done(3))

    assert on_a_guarded_loop(pool, main()) == [10, 2, 3]


def test_an_awaited_join_fails_with_its_first_failure_whatever_is_pending() -> None:
    never: Future[int] = Future()
    joined = Future.failed(ValueError("early")).join(never)
    assert str(asyncio.run(raised_by(joined))) == "early"


def test_a_filter_and_a_reduce_are_awaited_like_any_other() -> None:
    async def main() -> tuple[Any, Any]:
        numbers = Future.done([1, 2, 3, 4])
        even = numbers.filter(lambda n: n % 2 == 0)
        return await even, await even.reduce(lambda a, b: a + b, 100)

    assert asyncio.run(main()) == ([2, 4], 106)


def test_an_unknown_hook_is_awaited_in_a_thread_so_that_it_may_block(
    pool: ThreadPoolExecutor,
) -> None:
    async def main() -> str:
        future: Future[str] = Future()
        answer: Future[str] = Future()
        future.set_get_hook(lambda timeout: answer.get(timeout=SECONDS))
        asyncio.get_running_loop().call_soon(answer.set, "from the hook")
        return await future

    assert on_a_guarded_loop(pool, main()) == "from the hook"


def test_a_join_with_a_future_of_another_kind_is_awaited_in_a_thread(
    pool: ThreadPoolExecutor,
) -> None:
    async def main() -> Any:
        foreign: pykka.Future[int] = pykka.ThreadingFuture()

        async def set_it_later() -> None:
            for _ in range(5):
                await asyncio.sleep(0)
            foreign.set(2)

        setting = asyncio.create_task(set_it_later())
        answer = await Future.done(1).join(foreign)
        await setting
        return answer

    assert on_a_guarded_loop(pool, main()) == [1, 2]


def test_a_hook_runs_once_though_two_threads_get(pool: ThreadPoolExecutor) -> None:
    calls: list[None] = []
    inside, go_on = threading.Event(), threading.Event()

    def hook(_: float | None) -> str:
        calls.append(None)
        inside.set()
        assert go_on.wait(SECONDS)
        return "once"

    future: Future[str] = Future()
    future.set_get_hook(hook)
    first = pool.submit(future.get)
    assert inside.wait(SECONDS)
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.001)
    assert not future.is_done
    second = pool.submit(future.get)
    go_on.set()
    assert (first.result(SECONDS), second.result(SECONDS)) == ("once", "once")
    assert calls == [None]
    assert future.is_done


def test_a_hook_that_raises_is_called_again_next_time() -> None:
    outcomes = iter([pykka.Timeout("not yet"), None])

    def hook(_: float | None) -> str:
        error = next(outcomes)
        if error is not None:
            raise error
        return "now"

    future: Future[str] = Future()
    future.set_get_hook(hook)
    with pytest.raises(pykka.Timeout):
        future.get()
    assert future.get() == "now"


def test_a_waiting_get_goes_on_when_a_hook_is_set(pool: ThreadPoolExecutor) -> None:
    future: Future[str] = Future()
    got = pool.submit(future.get, timeout=SECONDS)
    future.set_get_hook(lambda timeout: "hooked")
    assert got.result(SECONDS) == "hooked"
